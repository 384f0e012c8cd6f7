/** The pairs of roles that the database refuses to one person: the role table of the domain, written at each start. */
import { KmcError } from '../errors.ts';
import type { Sql } from './sql.ts';
import { Table, text } from './table.ts';

export type ExcludedPair = readonly [role: string, other: string];

interface Exclusion {
  readonly held: string;
  readonly refused: string;
}

const EXCLUSIONS = new Table<Exclusion>('role_exclusions', { held: text, refused: text });

/** True when the table holds exactly these pairs. */
export async function roleExclusionsStand(sql: Sql, pairs: readonly ExcludedPair[]): Promise<boolean> {
  const wanted = bothDirections(pairs);
  const present = await EXCLUSIONS.all(sql, 'order by held, refused');
  return present.length === wanted.size && present.every(({ held, refused }) => wanted.has(`${held} ${refused}`));
}

/**
 * Makes the table hold exactly these pairs, in both directions.
 * @throws KmcError E_INTEGRITY when somebody holds two roles that now exclude each other.
 */
export async function writeRoleExclusions(sql: Sql, pairs: readonly ExcludedPair[]): Promise<void> {
  await sql.run('delete from role_exclusions');
  for (const pair of bothDirections(pairs)) {
    const [held = '', refused = ''] = pair.split(' ');
    await EXCLUSIONS.insert(sql, { held, refused });
  }
  const [offender] = await sql.all(
    `select held.person_id from role_grants held
     join role_exclusions pair on pair.held = held.role
     join role_grants other on other.person_id = held.person_id and other.role = pair.refused limit 1`,
  );
  if (offender !== undefined) {
    throw new KmcError(
      'E_INTEGRITY',
      'A person holds two roles that exclude each other. Take one of them away with the version that granted it.',
    );
  }
}

function bothDirections(pairs: readonly ExcludedPair[]): Set<string> {
  return new Set(pairs.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
}
