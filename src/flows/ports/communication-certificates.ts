/** The certificates under which certification authorities speak GM/T 0014 with this service: registered, not trusted by path. */

/** An authority has one that is active. */
export type CommunicationState = 'active' | 'replaced';

export interface CommunicationCertificateRow {
  readonly id: string;
  readonly authorityId: string;
  /** DER. */
  readonly certificate: Buffer;
  readonly certificateSm3: string;
  readonly spkiSm3: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly state: CommunicationState;
  readonly version: number;
  readonly registeredAt: Date;
  readonly lastAuditEvent: string;
}

export interface CommunicationCertificateReader {
  activeOf(authorityId: string): Promise<CommunicationCertificateRow | undefined>;
  /** Those of all authorities, in the order of their authorities. */
  active(): Promise<CommunicationCertificateRow[]>;
}

export interface CommunicationCertificateWriter extends CommunicationCertificateReader {
  /** False when the certificate or its key is registered already, or the authority has an active one. */
  insert(row: CommunicationCertificateRow): Promise<boolean>;
  /** Compare-and-set from active of that version to replaced. */
  replace(id: string, version: number, auditEvent: string): Promise<boolean>;
}
