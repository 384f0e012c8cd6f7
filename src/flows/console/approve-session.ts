import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { digestOf, newConsoleWord, readConsoleWord } from '../../domain/console-session.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';

/**
 * A person approves the challenge that a browser shows, by a signed request.
 * @returns the confirmation code, to be typed into that browser.
 * @throws KmcError E_SCHEMA for what is no challenge; E_NOT_FOUND for one that nobody asked with, or that is over;
 * E_FORBIDDEN unless the caller is a person.
 */
export async function approveSession(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  caller: Caller,
  input: { readonly challenge: string; readonly source: AuditSource },
): Promise<{ readonly code: string }> {
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'Only registered persons use the console.');
  const challenge = readConsoleWord(input.challenge);
  if (challenge === undefined) throw new KmcError('E_SCHEMA', 'A challenge has ten characters: abcde-fghjk.');
  const at = clock.now();
  const [code, id] = [newConsoleWord(), newId('ev', at)];
  const by = { personId: caller.id, certificateSm3: caller.certificateSm3, codeSm3: digestOf(code) };
  await database.transaction(async (tx) => {
    if (!(await tx.consoleSessions.approve(challenge, by, at))) {
      throw new KmcError('E_NOT_FOUND', 'No browser waits with that challenge. Ask for a new one in the console.');
    }
    await tx.audit.append(
      {
        id,
        action: 'console.approve',
        outcome: 'success',
        subjects: [{ type: 'person', id: caller.id }],
        actor: auditActor(caller),
        source: input.source,
        detail: {},
      },
      at,
    );
  });
  return { code };
}
