/**
 * The trust-bundle manifest (enrolment-and-root-upgrade A.4): what a device trusts, in versions that only rise, signed by
 * sets of bundle-signers. A file is `{"body": {...}, "signatures": [{"kid", "sig"}]}`; what is signed and hashed is
 * `"KMC-BUNDLE-V1" 0x00 || JCS(body)`.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import {
  isBase64,
  isObject,
  type MemberCheck,
  oneOf,
  plainText,
  requireMembers,
  signedBytes,
  signedDigest,
  signedTimeText,
  sm3Text,
  textLike,
} from '../signed-body.ts';
import { trustRefusal } from './trust-rules.ts';

/** The bundle of this network, unless told: the one that devices poll. */
export const TRUST_BUNDLE = 'extranet';
export const MANIFEST_SCHEMA = 'kmc.trust-bundle/1';
export const ANCHOR_STATES = ['ACTIVE', 'TRUSTED', 'RETIRING', 'DISTRUSTED'] as const;
/** What an anchor may vouch for; `api` alone is the transport CA's: it never vouches for a peer. */
export const ANCHOR_PURPOSES = ['ike', 'tlcp', 'api'] as const;
export const LINK_TYPES = ['newWithOld', 'oldWithNew'] as const;
export const SIGNER_ALGORITHMS = ['SM2-SM3', 'RSA-PSS-SHA256'] as const;

export interface ManifestAnchor {
  /** Name of the generation, e.g. `G2`, or `transport`. */
  readonly gen: string;
  /** As people name it, e.g. `SM2`, `RSA-3072`. */
  readonly alg: string;
  readonly spkiSm3: string;
  /** Lower-case hex of SHA-256 over the certificate, for devices that have no SM3 yet. */
  readonly certSha256: string;
  /** base64 of the DER. */
  readonly cert: string;
  readonly state: (typeof ANCHOR_STATES)[number];
  readonly trustFrom: string;
  readonly purposes: readonly (typeof ANCHOR_PURPOSES)[number][];
  /** Only while a date is set. */
  readonly distrustAfter?: string;
}

export interface ManifestLink {
  readonly type: (typeof LINK_TYPES)[number];
  readonly from: string;
  readonly to: string;
  /** base64 of the DER. */
  readonly cert: string;
}

export interface SignerKey {
  /** `sm3:<hex>` of the SPKI. */
  readonly kid: string;
  readonly alg: (typeof SIGNER_ALGORITHMS)[number];
  /** Id of the person: a threshold counts holders, never keys. */
  readonly holder: string;
  /** base64 of the SPKI, DER. */
  readonly spki: string;
  /** base64 of the bundle-signer certificate, DER: in version 1 only. */
  readonly cert?: string;
}

export interface SignerSet {
  readonly set: string;
  /** Decimal numbers of distinct holders. */
  readonly threshold: string;
  readonly emergencyThreshold: string;
  readonly keys: readonly SignerKey[];
}

export interface ManifestBody {
  readonly schema: string;
  readonly bundle: string;
  /** Decimal, from 1. */
  readonly version: string;
  /** Digest of the version before; absent in version 1. */
  readonly prevDigest?: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly pollSeconds: string;
  readonly emergency: boolean;
  readonly anchors: readonly ManifestAnchor[];
  readonly links: readonly ManifestLink[];
  /** base64 of CA certificates, DER. */
  readonly intermediates: readonly string[];
  /** `sm3:<hex>` of keys that are never trusted again. */
  readonly distrustedSpki: readonly string[];
  /** The standby root of the next generation (RFC 8649); absent until one was committed. */
  readonly nextCommit?: { readonly alg: string; readonly spkiSm3: string };
  /** Oldest set first. */
  readonly signers: readonly SignerSet[];
}

export interface ManifestSignature {
  readonly kid: string;
  /** base64: raw r||s (64 octets) for SM2, the octets of RSASSA-PSS for RSA. */
  readonly sig: string;
}

export interface Manifest {
  readonly body: ManifestBody;
  readonly signatures: readonly ManifestSignature[];
}

const MAX_MANIFEST_BYTES = 1_048_576;
const MAX_CERTIFICATE_TEXT = 16_384;
/** At most so many of each. */
const LIMITS = { anchors: 16, links: 32, intermediates: 64, distrustedSpki: 4096, sets: 4, keys: 32, signatures: 128 };

const DECIMAL = textLike(/^[1-9][0-9]{0,8}$/, 'a decimal number from 1');
const derText: MemberCheck = (value) =>
  typeof value === 'string' && value.length <= MAX_CERTIFICATE_TEXT && isBase64(value)
    ? undefined
    : 'must be base64 of DER';
const identifier = textLike(ID, 'an identifier');
const anything: MemberCheck = () => undefined;
const trueOrFalse: MemberCheck = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');

function listOf(max: number, check: MemberCheck = anything): MemberCheck {
  return (value) => {
    if (!Array.isArray(value) || value.length > max) return `must be a list of at most ${max}`;
    return value.map(check).find((fault) => fault !== undefined);
  };
}

/** The checks of the members that are there, of those that may be left out. */
function present(
  value: unknown,
  optional: Readonly<Record<string, MemberCheck>>,
): Readonly<Record<string, MemberCheck>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(optional).filter(([name]) => Object.hasOwn(value, name)));
}

const GENERATION = textLike(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/, 'the name of a generation');

const ANCHOR: Readonly<Record<Exclude<keyof ManifestAnchor, 'distrustAfter'>, MemberCheck>> = {
  gen: GENERATION,
  alg: plainText(32),
  spkiSm3: sm3Text,
  certSha256: textLike(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
  cert: derText,
  state: oneOf(ANCHOR_STATES),
  trustFrom: signedTimeText,
  purposes: listOf(ANCHOR_PURPOSES.length, oneOf(ANCHOR_PURPOSES)),
};
const LINK: Readonly<Record<keyof ManifestLink, MemberCheck>> = {
  type: oneOf(LINK_TYPES),
  from: GENERATION,
  to: GENERATION,
  cert: derText,
};
const KEY: Readonly<Record<Exclude<keyof SignerKey, 'cert'>, MemberCheck>> = {
  kid: sm3Text,
  alg: oneOf(SIGNER_ALGORITHMS),
  holder: identifier,
  spki: derText,
};
const SET: Readonly<Record<keyof SignerSet, MemberCheck>> = {
  set: identifier,
  threshold: DECIMAL,
  emergencyThreshold: DECIMAL,
  keys: listOf(LIMITS.keys),
};
const COMMIT: Readonly<Record<keyof NonNullable<ManifestBody['nextCommit']>, MemberCheck>> = {
  alg: plainText(32),
  spkiSm3: sm3Text,
};
const BODY: Readonly<Record<Exclude<keyof ManifestBody, 'prevDigest' | 'nextCommit'>, MemberCheck>> = {
  schema: plainText(64),
  bundle: identifier,
  version: DECIMAL,
  issuedAt: signedTimeText,
  expiresAt: signedTimeText,
  pollSeconds: DECIMAL,
  emergency: trueOrFalse,
  anchors: listOf(LIMITS.anchors),
  links: listOf(LIMITS.links),
  intermediates: listOf(LIMITS.intermediates, derText),
  distrustedSpki: listOf(LIMITS.distrustedSpki, sm3Text),
  signers: listOf(LIMITS.sets),
};
const SIGNATURE: Readonly<Record<keyof ManifestSignature, MemberCheck>> = {
  kid: sm3Text,
  sig: (value) =>
    typeof value === 'string' && value.length <= 1024 && isBase64(value) ? undefined : 'must be base64 of a signature',
};
const FILE: Readonly<Record<keyof Manifest, MemberCheck>> = {
  body: anything,
  signatures: listOf(LIMITS.signatures),
};

/**
 * Checks the form of a body; whether it agrees with itself is for `requireConsistent`.
 * @throws KmcError E_TRUST (unknown-schema) for another major version, E_SCHEMA.
 */
export function readManifestBody(value: unknown): ManifestBody {
  if (isObject(value) && typeof value['schema'] === 'string' && value['schema'] !== MANIFEST_SCHEMA) {
    throw trustRefusal('unknown-schema', 'The manifest has a schema that is not known here: update this program.');
  }
  const optional = present(value, { prevDigest: sm3Text, nextCommit: anything });
  requireMembers<ManifestBody>(value, { ...BODY, ...optional } as Record<keyof ManifestBody, MemberCheck>, 'manifest');
  for (const anchor of value.anchors) {
    const dated = present(anchor, { distrustAfter: signedTimeText });
    requireMembers<ManifestAnchor>(
      anchor,
      { ...ANCHOR, ...dated } as Record<keyof ManifestAnchor, MemberCheck>,
      'anchor',
    );
  }
  for (const link of value.links) requireMembers<ManifestLink>(link, LINK, 'link');
  if (value.nextCommit !== undefined) requireMembers(value.nextCommit, COMMIT, 'commitment to the next root');
  for (const set of value.signers) {
    requireMembers<SignerSet>(set, SET, 'set of signers');
    for (const key of set.keys) {
      const certified = present(key, { cert: derText });
      requireMembers<SignerKey>(
        key,
        { ...KEY, ...certified } as Record<keyof SignerKey, MemberCheck>,
        'key of a signer',
      );
    }
  }
  return value;
}

/**
 * Reads a manifest file (JSON, at most 1 MiB); nothing is verified yet.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA, E_TRUST (unknown-schema).
 */
export function readManifest(text: string | Buffer): Manifest {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_MANIFEST_BYTES });
  requireMembers<Manifest>(value, FILE, 'manifest file');
  for (const signature of value.signatures) requireMembers<ManifestSignature>(signature, SIGNATURE, 'signature');
  return { body: readManifestBody(value.body), signatures: value.signatures };
}

/** The text of a manifest file: canonical JSON, so that every copy of a version is the same bytes. */
export function manifestText({ body, signatures }: Manifest): string {
  const sorted = [...signatures].toSorted((a, b) => (a.kid < b.kid ? -1 : 1));
  return `${canonicalizeSigned({ body, signatures: sorted })}\n`;
}

/** The bytes that a bundle-signer signs. */
export function manifestBytes(body: ManifestBody): Buffer {
  return signedBytes('bundle', body);
}

/** `sm3:<hex>` over the signed bytes: what the next version names as `prevDigest`. */
export function manifestDigest(body: ManifestBody): string {
  return signedDigest('bundle', body);
}

/** The version as a number. */
export function versionOf(body: ManifestBody): number {
  return Number(body.version);
}

/** The octets of a member that holds base64 of DER. */
export function derOf(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

/** @throws KmcError E_SCHEMA for a version that is no decimal number from 1. */
export function readVersion(text: string): number {
  const fault = DECIMAL(text);
  if (fault !== undefined) throw new KmcError('E_SCHEMA', `The version ${fault}.`);
  return Number(text);
}
