/**
 * What a person signs about a request (enrolment-and-root-upgrade D.2): approve it, reject it, or take an own approval
 * back. The body names the digest of the whole request, so a signature fits no other request, instance or environment.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { isId } from '../id.ts';
import { ROLE_NAMES, type RoleName } from '../roles.ts';
import {
  type MemberCheck,
  oneOf,
  requireMembers,
  SIGNED_PREFIXES,
  signedBytes,
  signedTimeText,
  sm3Text,
  textLike,
} from '../signed-body.ts';
import { PERSONALLY_SIGNED, verifyPersonalSignature, type PersonallySigned } from '../personal-signature.ts';

export const DECISION_SCHEMA = 'kmc.approval/1';

export const DECISIONS = ['APPROVE', 'REJECT', 'WITHDRAW'] as const;
export type DecisionName = (typeof DECISIONS)[number];

/** The body as it is signed. */
export interface DecisionBody {
  readonly schema: typeof DECISION_SCHEMA;
  readonly requestDigest: string;
  readonly requestId: string;
  readonly decision: DecisionName;
  /** Person id. */
  readonly approver: string;
  /** The role in which the person decides; it must be held and must be one that approves the act. */
  readonly role: RoleName;
  /** `sm3:<hex>` of the certificate DER whose key signs. */
  readonly certSm3: string;
  readonly decidedAt: string;
  /** 128 random bits or more in hex, by the person's own tool. */
  readonly nonce: string;
}

/** A decision with its proof, as it stands in approval files and in the database. */
export type SignedDecision = PersonallySigned<DecisionBody>;

const id: MemberCheck = (value) => (typeof value === 'string' && isId(value) ? undefined : 'must be an identifier');

const CHECKS: Readonly<Record<keyof DecisionBody, MemberCheck>> = {
  schema: oneOf([DECISION_SCHEMA]),
  requestDigest: sm3Text,
  requestId: id,
  decision: oneOf(DECISIONS),
  approver: id,
  role: oneOf(ROLE_NAMES),
  certSm3: sm3Text,
  decidedAt: signedTimeText,
  nonce: textLike(/^[0-9a-f]{32,64}$/, '32 to 64 lower-case hex digits'),
};

/**
 * Checks the body of a decision.
 * @throws KmcError E_SCHEMA with pointers.
 */
export function readDecisionBody(value: unknown): DecisionBody {
  requireMembers<DecisionBody>(value, CHECKS, 'decision');
  return value;
}

/**
 * Checks the form of a decision with its signature and certificate; the signature itself is for `verifyDecision`.
 * @throws KmcError E_SCHEMA with pointers.
 */
export function readSignedDecision(value: unknown): SignedDecision {
  requireMembers<SignedDecision>(value, PERSONALLY_SIGNED, 'signed decision');
  readDecisionBody(value.body);
  return value;
}

/** The bytes that the approver signs: "KMC-APPROVAL-V1" 0x00 || JCS(body). */
export function decisionBytes(body: DecisionBody): Buffer {
  return signedBytes('approval', body);
}

const PREFIX = Buffer.from(`${SIGNED_PREFIXES.approval}\0`, 'ascii');
/** A body is a few hundred octets of text. */
const MAX_BYTES = 4096;

/**
 * The body in what `decisionBytes` gave, as it comes back from a tool of somebody else.
 * @throws KmcError E_APPROVAL for octets that begin otherwise or are not in canonical form; E_JSON, E_SIZE, E_SCHEMA.
 */
export function readDecisionBytes(bytes: Buffer): DecisionBody {
  if (!bytes.subarray(0, PREFIX.length).equals(PREFIX)) {
    throw new KmcError('E_APPROVAL', 'These are not the octets of a decision: take the file that --bytes-out wrote.');
  }
  const text = bytes.subarray(PREFIX.length);
  const body = readDecisionBody(parseStrictJson(text, { maxBytes: MAX_BYTES }));
  if (Buffer.from(canonicalizeSigned(body), 'utf8').equals(text)) return body;
  throw new KmcError('E_APPROVAL', 'The octets of the decision are not in canonical form: nobody signs them.');
}

/** Checks certificate and signature. @throws KmcError as `verifyPersonalSignature`. */
export function verifyDecision(decision: SignedDecision): Certificate {
  return verifyPersonalSignature('approval', decision, 'decision');
}
