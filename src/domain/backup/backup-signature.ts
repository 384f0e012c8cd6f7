/** The signature at the end of a backup: by the key of the audit log, whose certificate every auditor has pinned. */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import { decodeRecord, encodeRecord } from '../keystore/record-fields.ts';
import { signedBytes } from '../signed-body.ts';
import { brokenBackup } from './backup-frames.ts';

/** What is signed. */
export interface BackupStatement {
  readonly id: string;
  readonly instance: string;
  /** `sm3:<hex>` over every octet of the file before the frame of the signature. */
  readonly content: string;
  /** How many octets these are, in decimal. */
  readonly size: string;
  /** `sm3:<hex>` of the certificate that goes with the signature. */
  readonly certificate: string;
}

export interface BackupSignature {
  readonly statement: BackupStatement;
  /** SM2, raw r||s, 64 octets. */
  readonly signature: Buffer;
  /** Of the log's key, DER. */
  readonly certificate: Buffer;
}

/** The octets that the signature covers. */
export function backupMessage(statement: BackupStatement): Buffer {
  return signedBytes('backup', statement);
}

/** The content of the last frame. */
export function encodeBackupSignature({ statement, signature, certificate }: BackupSignature): Buffer {
  return encodeRecord({
    statement: { ...statement },
    signature: signature.toString('base64'),
    certificate: certificate.toString('base64'),
  });
}

/** Reads the last frame; nothing is verified by it. @throws KmcError E_INTEGRITY. */
export function decodeBackupSignature(bytes: Buffer): BackupSignature {
  try {
    return decodeRecord(bytes, 'The signature of the backup', (fields) => ({
      statement: fields.record('statement', (statement) => ({
        id: statement.text('id', /^backup-[0-9a-f]{32}$/),
        instance: statement.text('instance', /^[a-z0-9][a-z0-9-]{0,63}$/),
        content: statement.text('content', /^sm3:[0-9a-f]{64}$/),
        size: statement.text('size', /^[1-9][0-9]{0,15}$/),
        certificate: statement.text('certificate', /^sm3:[0-9a-f]{64}$/),
      })),
      signature: fields.bytes('signature', 64),
      certificate: fields.bytes('certificate', 8192),
    }));
  } catch (error) {
    throw error instanceof KmcError ? brokenBackup(error) : error;
  }
}

/**
 * Verifies the signature.
 * @param pinned the certificate (DER) that the signer must have; without it the one in the file is taken at its word.
 * @throws KmcError E_SIGNATURE when it does not verify or another key made it; E_INTEGRITY, E_DER.
 */
export function verifyBackupSignature({ statement, signature, certificate }: BackupSignature, pinned?: Buffer): void {
  const { spki } = parseCertificate(pinned ?? certificate);
  if (sm3Fingerprint(certificate) !== statement.certificate) throw brokenBackup();
  const der = signature.length === 64 ? SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(signature) : Buffer.alloc(0);
  if (verifySignature('SM2-SM3', spki, backupMessage(statement), der)) return;
  throw new KmcError(
    'E_SIGNATURE',
    'The signature of the backup does not verify under the certificate of the audit log. Do not use it.',
  );
}
