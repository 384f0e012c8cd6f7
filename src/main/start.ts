/** `kmc start`: runs the service. A development home that is empty gets an instance first, so that one command is enough. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommandContext } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { ceremonySiteOf } from './command-context.ts';
import { DevelopmentStage } from './development/stage.ts';
import { initInstance, STAGE_FOLDER } from './init.ts';
import { openInstance, type OpenedInstance } from './open-instance.ts';
import { serve, type RunningService, type ServiceLog } from './serve.ts';

const WARNING =
  'DEVELOPMENT INSTANCE: every key of every person lies on this machine, quorums may be weak, it protects nothing';

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

function logOf(context: CommandContext): ServiceLog {
  const least = LEVELS.indexOf(context.environment.logLevel);
  const line = (level: (typeof LEVELS)[number], message: string) => {
    if (LEVELS.indexOf(level) > least) return;
    context.io.err(JSON.stringify({ time: new Date().toISOString(), level, message }));
  };
  return {
    info: (message) => line('info', message),
    fault(message, cause) {
      const code = cause instanceof KmcError ? ` ${cause.code}: ${cause.message}` : '';
      line('error', `${message}${code}`);
      if (cause instanceof Error && !(cause instanceof KmcError)) context.io.err(cause.stack ?? cause.message);
    },
  };
}

/** The stage of a development instance, or nothing where people keep their keys themselves. */
async function stageOf(environment: Environment, instance: OpenedInstance): Promise<DevelopmentStage | undefined> {
  const folder = join(environment.home, STAGE_FOLDER);
  if (environment.environment !== 'development' || !existsSync(folder)) return undefined;
  const site = ceremonySiteOf(environment, instance.engine);
  const stage = new DevelopmentStage({ environment, instance, site, folder });
  await stage.loadPeople('holders');
  return stage;
}

function untilStopped(service: RunningService): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  return Promise.race([signalled, service.ended]);
}

export const commands: readonly Command[] = [
  {
    noun: 'start',
    verb: '',
    summary:
      'Runs the service of the instance in --home, sealed until its custodians unseal it. A development home that is empty gets an instance first; a development instance unseals itself.',
    example: 'kmc start --home keystore/dev',
    async run(_input, context) {
      const { environment } = context;
      const log = logOf(context);
      const isNew = !existsSync(join(environment.home, 'kmc.yaml'));
      if (isNew && environment.environment === 'development') await initInstance(environment);
      const instance = await openInstance(environment);
      try {
        const stage = await stageOf(environment, instance);
        const service = await serve(environment, instance, log);
        if (environment.environment === 'development') context.io.err(WARNING);
        await stage?.unseal();
        context.io.out(`listening on ${service.url}`);
        if (stage !== undefined) context.io.out(`people and their keys: ${join(environment.home, STAGE_FOLDER)}`);
        try {
          await untilStopped(service);
        } finally {
          await service.close();
        }
      } finally {
        await instance.close();
      }
      return { exitCode: EXIT.ok, json: { stopped: true }, text: 'stopped' };
    },
  },
];
