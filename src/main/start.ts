/** `kmc start`: runs the service. A development home that is empty gets an instance first, so that one command is enough. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command, CommandContext } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { ceremonySiteOf } from './ceremony-place.ts';
import { DevelopmentStage } from './development/stage.ts';
import { holdsInstance, requireKeystoreBesideDatabase, STAGE_FOLDER, takeHome } from './home-folder.ts';
import { initInstance } from './init.ts';
import { openInstance, type OpenedInstance } from './open-instance.ts';
import { serve, type RunningService, type ServiceLog } from './serve.ts';

const STAGE_WARNING =
  'DEVELOPMENT INSTANCE: every key of every person lies on this machine, quorums may be weak, it protects nothing';
const WARNING = 'DEVELOPMENT INSTANCE: quorums may be weak, it protects nothing';

const TLS_POLL_MS = 50;
const TLS_PATIENCE_MS = 5000;

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

/** Says where HTTPS is as soon as it is there: it needs the opened keystore. */
async function announceTls(service: RunningService, signal: AbortSignal, say: (text: string) => void): Promise<void> {
  while (service.tlsUrl() === undefined && !signal.aborted) {
    await pause(TLS_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  const url = service.tlsUrl();
  if (url !== undefined) say(`listening on ${url}`);
}

/** Unseals what can be unsealed here, says where the service is, and waits for its end. */
async function attend(context: CommandContext, service: RunningService, stage?: DevelopmentStage): Promise<void> {
  // With --json standard output belongs to the one value at the end.
  const say = (text: string) => (context.json ? context.io.err(text) : context.io.out(text));
  const stopped = untilStopped(service);
  // It may end while something else is awaited here; whoever awaits it is told.
  stopped.catch(() => undefined);
  await stage?.unseal();
  say(`listening on ${service.url}`);
  if (service.caUrl !== undefined) say(`listening on ${service.caUrl} (GM/T 0014)`);
  const stop = new AbortController();
  const announced = announceTls(service, stop.signal, say);
  try {
    if (stage !== undefined) {
      await Promise.race([announced, stopped, pause(TLS_PATIENCE_MS, undefined, { ref: false })]);
      say(`people and their keys: ${join(context.environment.home, STAGE_FOLDER)}`);
    }
    await stopped;
  } finally {
    stop.abort();
    await announced;
  }
}

async function runService(context: CommandContext, instance: OpenedInstance): Promise<void> {
  const { environment } = context;
  const stage = await stageOf(environment, instance);
  const service = await serve(environment, instance, logOf(context));
  try {
    if (environment.environment === 'development') context.io.err(stage === undefined ? WARNING : STAGE_WARNING);
    await attend(context, service, stage);
  } finally {
    await service.close();
  }
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
      requireKeystoreBesideDatabase(environment);
      if (environment.environment === 'development' && !holdsInstance(environment)) {
        await initInstance(environment, (step, done, total) => context.progress(step, done, total));
      }
      const instance = await openInstance(environment);
      try {
        const lock = takeHome(environment);
        try {
          await runService(context, instance);
        } finally {
          lock.release();
        }
      } finally {
        await instance.close();
      }
      return { exitCode: EXIT.ok, json: { stopped: true }, text: 'stopped' };
    },
  },
];
