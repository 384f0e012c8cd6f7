/**
 * A snapshot of the evidence of a fleet (enrolment-and-root-upgrade A.5): figures, and the SM3 Merkle root (RFC 6962) over
 * one leaf for each member: what the service says of it, with the signed report that put it there. Approvers and the
 * auditor sign the digest of the body; with the leaves at hand it verifies offline.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { ID } from '../id.ts';
import {
  isBase64,
  isObject,
  oneOf,
  plainText,
  readSignedTime,
  requireMembers,
  signedDigest,
  signedTime,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
  type SignedObject,
} from '../signed-body.ts';
import { DEVICE_KINDS } from '../device.ts';
import { FLEET_LEVELS, type FleetLevel } from './levels.ts';
import type { FleetMember } from './readiness.ts';

export const EVIDENCE_SCHEMA = 'kmc.fleet-evidence/1';
const MAX_BODY_BYTES = 4_194_304;
const MAX_LEAF_BYTES = 131_072;

/** What is signed. */
export interface EvidenceBody {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly id: string;
  readonly upgrade: string;
  /** `sm3:<hex>` of the key of the root that the figures are about. */
  readonly root: string;
  readonly takenAt: string;
  /** Decimal: how many leaves there are. */
  readonly members: string;
  /** `sm3:<hex>`: root of the tree over the leaves, in the order of device ids. */
  readonly merkleRoot: string;
  readonly readiness: SignedObject;
}

/** A signed request as it stands in a leaf: everything base64. */
export interface LeafReport {
  readonly body: string;
  readonly base: string;
  readonly signature: string;
  /** `sm3:<hex>` of the certificate. */
  readonly certificate: string;
}

/** One leaf. */
export interface EvidenceLeaf {
  readonly member: SignedObject;
  readonly report?: LeafReport;
}

const DECIMAL = textLike(/^(?:0|[1-9][0-9]{0,8})$/, 'a decimal number');
const anObject: MemberCheck = (value) => (isObject(value) ? undefined : 'must be an object');
const base64Text: MemberCheck = (value) =>
  typeof value === 'string' && isBase64(value) ? undefined : 'must be base64';
const identifier = textLike(ID, 'an identifier');

const BODY: Readonly<Record<keyof EvidenceBody, MemberCheck>> = {
  schema: oneOf([EVIDENCE_SCHEMA]),
  id: identifier,
  upgrade: identifier,
  root: sm3Text,
  takenAt: signedTimeText,
  members: DECIMAL,
  merkleRoot: sm3Text,
  readiness: anObject,
};
const REPORT: Readonly<Record<keyof LeafReport, MemberCheck>> = {
  body: base64Text,
  base: base64Text,
  signature: base64Text,
  certificate: sm3Text,
};

/** Members that a member always has, and those that may be missing. */
const MEMBER: Readonly<Record<string, MemberCheck>> = {
  id: identifier,
  serial: plainText(64),
  kind: oneOf(DEVICE_KINDS),
  region: textLike(/^[1-9][0-9]{5}$/, 'the code of a region'),
  tier: oneOf(['hub', 'standard']),
  vendor: plainText(64),
  model: plainText(64),
  ring: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  level: oneOf(FLEET_LEVELS),
};
const OPTIONAL: Readonly<Record<string, MemberCheck>> = {
  firmware: plainText(64),
  wave: DECIMAL,
  fault: plainText(64),
  oldUsedAt: signedTimeText,
  offeredAt: signedTimeText,
  seenAt: signedTimeText,
  waivedUntil: signedTimeText,
};

/** Reads a body. @throws KmcError E_JSON, E_SIZE, E_SCHEMA. */
export function readEvidenceBody(text: string | Buffer): EvidenceBody {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_BODY_BYTES });
  requireMembers<EvidenceBody>(value, BODY, 'snapshot of the evidence');
  return value;
}

/** The text of a body, and its digest: what people sign. */
export function evidenceText(body: EvidenceBody): string {
  return canonicalizeSigned(body);
}

/** `sm3:<hex>` over `"KMC-EVIDENCE-V1" 0x00 || JCS(body)`. */
export function evidenceDigest(body: EvidenceBody): string {
  return signedDigest('fleetEvidence', body);
}

/** A member as it stands in its leaf. Times are in whole seconds. */
export function memberLeaf(member: FleetMember): SignedObject {
  const { id, serial, kind, region, tier, vendor, model, ring, level, firmware, wave, fault } = member;
  const { oldUsedAt, offeredAt, seenAt, waivedUntil } = member;
  const times = Object.entries({ oldUsedAt, offeredAt, seenAt, waivedUntil }).flatMap(([name, at]) =>
    at === undefined ? [] : [[name, signedTime(at)] as const],
  );
  return {
    id,
    serial,
    kind,
    region,
    tier,
    vendor,
    model,
    ring,
    level,
    ...(firmware === undefined ? {} : { firmware }),
    ...(wave === undefined ? {} : { wave: String(wave) }),
    ...(fault === undefined ? {} : { fault }),
    ...Object.fromEntries(times),
  };
}

/** The octets of a leaf. */
export function leafBytes(leaf: EvidenceLeaf): Buffer {
  return Buffer.from(canonicalizeSigned(leaf), 'utf8');
}

/** Reads a leaf. @throws KmcError E_JSON, E_SIZE, E_SCHEMA. */
export function readLeaf(text: string | Buffer): EvidenceLeaf {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_LEAF_BYTES });
  const report = isObject(value) && Object.hasOwn(value, 'report') ? { report: anObject } : {};
  const checks = { member: anObject, ...report } as Record<keyof EvidenceLeaf, MemberCheck>;
  requireMembers<EvidenceLeaf>(value, checks, 'leaf of the evidence');
  const { member } = value;
  const there = Object.entries(OPTIONAL).filter(([name]) => Object.hasOwn(member, name));
  requireMembers(member, { ...MEMBER, ...Object.fromEntries(there) }, 'member in a leaf');
  if (value.report !== undefined) requireMembers<LeafReport>(value.report, REPORT, 'report in a leaf');
  return value;
}

/** The member of a leaf, as `readinessOfMembers` takes it. */
export function memberOfLeaf({ member }: EvidenceLeaf): FleetMember {
  const given = member as Readonly<Record<string, string>>;
  const time = (name: string): Date | undefined => readSignedTime(given[name] ?? '');
  return {
    id: given['id'] ?? '',
    serial: given['serial'] ?? '',
    kind: given['kind'] === 'terminal' ? 'terminal' : 'gateway',
    region: given['region'] ?? '',
    tier: given['tier'] === 'hub' ? 'hub' : 'standard',
    vendor: given['vendor'] ?? '',
    model: given['model'] ?? '',
    firmware: given['firmware'],
    ring: member['ring'] === true,
    wave: given['wave'] === undefined ? undefined : Number(given['wave']),
    level: given['level'] as FleetLevel,
    fault: given['fault'],
    oldUsedAt: time('oldUsedAt'),
    offeredAt: time('offeredAt'),
    seenAt: time('seenAt'),
    waivedUntil: time('waivedUntil'),
  };
}
