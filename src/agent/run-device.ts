/** The agent of a device while it runs: renews in good time, keeps CRLs, and tells the program that uses the files. */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from '../crypto/random.ts';
import { KmcError, type ErrorCode } from '../errors.ts';
import { refreshCrls, type CrlOutcome } from './crl-cache.ts';
import type { DeviceFolder } from './device-folder.ts';
import { certificateIn, openKey } from './device-keys.ts';
import { renew, renewalDue, type RenewPorts } from './renew.ts';
import { ReportMemory } from './report-memory.ts';
import { setInForce } from './set-in-force.ts';
import { readTrustFolder } from './trust-folder.ts';
import { activeRoot, rootOfPair, trustPath, trustRound, type FolderLock, type TrustOutcome } from './trust-round.ts';
import type { KmcClient } from './signed-client.ts';

export interface RunPorts extends RenewPorts {
  /** An unsigned client, for what is public. */
  readonly client: KmcClient;
  readonly lock: FolderLock;
}

export interface RunOptions {
  readonly passphrase: Buffer;
  /** Command of the shell that makes the user of the files read them again. */
  readonly reload?: string;
  /** What the device says of its firmware. */
  readonly firmware?: string;
  /** Renews now, whatever the date. */
  readonly force?: boolean;
}

export interface RoundOutcome {
  readonly renewed: boolean;
  readonly reloaded: boolean;
  readonly crls: readonly CrlOutcome[];
  readonly trust: TrustOutcome | TrustFailure;
}

/** The trust round failed; the rest of the round went on. */
export interface TrustFailure {
  readonly state: 'failed';
  readonly code: ErrorCode;
  readonly reason: string;
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

/** The trust of the device, with its key in force. What fails in it keeps certificates from nothing. */
async function followTrust(
  ports: RunPorts,
  folder: DeviceFolder,
  { passphrase, reload, firmware = UNKNOWN_FIRMWARE }: RunOptions,
): Promise<TrustOutcome | TrustFailure> {
  const { engine, clientOf, now, lock } = ports;
  const set = setInForce(folder);
  const key = await openKey(engine, set.need('signKey'), passphrase);
  try {
    const signed = clientOf({ engine, key, certificate: certificateIn(set, 'signCertificate') });
    // Without a command to tell it, the software is taken to read the files by itself.
    const isInUse = (): boolean => reload === undefined || folder.isReloaded;
    return await trustRound({ signed, now, lock, firmware, isInUse }, folder);
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    return { state: 'failed', code: error.code, reason: error.message };
  } finally {
    engine.destroyKey(key);
  }
}

/**
 * True when the device may rely on a root that is ACTIVE and works under another one. The service may not issue under it
 * yet: then it is asked again a day later.
 */
function isGenerationDue(folder: DeviceFolder, now: Date): boolean {
  const state = readTrustFolder(trustPath(folder));
  const root = state === undefined ? undefined : activeRoot(state);
  if (root === undefined || root === rootOfPair(folder)) return false;
  return !new ReportMemory(trustPath(folder)).isFresh(GENERATION, { root }, now, 'way');
}

/** Notes that the device asked for certificates of the root that is ACTIVE. */
function noteGeneration(folder: DeviceFolder, now: Date): void {
  const state = readTrustFolder(trustPath(folder));
  const root = state === undefined ? undefined : activeRoot(state);
  if (root !== undefined) new ReportMemory(trustPath(folder)).note(GENERATION, { root }, now);
}

/**
 * One round: what a killed round left over, the trust bundle, a renewal when it is due or the root is another, CRLs. Files
 * change and are noted in such an order that a kill anywhere is made up for by the next round; the reload command then
 * runs once more.
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
  let trust = await followTrust(ports, folder, options);
  if (trust.state === 'new') folder.forgetReloaded();
  const isDue = options.force === true || from <= now || folder.isPending || isGenerationDue(folder, now);
  if (isDue) {
    await renew(ports, folder, options.passphrase);
    noteGeneration(folder, now);
  }
  const crls = await refreshCrls(ports.client, folder, now);
  const after = await reloadIfNew(folder, options.reload);
  folder.removeOldSets();
  // What the new pair, or the anchors that were just read, allow to be said.
  if (isDue && trust.state !== 'none' && trust.state !== 'failed') trust = await followTrust(ports, folder, options);
  return { renewed: isDue, reloaded: before || after, crls, trust };
}

/** Before anybody said which it is. */
const UNKNOWN_FIRMWARE = 'unknown';
/** Under which the agent notes that it asked for certificates of a root. */
const GENERATION = 'generation';
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
