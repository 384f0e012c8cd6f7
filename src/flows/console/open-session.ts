import type { AuditSource } from '../../domain/audit/event.ts';
import {
  CODE_TRIES,
  consoleSessionId,
  digestOf,
  newConsoleSecret,
  readConsoleWord,
  SESSION_SECONDS,
} from '../../domain/console-session.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';

export interface OpenedSession {
  /** Takes the place of the secret that the browser asked with. */
  readonly secret: string;
  readonly expiresAt: Date;
}

function refused(): KmcError {
  return new KmcError('E_UNAUTHENTICATED', 'That is not the code of this page, or its time is over. Begin anew.');
}

/**
 * The browser that asked shows the confirmation code: its session is open from now on, for half an hour.
 * @throws KmcError E_UNAUTHENTICATED, with one text for every reason.
 */
export async function openSession(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  input: { readonly secret: string; readonly code: string; readonly source: AuditSource },
): Promise<OpenedSession> {
  const id = consoleSessionId(input.secret);
  const code = readConsoleWord(input.code);
  const at = clock.now();
  const row = id === undefined ? undefined : await database.read((reader) => reader.consoleSessions.find(id));
  const { personId, certificateSm3 } = row ?? {};
  if (row?.state !== 'approved' || row.expiresAt <= at || personId === undefined || certificateSm3 === undefined) {
    throw refused();
  }
  // Both are digests: how long comparing them takes tells nothing of the code.
  if (code === undefined || digestOf(code) !== row.codeSm3) {
    await database.transaction((tx) => tx.consoleSessions.countTry(row.id, CODE_TRIES));
    throw refused();
  }
  const secret = newConsoleSecret();
  const expiresAt = new Date(at.getTime() + SESSION_SECONDS * 1000);
  const event = newId('ev', at);
  await database.transaction(async (tx) => {
    if (!(await tx.consoleSessions.open(row.id, { id: digestOf(secret), expiresAt }))) throw refused();
    await tx.audit.append(
      {
        id: event,
        action: 'console.open',
        outcome: 'success',
        subjects: [{ type: 'person', id: personId }],
        actor: { type: 'person', id: personId, cert: certificateSm3 },
        source: input.source,
        detail: { expires: signedTime(expiresAt) },
      },
      at,
    );
  });
  return { secret, expiresAt };
}
