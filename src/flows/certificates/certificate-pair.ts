import { KmcError } from '../../errors.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

/** More never share a pair id. */
const HALVES = 2;

/**
 * A certificate, and after it the other half of its pair if it has one. Reservations are no certificates yet.
 * @throws KmcError E_NOT_FOUND.
 */
export async function certificateWithPair(
  reader: Reader,
  id: string,
): Promise<readonly [CertificateRow, ...CertificateRow[]]> {
  const row = await reader.certificates.find(id);
  if (row === undefined || row.status === 'reserved' || row.status === 'aborted') {
    throw new KmcError('E_NOT_FOUND', 'There is no certificate of that id.');
  }
  if (row.pairId === undefined) return [row];
  const halves = await reader.certificates.list({ pairId: row.pairId }, { limit: HALVES });
  return [row, ...halves.filter((half) => half.id !== row.id)];
}
