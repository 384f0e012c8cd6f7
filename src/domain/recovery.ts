/** Key recovery (密钥恢复): what is asked, of which keys, and to whom the key may go. */
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../x509/certificate.ts';
import { sm2PointFromSpki } from '../crypto/spki.ts';
import { isId } from './id.ts';
import { KEY_STATES, type KeyState, type ProcessingRule } from './key-state.ts';
import { isBase64, type MemberCheck, plainText, requireMembers, type SignedObject, sm3Text } from './signed-body.ts';

export const RECOVERY_KINDS = ['user', 'judicial'] as const;
export type RecoveryKind = (typeof RECOVERY_KINDS)[number];

/** Parameters of `recovery.judicial` (司法恢复): everything that the officers approve. */
export interface JudicialParameters {
  /** Number of the case as the applicant's file calls it. */
  readonly caseNumber: string;
  /** The law, article and order that it rests on. */
  readonly legalBasis: string;
  /** `sm3:<hex>` of the order itself. */
  readonly legalDocument: string;
  /** The organisation that applies. */
  readonly applicant: string;
  /** Id of the escrowed key. */
  readonly key: string;
  /** base64 of DER: the only certificate that the key is enveloped to. */
  readonly evidenceCertificate: string;
}

/** Parameters of `recovery.user`. */
export interface UserRecoveryParameters {
  /** base64 of the SubjectPublicKeyInfo (DER) that the key is to be enveloped to. */
  readonly recipient: string;
}

const ID_TEXT: MemberCheck = (value) =>
  typeof value === 'string' && isId(value) ? undefined : 'must be an identifier';
const base64Text =
  (most: number): MemberCheck =>
  (value) =>
    typeof value === 'string' && value.length <= most && isBase64(value) ? undefined : 'must be base64';

/** @throws KmcError E_SCHEMA with pointers. */
export function readJudicialParameters(params: SignedObject): JudicialParameters {
  const checks = {
    caseNumber: plainText(100),
    legalBasis: plainText(200),
    legalDocument: sm3Text,
    applicant: plainText(200),
    key: ID_TEXT,
    evidenceCertificate: base64Text(8192),
  };
  requireMembers<JudicialParameters>(params, checks, 'judicial recovery');
  return params;
}

/** @throws KmcError E_SCHEMA with pointers; E_DER, E_POINT (not an SM2 key). */
export function readUserRecoveryParameters(params: SignedObject): { readonly recipientSpki: Buffer } {
  requireMembers<UserRecoveryParameters>(params, { recipient: base64Text(512) }, 'user recovery');
  const recipientSpki = Buffer.from(params.recipient, 'base64');
  sm2PointFromSpki(recipientSpki);
  return { recipientSpki };
}

/**
 * The evidence certificate: an SM2 certificate in its validity whose key may receive keys.
 * @throws KmcError E_DER, E_POINT, E_CERT.
 */
export function readEvidenceCertificate(der: Buffer, at: Date): Certificate {
  const certificate = parseCertificate(der);
  sm2PointFromSpki(certificate.spki);
  if (at < certificate.notBefore || at > certificate.notAfter) {
    throw new KmcError('E_CERT', 'The evidence certificate is not valid now. Name one that is.');
  }
  if (certificate.keyUsage?.includes('keyEncipherment') === false) {
    throw new KmcError('E_CERT', 'The key of the evidence certificate may not receive keys (keyEncipherment).');
  }
  return certificate;
}

/** The name of an evidence certificate in records: `sm3:<hex>` over its DER. */
export function evidenceCertificateName(params: JudicialParameters): string {
  return sm3Fingerprint(Buffer.from(params.evidenceCertificate, 'base64'));
}

/** What may be recovered at once, and what only behind a request in which people accepted the risk. */
const RECOVERABLE: Readonly<Record<'at-once' | 'approved', readonly ProcessingRule[]>> = {
  'at-once': ['yes'],
  approved: ['yes', 'approved', 'warned'],
};

/** True for a key of the in-use or history store (never of standby) in a state that may be recovered in that way. */
export function isRecoverable(state: KeyState, way: keyof typeof RECOVERABLE): boolean {
  return RECOVERABLE[way].includes(KEY_STATES[state].processes);
}

/** @throws KmcError E_STATE. */
export function requireRecoverable(state: KeyState, way: keyof typeof RECOVERABLE): void {
  if (isRecoverable(state, way)) return;
  throw new KmcError('E_STATE', `A key that is ${state} is not recovered. Read its state and its history.`);
}
