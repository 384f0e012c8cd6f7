/** What a device knows: the version it accepted last and each anchor's state in it (A.4). Kept as one JSON file. */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { isObject, oneOf, requireMembers, signedTimeText, sm3Text, type MemberCheck } from '../signed-body.ts';
import { manifestText, readManifest, type Manifest } from './manifest.ts';

export const TRUST_STATE_SCHEMA = 'kmc.trust-state/1';
/** `NONE` is an anchor that is not there. `PENDING` waits for its hold-down; `DISTRUSTED` is for ever. */
const DEVICE_ANCHOR_STATES = ['PENDING', 'TRUSTED', 'RETIRING', 'DISTRUSTED'] as const;
export type DeviceAnchorState = (typeof DEVICE_ANCHOR_STATES)[number];

export interface DeviceAnchor {
  readonly spkiSm3: string;
  readonly state: DeviceAnchorState;
  /** When this device first saw it without a break; the hold-down counts from there. */
  readonly since: string;
}

export interface TrustState {
  readonly schema: typeof TRUST_STATE_SCHEMA;
  /** The version that was accepted last, whole. */
  readonly manifest: Manifest;
  readonly anchors: readonly DeviceAnchor[];
  /** Signer sets that were given up and are never listed again. */
  readonly retiredSets: readonly string[];
}

const MAX_STATE_BYTES = 2_097_152;
const list: MemberCheck = (value) => (Array.isArray(value) && value.length <= 8192 ? undefined : 'must be a list');
const STATE: Readonly<Record<keyof TrustState, MemberCheck>> = {
  schema: oneOf([TRUST_STATE_SCHEMA]),
  manifest: (value) => (isObject(value) ? undefined : 'must be a manifest'),
  anchors: list,
  retiredSets: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string') ? undefined : 'must be a list of names',
};
const ANCHOR: Readonly<Record<keyof DeviceAnchor, MemberCheck>> = {
  spkiSm3: sm3Text,
  state: oneOf(DEVICE_ANCHOR_STATES),
  since: signedTimeText,
};

/** The text of the file. */
export function trustStateText(state: TrustState): string {
  return `${canonicalizeSigned(state)}\n`;
}

/** @throws KmcError E_JSON, E_SIZE, E_SCHEMA, E_TRUST (unknown-schema). */
export function readTrustState(text: string | Buffer): TrustState {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_STATE_BYTES });
  requireMembers<TrustState>(value, STATE, 'trust state of a device');
  for (const anchor of value.anchors) requireMembers<DeviceAnchor>(anchor, ANCHOR, 'anchor of a device');
  return { ...value, manifest: readManifest(manifestText(value.manifest)) };
}
