/** Ends accounts of a person: a certificate that authenticates nobody from now on, as the next CRL says. */
import { newId } from '../../domain/id.ts';
import type { Account, Person } from '../../domain/person.ts';
import type { ApprovedAct } from '../approvals/action-handler.ts';
import { isRevocable, recordRevocation } from '../certificates/record-revocation.ts';
import type { RevocationReason } from '../ports/certificates.ts';
import type { Transaction } from '../ports/database.ts';
import { personEvent, personIdOf, stalePerson } from './person-act.ts';

export interface EndingAccount {
  readonly account: Account;
  /** Ids made before the transaction. */
  readonly events: { readonly person: string; readonly certificate: string };
}

/** The accounts of a person that are still to be ended. */
export function endingAccounts(person: Pick<Person, 'accounts'>, at: Date): EndingAccount[] {
  return person.accounts
    .filter(({ status }) => status !== 'revoked')
    .map((account) => ({ account, events: { person: newId('ev', at), certificate: newId('ev', at) } }));
}

/** Ends one. @throws KmcError E_STALE when it changed in between. */
export async function endAccount(
  tx: Transaction,
  act: ApprovedAct,
  { account, events }: EndingAccount,
  reason: RevocationReason,
): Promise<void> {
  const { certificateSm3, kid, status } = account;
  if (!(await tx.people.setAccountStatus(certificateSm3, status, 'revoked'))) throw stalePerson();
  const event = { id: events.person, action: 'person.certificate-revoke', person: personIdOf(act) } as const;
  await tx.audit.append(personEvent(act, event, { certificate: certificateSm3, kid, reason }), act.at);
  const row = await tx.certificates.findByDigest(certificateSm3);
  if (row === undefined || !isRevocable(row, reason)) return;
  const { actor, source, approvals, at } = act;
  const ids = { auditEvent: events.certificate, at, invalidityDate: undefined };
  await recordRevocation(tx, row, { reason, actor, source, approvals, ...ids });
}
