import { spkiSm3 } from '../../crypto/spki.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { validatePath } from '../../x509/path.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

export interface ProtectionKey {
  /** SubjectPublicKeyInfo of the new protection key, DER. */
  readonly spki: Buffer;
  /** Name (DER) of the subject that the key to be recovered was given to. */
  readonly subject: Buffer;
  readonly at: Date;
}

/**
 * A live signing certificate over that key and for that subject, verified here: by its signature and its path up to a root
 * of this instance, by its time, and by the revocation state in the inventory. What a caller says of it does not count.
 * @returns nothing when there is none: the key then goes to nobody without an approval.
 */
export async function findLiveCertificate(reader: Reader, key: ProtectionKey): Promise<CertificateRow | undefined> {
  const rows = (await reader.certificates.findByKey(spkiSm3(key.spki))).filter(({ status }) => status === 'good');
  if (rows.length === 0) return undefined;
  const authorities = (await reader.authorities.list({})).filter(({ state }) => state !== 'revoked');
  const read = (kind: 'root' | 'issuing'): Certificate[] =>
    authorities.filter((row) => row.kind === kind).map((row) => parseCertificate(row.certificate));
  const [anchors, intermediates] = [read('root'), read('issuing')];
  for (const row of rows) {
    if (row.certificate === undefined) continue;
    const leaf = parseCertificate(row.certificate);
    const isOfSubject = leaf.subject.der.equals(key.subject) && leaf.spki.equals(key.spki);
    if (!isOfSubject || leaf.keyUsage?.includes('digitalSignature') !== true) continue;
    const purpose = 'signature';
    if (validatePath({ leaf, intermediates, anchors, at: key.at, purpose }).valid) return row;
  }
  return undefined;
}
