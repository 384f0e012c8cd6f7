/** Databases of benchmarks: an empty SQLite file, or a database on one throw-away PostgreSQL server for the whole run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type PostgresCluster, type TestPlace } from '../../test/store/postgres-cluster.ts';

export type PlaceName = 'sqlite' | 'postgresql';

let cluster: Promise<PostgresCluster | undefined> | undefined;

/** An empty database; undefined when there is no program of a PostgreSQL server on this machine. */
export async function openPlace(name: PlaceName): Promise<TestPlace | undefined> {
  if (name === 'postgresql') {
    cluster ??= startCluster();
    return (await cluster)?.freshDatabase();
  }
  const folder = mkdtempSync(join(tmpdir(), 'kmc-bench-db-'));
  return {
    url: `sqlite:${join(folder, 'kmc.sqlite')}`,
    release: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  };
}

/** Ends the PostgreSQL server, if one was started. */
export async function closePlaces(): Promise<void> {
  await (await cluster)?.stop();
  cluster = undefined;
}
