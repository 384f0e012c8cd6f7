/** `kmc init`: the settings of a new instance; for a development instance also everything else, up to the issuing CA. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from '../cli/command.ts';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { makePrivateDirectory } from '../keystore/durable-file.ts';
import { ceremonySiteOf } from './command-context.ts';
import { makeDevelopmentInstance } from './development/make-instance.ts';
import { DevelopmentStage } from './development/stage.ts';
import { openInstance } from './open-instance.ts';

/** Folder of a development instance that holds the keys of all its people. */
export const STAGE_FOLDER = 'DEVELOPMENT-ONLY';

function writeSettings({ home, instance, environment, origin }: Environment): void {
  mkdirSync(dirname(home), { recursive: true });
  makePrivateDirectory(home);
  const settings = `instance: ${instance}\nenvironment: ${environment}\norigin: ${origin}\n`;
  writeFileSync(join(home, 'kmc.yaml'), settings, { flag: 'wx', mode: 0o600 });
}

/**
 * Makes the instance of an empty home.
 * @throws KmcError E_EXISTS when there is one already.
 */
export async function initInstance(environment: Environment): Promise<void> {
  if (existsSync(join(environment.home, 'kmc.yaml'))) {
    throw new KmcError('E_EXISTS', 'There is an instance in this home already; nothing of it was changed.');
  }
  writeSettings(environment);
  if (environment.environment === 'production') return;
  const instance = await openInstance(environment);
  try {
    const site = ceremonySiteOf(environment, instance.engine);
    const folder = join(environment.home, STAGE_FOLDER);
    await makeDevelopmentInstance(new DevelopmentStage({ environment, instance, site, folder }), instance);
  } finally {
    await instance.close();
  }
}

const NEXT_STEP = 'settings written; next: hold the ceremony kmc-init (scripts/README.md), then kmc start';

export const commands: readonly Command[] = [
  {
    noun: 'init',
    verb: '',
    summary:
      'Makes a new instance in an empty --home: its settings, and for a development instance keystores, people and CAs.',
    example: 'KMC_INSTANCE=kmc-1 KMC_ENVIRONMENT=production kmc init --home /srv/kmc',
    async run(_input, { environment }) {
      await initInstance(environment);
      const { home, instance, environment: kind } = environment;
      const text = kind === 'production' ? NEXT_STEP : `development instance ${instance} made in ${home}`;
      return { json: { instance, environment: kind, home }, text };
    },
  },
];
