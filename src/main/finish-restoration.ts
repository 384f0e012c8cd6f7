/** The end of a restore: the home is put in its place last, so where it stands, all of the restore was done. */
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import type { Database } from '../flows/ports/database.ts';
import { openDatabase } from '../store/database.ts';
import { isBeingMade } from './development/make-aside.ts';

/**
 * Ends the restore that made this home, once. Until then the database may be restored into again.
 * @throws KmcError E_STATE when the database was filled by a restore that never came to its home: it has not given up what
 * may have been given out twice.
 */
export async function requireFinishedRestore(
  { home, origin }: Pick<Environment, 'home' | 'origin'>,
  database: Pick<Database, 'read' | 'transaction'>,
): Promise<void> {
  const open = await database.read((reader) => reader.backups.openRestoration());
  if (open === undefined) return;
  if (open.origin !== origin || isBeingMade(home)) {
    throw new KmcError('E_STATE', 'A restore into this database was interrupted. Run kmc backup restore again.');
  }
  await database.transaction((tx) => tx.backups.finishRestoration(open.id, new Date()));
}

/** The same by the restore itself, right after its home came into its place. */
export async function finishRestoration(environment: Pick<Environment, 'database' | 'home' | 'origin'>): Promise<void> {
  const store = await openDatabase({ url: environment.database });
  try {
    await requireFinishedRestore(environment, store);
  } finally {
    await store.close();
  }
}
