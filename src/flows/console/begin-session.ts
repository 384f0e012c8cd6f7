import { CHALLENGE_SECONDS, digestOf, newConsoleSecret, newConsoleWord } from '../../domain/console-session.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';

export interface BegunSession {
  /** For the cookie of the browser that asked. */
  readonly secret: string;
  /** For a person to approve. */
  readonly challenge: string;
  readonly expiresAt: Date;
}

/** A browser asks for a session: it gets a challenge, and a secret that binds the session to it. */
export async function beginSession({
  database,
  clock,
}: {
  readonly database: Database;
  readonly clock: Clock;
}): Promise<BegunSession> {
  const createdAt = clock.now();
  const [secret, challenge] = [newConsoleSecret(), newConsoleWord()];
  const expiresAt = new Date(createdAt.getTime() + CHALLENGE_SECONDS * 1000);
  const row = {
    id: digestOf(secret),
    challenge,
    state: 'pending',
    personId: undefined,
    certificateSm3: undefined,
    codeSm3: undefined,
    tries: 0,
    createdAt,
    expiresAt,
  } as const;
  if (await database.transaction((tx) => tx.consoleSessions.insert(row))) return { secret, challenge, expiresAt };
  throw new KmcError('E_CONFLICT', 'That challenge stands already. Ask for another one.');
}
