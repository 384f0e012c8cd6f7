/**
 * The trust of a device while it runs (enrolment-and-root-upgrade A.3 to A.5): fetches the manifests that follow, applies
 * them by the rules of the library, and reports what it has, what stands in its store, and what its validator accepts.
 */
import { join } from 'node:path';
import { decodePemAll } from '../crypto/asn1/pem.ts';
import { spkiSm3 } from '../crypto/spki.ts';
import { REPORT_PATH, REPORT_SCHEMA, type DeviceReport } from '../domain/fleet/device-report.ts';
import { signedTime } from '../domain/signed-body.ts';
import { applyManifests } from '../domain/trust/apply-manifest.ts';
import { ageAnchors, isOperational } from '../domain/trust/device-anchors.ts';
import { manifestDigest, versionOf, type Manifest, type ManifestBody } from '../domain/trust/manifest.ts';
import { isTransportOnly } from '../domain/trust/manifest-consistency.ts';
import type { TrustState } from '../domain/trust/trust-state.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { readIfPresent } from './atomic-file.ts';
import { proveCanary, readCanary, validatorOver, type OperationalValidator } from './canary-proof.ts';
import type { DeviceFolder } from './device-folder.ts';
import { certificateIn } from './device-keys.ts';
import { lastingPart, ReportMemory } from './report-memory.ts';
import { setInForce } from './set-in-force.ts';
import type { KmcClient } from './signed-client.ts';
import { ANCHORS_FILE, fetchManifests, newerManifests, readTrustFolder, writeTrustFolder } from './trust-folder.ts';

/** One holder of a folder at a time. */
export type FolderLock = (folder: string) => Promise<{ release(): void }>;

export interface TrustPorts {
  /** Signs with the key in force. */
  readonly signed: KmcClient;
  readonly now: () => Date;
  readonly lock: FolderLock;
  /** The software of the device works with the files in force. */
  readonly isInUse: () => boolean;
  /** What the device says of its firmware. */
  readonly firmware: string;
  /** The validator of the device's data plane; the one over the anchors in its store unless told. */
  readonly validator?: (anchors: readonly Buffer[]) => OperationalValidator;
}

export interface TrustOutcome {
  /** `none` before the device was given a manifest. */
  readonly version: string;
  /** `refused` names the rule; the device stays with what it trusts. */
  readonly state: 'none' | 'unchanged' | 'new' | 'refused';
  readonly rule?: string;
  readonly reports: readonly string[];
}

/** Where the trust of a device lies, below its folder. */
export function trustPath(folder: DeviceFolder): string {
  return join(folder.path, 'trust');
}

/** What one round works with. */
interface Round {
  readonly ports: TrustPorts;
  readonly folder: DeviceFolder;
  readonly memory: ReportMemory;
  readonly made: string[];
}

function base(round: Round, { body }: Manifest): Omit<DeviceReport, 'level'> {
  const { bundle, version: bundleVersion } = body;
  const bundleDigest = manifestDigest(body);
  return { schema: REPORT_SCHEMA, bundle, bundleVersion, bundleDigest, firmware: round.ports.firmware };
}

async function report(round: Round, name: string, body: DeviceReport): Promise<void> {
  await round.ports.signed.json('POST', REPORT_PATH, body);
  round.memory.note(name, lastingPart(body), round.ports.now());
  round.made.push(body.level);
}

/** Makes the report unless it was made and still stands. */
async function reportOnce(round: Round, name: string, body: DeviceReport, life: 'way' | 'end'): Promise<void> {
  if (!round.memory.isFresh(name, lastingPart(body), round.ports.now(), life)) await report(round, name, body);
}

/** Takes the manifests that are newer. @returns the state, and the rule that kept it from going on. */
async function follow(
  round: Round,
  before: TrustState,
  manifests: readonly Manifest[],
): Promise<{ readonly state: TrustState; readonly rule?: string }> {
  const now = round.ports.now();
  const current = versionOf(before.manifest.body);
  const newer = newerManifests(manifests, current);
  const newest = newer.at(-1);
  if (newest === undefined) return { state: { ...before, anchors: ageAnchors(before, now) } };
  try {
    const after = applyManifests(before, newer, now);
    await reportOnce(round, 'fetched', { ...base(round, newest), level: 'FETCHED' }, 'way');
    return { state: { ...after, anchors: ageAnchors(after, now) } };
  } catch (error) {
    if (!(error instanceof KmcError) || error.code !== 'E_TRUST' || error.rule === undefined) throw error;
    const fault = { ...base(round, newest), level: 'FETCHED', fault: error.rule } as const;
    await reportOnce(round, 'fetched', fault, 'way');
    return { state: { ...before, anchors: ageAnchors(before, now) }, rule: error.rule };
  }
}

/** The anchors that really stand in the store of the device, as its software reads them. */
function anchorsInStore(folder: DeviceFolder): Buffer[] {
  const pem = readIfPresent(join(trustPath(folder), ANCHORS_FILE));
  return pem === undefined ? [] : decodePemAll(pem.toString('latin1'), 'CERTIFICATE');
}

/** Roots of the manifest that the device may rely on, with keys in its store. */
function rootsInStore({ anchors }: ManifestBody, installed: readonly string[]): string[] {
  return anchors
    .filter((anchor) => !isTransportOnly(anchor) && anchor.state !== 'DISTRUSTED' && installed.includes(anchor.spkiSm3))
    .map((anchor) => anchor.spkiSm3);
}

/** Nothing can be asked of the service about that root yet. */
function isTooEarly(error: unknown): boolean {
  return error instanceof KmcError && (error.code === 'E_STATE' || error.code === 'E_NOT_FOUND');
}

async function proveRoot(round: Round, body: Omit<DeviceReport, 'level'>, rootSm3: string): Promise<void> {
  const { signed, now, validator = validatorOver } = round.ports;
  const named = `verified ${rootSm3}`;
  const lasting = { ...body, level: 'VERIFIED' } as const;
  if (round.memory.isFresh(named, lasting, now(), 'end')) return;
  try {
    const challenge = readCanary(await signed.json('GET', `/api/v1/devices/self/canary?root=${rootSm3}`));
    const canary = proveCanary(challenge, validator(anchorsInStore(round.folder)), now());
    await report(round, named, { ...lasting, canary });
  } catch (error) {
    if (!isTooEarly(error)) throw error;
  }
}

/** The root that the pair in force stands under, of those that the device relies on. */
export function rootOfPair(folder: DeviceFolder): string | undefined {
  const chain = decodePemAll(setInForce(folder).need('chain').toString('latin1'), 'CERTIFICATE');
  const root = chain.at(-1);
  return root === undefined ? undefined : spkiSm3(parseCertificate(root).spki);
}

async function proveMigration(
  round: Round,
  body: Omit<DeviceReport, 'level'>,
  roots: readonly string[],
): Promise<void> {
  const { folder, ports } = round;
  const root = rootOfPair(folder);
  if (root === undefined || !roots.includes(root) || !ports.isInUse()) return;
  const set = setInForce(folder);
  const certificates = {
    sign: sm3Fingerprint(certificateIn(set, 'signCertificate')),
    enc: sm3Fingerprint(certificateIn(set, 'encCertificate')),
    usedAt: signedTime(ports.now()),
  };
  try {
    await reportOnce(round, 'migrated', { ...body, level: 'MIGRATED', certificates }, 'end');
  } catch (error) {
    if (!isTooEarly(error)) throw error;
  }
}

/**
 * One round: fetch, apply, write, report. The folder is locked from reading to writing, so that `kmc trust apply` and the
 * agent never write over each other. A refused manifest changes nothing and is reported with its rule.
 * @throws KmcError E_CONFLICT while another process holds the folder; what the service refuses; E_STORAGE.
 */
export async function trustRound(ports: TrustPorts, folder: DeviceFolder): Promise<TrustOutcome> {
  const path = trustPath(folder);
  const known = readTrustFolder(path);
  if (known === undefined) return { version: '0', state: 'none', reports: [] };
  const round: Round = { ports, folder, memory: new ReportMemory(path), made: [] };
  const { bundle } = known.manifest.body;
  const manifests = await fetchManifests(ports.signed, bundle, versionOf(known.manifest.body), true);
  const lock = await ports.lock(path);
  let followed: Awaited<ReturnType<typeof follow>>;
  try {
    const before = readTrustFolder(path) ?? known;
    followed = await follow(round, before, manifests);
    writeTrustFolder(path, followed.state);
  } finally {
    lock.release();
  }
  const { state, rule } = followed;
  const installed = anchorsInStore(folder).map((der) => spkiSm3(parseCertificate(der).spki));
  const body = { ...base(round, state.manifest), anchors: installed };
  const roots = rootsInStore(state.manifest.body, installed);
  await reportOnce(round, 'installed', { ...body, level: 'INSTALLED' }, rule === undefined ? 'end' : 'way');
  for (const root of roots) await proveRoot(round, body, root);
  await proveMigration(round, body, roots);
  const { version } = state.manifest.body;
  const isNew = version !== known.manifest.body.version;
  const outcome = { version, reports: round.made };
  if (rule !== undefined) return { ...outcome, state: 'refused', rule };
  return { ...outcome, state: isNew ? 'new' : 'unchanged' };
}

/** The root that devices are to work under now: the ACTIVE one, once this device may rely on it. */
export function activeRoot({ manifest, anchors }: TrustState): string | undefined {
  const usable = new Set(anchors.filter(isOperational).map(({ spkiSm3: key }) => key));
  const active = manifest.body.anchors.find(({ state, spkiSm3: key }) => state === 'ACTIVE' && usable.has(key));
  return active?.spkiSm3;
}
