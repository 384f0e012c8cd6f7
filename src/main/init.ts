/** `kmc init`: the settings of a new instance; for a development instance also everything else, up to the issuing CA. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command, CommandContext } from '../cli/command.ts';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { makePrivateDirectory } from '../keystore/durable-file.ts';
import { ceremonySiteOf } from './ceremony-place.ts';
import { makeAside } from './development/make-aside.ts';
import { makeDevelopmentInstance } from './development/make-instance.ts';
import { DevelopmentStage } from './development/stage.ts';
import { checkHome, holdsInstance, STAGE_FOLDER } from './home-folder.ts';
import { openInstance, type OpenedInstance } from './open-instance.ts';

/** Writes the settings of a new home: which instance it is. */
export function writeSettings({ home, instance, environment, origin }: Environment): void {
  mkdirSync(dirname(home), { recursive: true });
  makePrivateDirectory(home);
  const settings = `instance: ${instance}\nenvironment: ${environment}\norigin: ${origin}\n`;
  writeFileSync(join(home, 'kmc.yaml'), settings, { flag: 'wx', mode: 0o600 });
}

/** The log is the measure: nothing is written without an event. @throws KmcError E_CONFLICT. */
async function requireEmptyDatabase({ database }: OpenedInstance): Promise<void> {
  const events = await database.read(async ({ audit }) => (await audit.size()) + (await audit.pending()));
  if (events === 0) return;
  throw new KmcError(
    'E_CONFLICT',
    'The database (KMC_DB) holds an instance, or part of one whose making was interrupted. Use an empty database.',
  );
}

async function initDevelopment(environment: Environment, progress: CommandContext['progress']): Promise<void> {
  writeSettings(environment);
  const instance = await openInstance(environment);
  try {
    await requireEmptyDatabase(instance);
    const site = ceremonySiteOf(environment, instance.engine);
    const folder = join(environment.home, STAGE_FOLDER);
    await makeDevelopmentInstance(new DevelopmentStage({ environment, instance, site, folder }), instance, progress);
  } finally {
    await instance.close();
  }
}

/**
 * Makes the instance of an empty home. A development instance stands in its home when it is whole, and not before.
 * @throws KmcError E_EXISTS when there is one already, or other files; E_CONFIG for a home that is open to others;
 * E_CONFLICT when the database is not empty.
 */
export async function initInstance(
  environment: Environment,
  progress: CommandContext['progress'] = () => undefined,
): Promise<void> {
  checkHome(environment);
  if (holdsInstance(environment)) {
    throw new KmcError('E_EXISTS', 'There is an instance in this home already; nothing of it was changed.');
  }
  if (environment.environment === 'production') writeSettings(environment);
  else await makeAside(environment, (aside) => initDevelopment(aside, progress));
}

const NEXT_STEP = 'settings written; next: hold the ceremony kmc-init (scripts/README.md), then kmc start';

export const commands: readonly Command[] = [
  {
    noun: 'init',
    verb: '',
    summary:
      'Makes a new instance in an empty --home: its settings, and for a development instance keystores, people and CAs.',
    example: 'KMC_INSTANCE=kmc-1 KMC_ENVIRONMENT=production kmc init --home /srv/kmc',
    async run(_input, context) {
      const { environment } = context;
      await initInstance(environment, (step, done, total) => context.progress(step, done, total));
      const { home, instance, environment: kind } = environment;
      const text = kind === 'production' ? NEXT_STEP : `development instance ${instance} made in ${home}`;
      return { json: { instance, environment: kind, home }, text };
    },
  },
];
