import { KmcError } from '../../errors.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import type {
  SupervisedAuthorityRow,
  SupervisedCount,
  SupervisedCrlRow,
  SupervisedFetchRow,
} from '../ports/supervised-authorities.ts';

export interface ShownSupervised {
  readonly row: SupervisedAuthorityRow;
  /** By key algorithm. */
  readonly counts: readonly SupervisedCount[];
  readonly newest: SupervisedCrlRow | undefined;
  readonly fetched: SupervisedFetchRow | undefined;
}

interface ShowPorts {
  readonly database: Database;
  readonly clock: Clock;
}

/** The authority with what is counted of it. */
export async function shownSupervised(
  reader: Reader,
  row: SupervisedAuthorityRow,
  now: Date,
): Promise<ShownSupervised> {
  return {
    row,
    counts: await reader.supervisedAuthorities.counts(row.id, now),
    newest: await reader.supervisedAuthorities.newestCrl(row.id),
    fetched: await reader.supervisedAuthorities.fetchOf(row.id),
  };
}

/** A supervised authority with what is counted of it. @throws KmcError E_NOT_FOUND. */
export async function showSupervisedAuthority({ database, clock }: ShowPorts, id: string): Promise<ShownSupervised> {
  return await database.read(async (reader) => {
    const row = await reader.supervisedAuthorities.find(id);
    if (row !== undefined) return await shownSupervised(reader, row, clock.now());
    throw new KmcError('E_NOT_FOUND', 'No certification authority of that id is supervised here.');
  });
}
