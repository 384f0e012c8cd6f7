import type { PersonCaller } from '../../domain/caller.ts';
import { consoleSessionId } from '../../domain/console-session.ts';
import { accountInForce } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';

/**
 * Who reads through a browser. Person, account and roles are looked at each time: whoever loses them loses the session.
 * @throws KmcError E_UNAUTHENTICATED.
 */
export async function sessionCaller(
  { database, clock }: { readonly database: Pick<Database, 'read'>; readonly clock: Clock },
  secret: string,
): Promise<PersonCaller> {
  const id = consoleSessionId(secret);
  const now = clock.now();
  const caller = await database.read(async (reader): Promise<PersonCaller | undefined> => {
    const session = id === undefined ? undefined : await reader.consoleSessions.find(id);
    const { personId, certificateSm3 } = session ?? {};
    if (session?.state !== 'open' || session.expiresAt <= now) return undefined;
    if (personId === undefined || certificateSm3 === undefined) return undefined;
    const person = await reader.people.find(personId);
    if (person?.status !== 'active' || accountInForce(person, certificateSm3, now) === undefined) return undefined;
    return { type: 'person', id: person.id, unit: person.unit, roles: person.roles, certificateSm3 };
  });
  if (caller !== undefined) return caller;
  throw new KmcError('E_UNAUTHENTICATED', 'The session of the console is over. Sign in anew.');
}
