/**
 * The approval file (CONTRACT 5): a request with the decisions in force and the certificates to verify them offline.
 * Whoever holds the certificate of the administrator CA can check it with nothing else at hand.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { requireValidPath } from '../../x509/path.ts';
import { digestWords } from '../digest-words.ts';
import { subjectPerson } from '../person-name.ts';
import type { Person } from '../person.ts';
import { STANDARD_QUORUMS } from '../quorum.ts';
import { isBase64, type MemberCheck, readSignedTime, requireMembers } from '../signed-body.ts';
import { readSignedDecision, verifyDecision, type SignedDecision } from './decision.ts';
import { evaluateQuorum, requireQuorum, type QuorumEvaluation, type QuorumPolicy } from './evaluation.ts';
import { readApprovalRequest, regionOf, requestDigest, type ApprovalRequest } from './request.ts';

export interface ApprovalFile {
  readonly request: ApprovalRequest;
  readonly approvals: readonly SignedDecision[];
  /** base64 of the CA certificates (DER) above those of the approvers. */
  readonly chain: readonly string[];
}

export interface ApprovalTrust {
  /** DER of the administrator CA certificates that are trusted from elsewhere; the chain of the file is not. */
  readonly anchors: readonly Buffer[];
  /** The policy the request was made under; without it the quorums of the table of D.3 hold. */
  readonly policy?: QuorumPolicy;
}

export interface VerifiedApprovalFile {
  readonly request: ApprovalRequest;
  /** `sm3:<hex>` */
  readonly requestDigest: string;
  readonly words: readonly string[];
  readonly evaluation: QuorumEvaluation;
}

const MAX_FILE_BYTES = 1_048_576;
const MAX_APPROVALS = 64;
const MAX_CHAIN = 8;

function listOf(max: number, check: (item: unknown) => boolean): MemberCheck {
  return (value) =>
    Array.isArray(value) && value.length <= max && value.every(check) ? undefined : `must be a list of at most ${max}`;
}

const CHECKS: Readonly<Record<keyof ApprovalFile, MemberCheck>> = {
  request: () => undefined,
  approvals: listOf(MAX_APPROVALS, () => true),
  chain: listOf(MAX_CHAIN, (item) => typeof item === 'string' && item.length <= 8192 && isBase64(item)),
};

/** The text of an approval file: canonical JSON, so that two exports of one state are the same bytes. */
export function approvalFileText(file: ApprovalFile): string {
  return `${canonicalizeSigned(file)}\n`;
}

/**
 * Reads an approval file; nothing is verified yet.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA.
 */
export function readApprovalFile(text: string): ApprovalFile {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_FILE_BYTES });
  requireMembers<ApprovalFile>(value, CHECKS, 'approval file');
  return {
    request: readApprovalRequest(value.request),
    approvals: value.approvals.map((decision) => readSignedDecision(decision)),
    chain: value.chain,
  };
}

/**
 * Verifies an approval file with the trusted certificates alone: every certificate at the time of its decision, every
 * signature, the digest of the request in each, distinct persons, and the quorum of the class. Roles are what the
 * approvers claimed; who held which role then is for the audit log to prove.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA (the file), E_CERT (a chain), E_SIGNATURE, E_APPROVAL (other request, other
 * person than the certificate names), E_SAME_PERSON, E_TIME, E_STALE (other policy), E_QUORUM.
 */
export function verifyApprovalFile(text: string, trust: ApprovalTrust): VerifiedApprovalFile {
  const file = readApprovalFile(text);
  const { request } = file;
  const chain = file.chain.map((item) => parseCertificate(Buffer.from(item, 'base64')));
  const anchors = trust.anchors.map((der) => parseCertificate(der));
  const people = new Map<string, Person>();
  for (const decision of file.approvals) {
    const decidedAt = timeOf(decision);
    const certificate = verifyDecision(decision);
    requireValidPath({ leaf: certificate, intermediates: chain, anchors, at: decidedAt, purpose: 'signature' });
    const known = people.get(decision.body.approver);
    people.set(decision.body.approver, claimedPerson(decision, certificate, request, known));
  }
  const evaluation = evaluateQuorum(
    request,
    file.approvals.map((decision) => decision.body),
    people,
    trust.policy ?? { digest: request.policyDigest, quorums: STANDARD_QUORUMS, regions: [] },
    new Date(Math.max(0, ...file.approvals.map((decision) => timeOf(decision).getTime()))),
  );
  const [fault] = evaluation.refusals.filter((refusal) => refusal.person !== undefined);
  if (fault !== undefined)
    throw new KmcError(fault.code, `The approval of ${fault.person} does not hold. ${fault.detail}`);
  requireQuorum(evaluation);
  const digest = requestDigest(request);
  return { request, requestDigest: digest, words: digestWords(digest), evaluation };
}

function timeOf(decision: SignedDecision): Date {
  const at = readSignedTime(decision.body.decidedAt);
  if (at === undefined) throw new KmcError('E_SCHEMA', 'The time of a decision is not a time.');
  return at;
}

/** The approver as the certificate names them, in the role that they claim. */
function claimedPerson(
  decision: SignedDecision,
  certificate: Certificate,
  request: ApprovalRequest,
  known: Person | undefined,
): Person {
  const named = subjectPerson(certificate.subject);
  if (named === undefined || named.id !== decision.body.approver) {
    throw new KmcError('E_APPROVAL', 'The certificate of an approval names another person than the approval does.');
  }
  const region = regionOf(request);
  return {
    ...named,
    status: 'active',
    roles: [{ role: decision.body.role, ...(region === undefined ? {} : { region }) }],
    accounts: [
      ...(known?.accounts ?? []),
      {
        certificateSm3: decision.body.certSm3,
        kid: spkiSm3(certificate.spki),
        status: 'valid',
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
      },
    ],
  };
}
