import type { AuditEventInput } from '../../domain/audit/event.ts';
import { keyActRule, type KeyAct } from '../../domain/key-state.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Transaction } from '../ports/database.ts';
import { transitionKey } from './transition-key.ts';

const HOLD = 'certificateHold';

export interface CertificateChange extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals'> {
  /** What becomes of the key: `suspend` on hold, `resume` off hold, `deactivate` when revoked. */
  readonly act: KeyAct & ('suspend' | 'resume' | 'deactivate');
  readonly at: Date;
  /** Id of the event of the certificate; the one of the key is named after it. */
  readonly certificateEvent: string;
  readonly reason?: string;
}

/**
 * Lets the escrowed key of an encryption certificate follow it, in the same transaction: a key lives as its certificate
 * does. Certificates without an escrowed key, and keys whose state the act does not touch, are left alone; so is a key
 * that people suspended, when its certificate comes off hold.
 */
export async function followCertificate(
  tx: Transaction,
  { authorityId, serialNumber, spkiSm3 }: CertificateRow,
  { act, certificateEvent, ...change }: CertificateChange,
): Promise<void> {
  const key = await tx.escrowedKeys.findByCertificate(authorityId, serialNumber);
  if (key?.spkiSm3 !== spkiSm3 || !keyActRule(act).from.includes(key.state)) return;
  if (act === 'resume' && key.stateReason !== HOLD) return;
  await transitionKey(tx, key, { act, auditEvent: `${certificateEvent}-key`, ...change });
}
