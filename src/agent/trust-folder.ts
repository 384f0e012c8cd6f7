/**
 * The trust folder of a device: `trust-state.json` is what it accepted, `anchors.pem` the certificates that its VPN or
 * TLCP stack may use. The state is the truth: the PEM file follows it and is written anew each time.
 */
import { join } from 'node:path';
import { encodePem } from '../crypto/asn1/pem.ts';
import { operationalCertificates } from '../domain/trust/device-anchors.ts';
import { readManifest, versionOf, type Manifest } from '../domain/trust/manifest.ts';
import { readTrustState, trustStateText, type TrustState } from '../domain/trust/trust-state.ts';
import { KmcError } from '../errors.ts';
import { readIfPresent, writeAtomically } from './atomic-file.ts';
import type { KmcClient } from './signed-client.ts';

const STATE_FILE = 'trust-state.json';
export const ANCHORS_FILE = 'anchors.pem';
/** Versions that one walk fetches at most: at one in sixty days, a device of a century ago. */
const LONGEST_WALK = 600;

/** What the device accepted last, undefined for one that never did. @throws KmcError E_JSON, E_SCHEMA, E_STORAGE. */
export function readTrustFolder(folder: string): TrustState | undefined {
  const text = readIfPresent(join(folder, STATE_FILE));
  return text === undefined ? undefined : readTrustState(text);
}

/** Writes the state and then the certificates of its anchors, each in one step. @throws KmcError E_STORAGE. */
export function writeTrustFolder(folder: string, state: TrustState): void {
  writeAtomically(join(folder, STATE_FILE), trustStateText(state));
  const anchors = operationalCertificates(state).map(({ der }) => encodePem('CERTIFICATE', der));
  writeAtomically(join(folder, ANCHORS_FILE), anchors.join(''));
}

/** The certificates of the anchors that the device relies on, DER; undefined for one that was given no manifest. */
export function acceptedAnchors(folder: string): Buffer[] | undefined {
  const state = readTrustFolder(folder);
  return state === undefined ? undefined : operationalCertificates(state).map(({ der }) => der);
}

/** Those of a version above `current`. */
export function newerManifests(manifests: readonly Manifest[], current: number): Manifest[] {
  return manifests.filter(({ body }) => versionOf(body) > current);
}

/** Where everybody finds the versions, and where a device finds those of its wave in a root upgrade as well. */
const PATHS = { everybody: '/api/v1/trust-bundles', device: '/api/v1/devices/self/trust-bundles' } as const;

async function fetchVersion(client: KmcClient, path: string, bundle: string, version: string): Promise<Manifest> {
  const answer = await client.send('GET', `${path}/${encodeURIComponent(bundle)}/${version}`);
  if (answer.status === 200) return readManifest(answer.body);
  throw new KmcError('E_NOT_FOUND', `The service has no version ${version} of the bundle ${bundle}.`, { remote: true });
}

/**
 * The manifests that follow version `current`, in their order, up to the newest one.
 * @param isDevice the client signs as a device.
 * @throws KmcError E_NOT_FOUND (nothing published), E_SIZE (more than 600 at once), E_JSON, E_SCHEMA, E_TRUST.
 */
export async function fetchManifests(
  client: KmcClient,
  bundle: string,
  current: number,
  isDevice = false,
): Promise<Manifest[]> {
  const path = isDevice ? PATHS.device : PATHS.everybody;
  const latest = await fetchVersion(client, path, bundle, 'latest');
  const newest = versionOf(latest.body);
  if (newest - current > LONGEST_WALK) {
    throw new KmcError('E_SIZE', `The service is ${newest - current} versions ahead: bootstrap this device again.`);
  }
  const walked: Manifest[] = [];
  for (let version = current + 1; version < newest; version += 1) {
    walked.push(await fetchVersion(client, path, bundle, String(version)));
  }
  return newest > current ? [...walked, latest] : [latest];
}
