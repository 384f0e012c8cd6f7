import type { Clock, Database, Page } from '../ports/database.ts';
import type { SupervisedAuthorityFilter } from '../ports/supervised-authorities.ts';
import { shownSupervised, type ShownSupervised } from './show-supervised-authority.ts';

/** A page of the supervised authorities, each with what is counted of it. @throws KmcError E_SCHEMA (limit). */
export async function listSupervisedAuthorities(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  filter: SupervisedAuthorityFilter,
  page: Page,
): Promise<ShownSupervised[]> {
  return await database.read(async (reader) => {
    const all: ShownSupervised[] = [];
    for (const row of await reader.supervisedAuthorities.list(filter, page)) {
      all.push(await shownSupervised(reader, row, clock.now()));
    }
    return all;
  });
}
