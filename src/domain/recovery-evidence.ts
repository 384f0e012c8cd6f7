/**
 * The evidence of a judicial recovery (司法恢复): one file that says which key went to which certificate, on what order, by
 * whose approvals, with its place in the audit log. It verifies offline with the certificates that are trusted anyway.
 */
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import { parseEnvelopedKey } from '../crypto/gm/enveloped-key.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { sm2PointFromSpki, spkiSm3 } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { requireValidPath } from '../x509/path.ts';
import { approvalFileText, readApprovalFile, verifyApprovalFile, type ApprovalFile } from './approval/file.ts';
import { parseNote, verifyNote } from './audit/checkpoint.ts';
import { auditText } from './audit/detail.ts';
import { parseAuditRecord } from './audit/record.ts';
import { leafHash, verifyInclusion } from './audit/tree.ts';
import { readJudicialParameters } from './recovery.ts';
import {
  isBase64,
  isObject,
  type MemberCheck,
  plainText,
  readSignedTime,
  requireMembers,
  signedTimeText,
  textLike,
} from './signed-body.ts';

const SCHEMA = 'kmc.recovery-evidence/1';

export interface RecoveryEvidence {
  readonly schema: typeof SCHEMA;
  readonly recovery: string;
  readonly case: string;
  readonly recoveredAt: string;
  /** State of the key when it was recovered. */
  readonly keyState: string;
  /** base64: the encryption certificate of the recovered key, and the CA certificates above it, roots last. */
  readonly certificate: string;
  readonly chain: readonly string[];
  /** base64: the certificate that the key was enveloped to. */
  readonly evidenceCertificate: string;
  /** base64 of SM2EnvelopedKey (GM/T 0009). */
  readonly envelopedKey: string;
  readonly approvals: ApprovalFile;
  readonly audit: AuditPlace;
}

/** The event of the recovery with its proof. */
export interface AuditPlace {
  /** base64 of the canonical record. */
  readonly event: string;
  /** Decimal. */
  readonly index: string;
  /** base64 of 32 octets each. */
  readonly proof: readonly string[];
  /** The signed note. */
  readonly checkpoint: string;
  /** base64: the certificate of the log's key. */
  readonly logCertificate: string;
}

export interface EvidenceTrust {
  /** DER of the administrator CA certificates, for the approvals. */
  readonly administratorAnchors: readonly Buffer[];
  /** DER of the roots of the recovered key's certificate; without them its chain is not looked at. */
  readonly roots?: readonly Buffer[];
  /** `sm3:<hex>`: the key of the audit log as it is known from elsewhere; without it the log certificate is taken as given. */
  readonly logKey?: string;
}

export interface VerifiedEvidence {
  readonly evidence: RecoveryEvidence;
  readonly requestDigest: string;
  readonly approvers: readonly string[];
  readonly logKey: string;
  readonly checked: readonly string[];
}

const MAX_BYTES = 2_097_152;
const base64: MemberCheck = (value) =>
  typeof value === 'string' && value.length <= 65_536 && isBase64(value) ? undefined : 'must be base64';
const base64List: MemberCheck = (value) =>
  Array.isArray(value) && value.length <= 64 && value.every((item) => base64(item) === undefined)
    ? undefined
    : 'must be a list of base64';
const anyObject: MemberCheck = (value) => (isObject(value) ? undefined : 'must be an object');
const idText = textLike(/^[a-z0-9][a-z0-9-]{0,63}$/, 'an identifier');

const CHECKS: Readonly<Record<keyof RecoveryEvidence, MemberCheck>> = {
  schema: textLike(/^kmc\.recovery-evidence\/1$/, SCHEMA),
  recovery: idText,
  case: idText,
  recoveredAt: signedTimeText,
  keyState: plainText(64),
  certificate: base64,
  chain: base64List,
  evidenceCertificate: base64,
  envelopedKey: base64,
  approvals: anyObject,
  audit: anyObject,
};
const AUDIT_CHECKS: Readonly<Record<keyof AuditPlace, MemberCheck>> = {
  event: base64,
  index: textLike(/^(?:0|[1-9][0-9]{0,14})$/, 'a decimal number'),
  proof: base64List,
  checkpoint: (value) => (typeof value === 'string' && value.length <= 16_384 ? undefined : 'must be a note'),
  logCertificate: base64,
};

/** The text of an evidence file: canonical JSON. */
export function evidenceText(evidence: Omit<RecoveryEvidence, 'schema'>): string {
  return `${canonicalizeSigned({ schema: SCHEMA, ...evidence })}\n`;
}

/** Reads an evidence file; nothing is verified yet. @throws KmcError E_JSON, E_SIZE, E_SCHEMA. */
export function readEvidence(text: string): RecoveryEvidence {
  const value: unknown = parseStrictJson(text, { maxBytes: MAX_BYTES });
  requireMembers<RecoveryEvidence>(value, CHECKS, 'recovery evidence');
  requireMembers<AuditPlace>(value.audit, AUDIT_CHECKS, 'audit place');
  return { ...value, approvals: readApprovalFile(approvalFileText(value.approvals)) };
}

/**
 * Verifies an evidence file with nothing else at hand than trusted certificates: the approvals and their quorum, that what
 * they approved is what was done (case, key, recipient, window), that the envelope holds the key of the certificate, and
 * that the event stands in the signed audit log and says the same.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA, E_DER, E_POINT; as `verifyApprovalFile`; E_APPROVAL (another act than was
 * approved), E_TIME (outside the window), E_KEY (another key), E_CERT (chain), E_AUDIT (event or proof), E_SIGNATURE.
 */
export function verifyEvidence(text: string, trust: EvidenceTrust): VerifiedEvidence {
  const evidence = readEvidence(text);
  const verified = verifyApprovalFile(approvalFileText(evidence.approvals), { anchors: trust.administratorAnchors });
  requireApprovedAct(evidence);
  const checked = ['approvals', 'act', 'window', 'envelope', 'audit event', 'inclusion proof', 'checkpoint'];
  requireSameKey(evidence);
  if (trust.roots !== undefined) {
    requireChain(evidence, trust.roots);
    checked.push('certificate chain');
  }
  const logKey = requireAuditPlace(evidence, trust.logKey);
  return {
    evidence,
    requestDigest: verified.requestDigest,
    approvers: verified.evaluation.counted.map(({ person }) => person),
    logKey,
    checked,
  };
}

function der(base64Text: string): Buffer {
  return Buffer.from(base64Text, 'base64');
}

function requireApprovedAct(evidence: RecoveryEvidence): void {
  const { request } = evidence.approvals;
  const params = request.op === 'recovery.judicial' ? readJudicialParameters(request.params) : undefined;
  if (params?.evidenceCertificate !== evidence.evidenceCertificate || request.target !== `case/${evidence.case}`) {
    throw new KmcError('E_APPROVAL', 'What was approved is another case or another recipient than the evidence says.');
  }
  const at = readSignedTime(evidence.recoveredAt);
  const [from, to] = [readSignedTime(request.createdAt), readSignedTime(request.expiresAt)];
  if (at === undefined || from === undefined || to === undefined || at < from || at > to) {
    throw new KmcError('E_TIME', 'The key was recovered outside of the window of the request.');
  }
}

function requireSameKey({ certificate, envelopedKey }: RecoveryEvidence): void {
  const { spki } = parseCertificate(der(certificate));
  if (!parseEnvelopedKey(der(envelopedKey)).point.equals(sm2PointFromSpki(spki))) {
    throw new KmcError('E_KEY', 'The envelope holds the key of another certificate than the evidence names.');
  }
}

function requireChain({ certificate, chain, recoveredAt }: RecoveryEvidence, roots: readonly Buffer[]): void {
  const leaf = parseCertificate(der(certificate));
  const recovered = readSignedTime(recoveredAt) ?? leaf.notBefore;
  // History is recovered too: the path counts for the life of the certificate.
  const at = recovered > leaf.notAfter ? leaf.notAfter : recovered;
  const intermediates = chain.map((item) => parseCertificate(der(item)));
  requireValidPath({ leaf, intermediates, anchors: roots.map(parseCertificate), at, purpose: 'any' });
}

function requireAuditPlace(evidence: RecoveryEvidence, known: string | undefined): string {
  const { audit } = evidence;
  const canon = der(audit.event);
  requireEvent(evidence, canon);
  const note = parseNote(audit.checkpoint);
  const { spki } = parseCertificate(der(audit.logCertificate));
  const logKey = spkiSm3(spki);
  if (known !== undefined && known !== logKey) {
    throw new KmcError('E_AUDIT', 'The audit log of the evidence is signed with another key than the known one.');
  }
  if (verifyNote(note, { name: note.checkpoint.origin, signer: 'log', spki }) === undefined) {
    throw new KmcError('E_SIGNATURE', 'The checkpoint has no signature of the log.');
  }
  const { size, root } = note.checkpoint;
  const proof = audit.proof.map(der);
  if (verifyInclusion(sm3, { index: Number(audit.index), size, leaf: leafHash(sm3, canon), proof, root }))
    return logKey;
  throw new KmcError('E_AUDIT', 'The event of the recovery is not in the tree of the checkpoint.');
}

/** The event must say the same as the evidence. */
function requireEvent(evidence: RecoveryEvidence, canon: Buffer): void {
  const { act, det, out, log, subj } = parseAuditRecord(canon);
  const params = readJudicialParameters(evidence.approvals.request.params);
  const { spki } = parseCertificate(der(evidence.certificate));
  const expected: Readonly<Record<string, unknown>> = {
    recovery: evidence.recovery,
    request: evidence.approvals.request.id,
    kid: spkiSm3(spki),
    case: auditText(params.caseNumber),
    envelope: `sm3:${sm3(der(evidence.envelopedKey)).toString('hex')}`,
    evidenceCertificate: sm3Fingerprint(der(evidence.evidenceCertificate)),
    state: evidence.keyState,
  };
  const saysTheSame = Object.entries(expected).every(([name, value]) => det[name] === value);
  const isOfKey = subj.some(({ t, tag }) => t === 'key' && tag === params.key);
  const isOfLog = parseNote(evidence.audit.checkpoint).checkpoint.origin === log;
  if (act === 'key.recover-judicial' && out === 'success' && saysTheSame && isOfKey && isOfLog) return;
  throw new KmcError('E_AUDIT', 'The event in the audit log says something else than the evidence.');
}
