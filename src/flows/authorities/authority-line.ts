import { KmcError } from '../../errors.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';

/** Longest way from an issuing CA to its root. */
const MAX_CHAIN = 8;

/** An authority and those above it, up to its root. @throws KmcError E_INTEGRITY. */
export async function authorityLine(reader: Reader, authorityId: string): Promise<AuthorityRow[]> {
  const line: AuthorityRow[] = [];
  for (let id: string | undefined = authorityId; id !== undefined;) {
    const row = await reader.authorities.find(id);
    if (row === undefined || line.length === MAX_CHAIN) {
      throw new KmcError('E_INTEGRITY', 'The chain of an authority does not end in a root. Check the authorities.');
    }
    line.push(row);
    id = row.issuerId;
  }
  return line;
}

/** `sm3:<hex>` of the key of the root that an authority stands under. @throws KmcError E_INTEGRITY. */
export async function rootKeyOf(reader: Reader, authorityId: string): Promise<string> {
  const root = (await authorityLine(reader, authorityId)).at(-1);
  if (root !== undefined) return root.spkiSm3;
  throw new KmcError('E_INTEGRITY', 'An authority has no root. Check the authorities.');
}
