/** The agent of a device while it runs: renews in good time, keeps CRLs, and tells the program that uses the files. */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from '../crypto/random.ts';
import { KmcError } from '../errors.ts';
import { refreshCrls, type CrlOutcome } from './crl-cache.ts';
import type { DeviceFolder } from './device-folder.ts';
import { renew, renewalDue, type RenewPorts } from './renew.ts';
import type { KmcClient } from './signed-client.ts';

export interface RunPorts extends RenewPorts {
  /** An unsigned client, for what is public. */
  readonly client: KmcClient;
}

export interface RunOptions {
  readonly passphrase: Buffer;
  /** Command of the shell that makes the user of the files read them again. */
  readonly reload?: string;
  /** Renews now, whatever the date. */
  readonly force?: boolean;
}

export interface RoundOutcome {
  readonly renewed: boolean;
  readonly reloaded: boolean;
  readonly crls: readonly CrlOutcome[];
}

const RELOAD_PATIENCE_MS = 60_000;

/** Runs the command. @throws KmcError E_STATE when it fails or takes longer than a minute. */
async function runReload(command: string): Promise<void> {
  const child = spawn(command, { shell: true, stdio: 'ignore', timeout: RELOAD_PATIENCE_MS });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (status) => resolve(status));
  });
  if (code === 0) return;
  throw new KmcError('E_STATE', 'The reload command failed: the new files are in place, and it is tried again later.');
}

/** Tells the user of the files about a set that it does not know yet. */
async function reloadIfNew(folder: DeviceFolder, command: string | undefined): Promise<boolean> {
  if (command === undefined || folder.isReloaded) return false;
  await runReload(command);
  folder.noteReloaded();
  return true;
}

/**
 * One round: what a killed round left over, a renewal when it is due, CRLs. Files change and are noted in such an order that
 * a kill anywhere is made up for by the next round; the reload command then runs once more.
 * @throws KmcError as `renew`; E_STATE when the reload command fails.
 */
export async function runRound(ports: RunPorts, folder: DeviceFolder, options: RunOptions): Promise<RoundOutcome> {
  const { certificate, from } = renewalDue(folder);
  const before = await reloadIfNew(folder, options.reload);
  const now = ports.now();
  if (certificate.notAfter <= now) {
    throw new KmcError(
      'E_STATE',
      'The certificate has ended: a renewal cannot be signed any more. Ask for a new token.',
    );
  }
  const isDue = options.force === true || from <= now || folder.isPending;
  if (isDue) await renew(ports, folder, options.passphrase);
  const crls = await refreshCrls(ports.client, folder, now);
  const after = await reloadIfNew(folder, options.reload);
  folder.removeOldSets();
  return { renewed: isDue, reloaded: before || after, crls };
}

const HOUR_MS = 3_600_000;
/** Between rounds (A.5), and the longest and first waits after a failure. */
const POLL_MS = 6 * HOUR_MS;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = HOUR_MS;
/** Every wait is that much shorter or longer at random, so that a fleet does not come at once. */
const JITTER = 0.2;

function jittered(milliseconds: number): number {
  const random = randomBytes(4).readUInt32BE(0) / 2 ** 32;
  return Math.round(milliseconds * (1 - JITTER + 2 * JITTER * random));
}

/** How long to wait after a round; after failures ever longer, up to an hour. */
export function waitAfter(failures: number): number {
  const wait = failures === 0 ? POLL_MS : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
  return jittered(wait);
}

/**
 * Runs rounds until told to stop. A round that fails is reported and tried again; nothing but the signal ends it.
 * @param report what came of each round.
 */
export async function runDevice(
  ports: RunPorts,
  folder: DeviceFolder,
  options: RunOptions,
  control: { readonly signal: AbortSignal; readonly report: (outcome: RoundOutcome | KmcError) => void },
): Promise<void> {
  let failures = 0;
  while (!control.signal.aborted) {
    try {
      control.report(await runRound(ports, folder, options));
      failures = 0;
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      failures += 1;
      control.report(error);
    }
    await pause(waitAfter(failures), undefined, { signal: control.signal }).catch(() => undefined);
  }
}
