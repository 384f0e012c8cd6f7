import knexLibrary from 'knex';

/** Takes the lock of a SQLite file for itself, as a backup program might; returns how to give it back. */
export async function holdExclusively(url: string): Promise<() => Promise<void>> {
  const knex = knexLibrary({
    client: 'sqlite3',
    connection: { filename: url.replace('sqlite:', '') },
    useNullAsDefault: true,
    pool: { min: 1, max: 1 },
  });
  await knex.raw('BEGIN EXCLUSIVE');
  return async () => {
    await knex.raw('ROLLBACK');
    await knex.destroy();
  };
}
