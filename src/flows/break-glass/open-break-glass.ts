import { canonicalizeSigned } from '../../crypto/jcs.ts';
import {
  BREAK_GLASS_SECONDS,
  readOpeningStatement,
  sessionLasts,
  verifyOpening,
  type OpeningStatement,
} from '../../domain/break-glass.ts';
import { requireOriginatorPeriod } from '../../domain/crypto-period.ts';
import { auditText } from '../../domain/audit/detail.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { SealedAccountRow } from '../ports/break-glass.ts';
import type { Transaction } from '../ports/database.ts';
import { endSession } from './end-break-glass.ts';
import { glassEvent } from './glass-event.ts';

export type OpenBreakGlassPorts = Pick<Instance, 'database' | 'clock' | 'environmentName' | 'node' | 'policies'>;

export interface OpenBreakGlassInput {
  /** Of two or three sealed accounts; checked here from the ground up. */
  readonly statements: readonly unknown[];
  readonly source: AuditSource;
}

export interface OpenedBreakGlass {
  readonly session: string;
  readonly expiresAt: Date;
}

/** `sm3:<hex>` of the statements that opened a session, as the database holds them. */
function statementsDigest(statements: string): string {
  return `sm3:${sm3(Buffer.from(statements, 'utf8')).toString('hex')}`;
}

async function breakBags(
  tx: Transaction,
  statements: readonly OpeningStatement[],
  accounts: readonly SealedAccountRow[],
  event: string,
): Promise<void> {
  for (const { body } of statements) {
    const account = accounts.find(({ id }) => id === body.account);
    if (account === undefined || !(await tx.breakGlass.use(account.id, account.version, event))) {
      throw new KmcError('E_CONFLICT', 'A sealed account was used at the same time. Look at the session that is open.');
    }
  }
}

/**
 * Breaks the glass: two of the three sealed accounts state it together, and for four hours these may suspend people, revoke
 * certificates and pause issuance. Their bags are broken from here on, whatever they do. Who hands the statements in does
 * not matter.
 * @throws KmcError E_SCHEMA, E_QUORUM, E_SAME_PERSON, E_APPROVAL (not sealed in that bag, other instance), E_SIGNATURE,
 * E_TIME, E_PERIOD (a key that lies in its bag for too long), E_CONFLICT (a session is open, or was opened by these).
 */
export async function openBreakGlass(
  ports: OpenBreakGlassPorts,
  { statements: given, source }: OpenBreakGlassInput,
): Promise<OpenedBreakGlass> {
  const statements = given.map((one) => readOpeningStatement(one));
  const at = ports.clock.now();
  const expiresAt = new Date(at.getTime() + BREAK_GLASS_SECONDS * 1000);
  const ids = { open: newId('ev', at), end: newId('ev', at) };
  return ports.database.transaction(async (tx) => {
    const before = await tx.breakGlass.unended();
    if (before !== undefined && sessionLasts(before, at)) {
      throw new KmcError('E_CONFLICT', `The glass is broken already, in session ${before.id}.`);
    }
    if (before !== undefined) await endSession(tx, before, { id: ids.end, at, node: ports.node });
    const accounts = await tx.breakGlass.accounts();
    const { id, reason } = verifyOpening(statements, accounts, { environment: ports.environmentName, at });
    const period = ports.policies.cryptoPeriods['person-signing'];
    const opening = accounts.filter((account) => statements.some(({ body }) => body.account === account.id));
    for (const { sealedAt } of opening) requireOriginatorPeriod(period, sealedAt, at);
    const text = canonicalizeSigned(statements);
    const row = { id, reason, statements: text, openedAt: at, expiresAt, lastAuditEvent: ids.open };
    if (!(await tx.breakGlass.open(row))) throw new KmcError('E_CONFLICT', 'This declaration was used already.');
    await breakBags(tx, statements, accounts, ids.open);
    const [first] = opening;
    await tx.audit.append(
      {
        ...glassEvent({
          id: ids.open,
          action: 'breakglass.open',
          session: id,
          actor: { type: 'sealed-account', id: first?.id ?? '', cert: first?.certificateSm3 ?? '' },
          source,
          detail: { digest: statementsDigest(text), expires: signedTime(expiresAt), note: auditText(reason) },
        }),
        terms: opening.map((account) => ({ type: 'sealed-account', id: account.id })),
      },
      at,
    );
    return { session: id, expiresAt };
  });
}
