/** What a transition does to the two issuing CAs: which of them issues to the fleet (A.5, T7, R1, R2, T10). */
import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import type { UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import type { IssuerEffect } from '../../domain/root-upgrade/transitions.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import type { AuthorityRow, AuthorityState } from '../ports/authorities.ts';
import type { Transaction } from '../ports/database.ts';

interface Move {
  readonly side: 'old' | 'new';
  readonly from: readonly AuthorityState[];
  readonly to: AuthorityState;
}

/** Moves whose CA stands in another state are left out: a compromised CA that was revoked stays revoked. */
const MOVES: Readonly<Record<IssuerEffect, readonly Move[]>> = {
  'to-new': [
    { side: 'new', from: ['staged', 'restricted'], to: 'active' },
    // It serves devices with a waiver until it is removed.
    { side: 'old', from: ['active'], to: 'restricted' },
  ],
  'to-old': [
    { side: 'old', from: ['restricted'], to: 'active' },
    // What it issued stays good; it goes on with its CRLs.
    { side: 'new', from: ['active'], to: 'restricted' },
  ],
  'stop-old': [{ side: 'old', from: ['active', 'restricted'], to: 'crl-only' }],
  'drop-new': [
    { side: 'new', from: ['staged', 'restricted'], to: 'retired' },
    // An emergency that was none: the old CA was stopped when it was declared.
    { side: 'old', from: ['crl-only'], to: 'active' },
  ],
};

const ACTION = {
  active: 'authority.activate',
  restricted: 'authority.restrict',
  'crl-only': 'authority.restrict',
  retired: 'authority.retire',
} as const;

export interface SwitchBy extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals' | 'terms'> {
  readonly nextId: () => string;
  readonly at: Date;
}

async function move(tx: Transaction, row: AuthorityRow, to: keyof typeof ACTION, by: SwitchBy): Promise<void> {
  const { nextId, at, ...author } = by;
  const { id, state, version, certificate: der } = row;
  if (!(await tx.authorities.move(id, { state, version }, to))) {
    throw new KmcError('E_STALE', `The authority ${id} changed at the same time. Try again.`);
  }
  const certificate = parseCertificate(der);
  await tx.audit.append(
    {
      id: nextId(),
      action: ACTION[to],
      outcome: 'success',
      subjects: [{ type: 'authority', id, version: version + 1 }],
      ...author,
      detail: {
        authority: id,
        certificate: sm3Fingerprint(der),
        kid: spkiSm3(certificate.spki),
        serial: certificate.serialNumber,
        reason: to,
      },
    },
    at,
  );
}

/** @throws KmcError E_STALE when one of the authorities changed at the same time. */
export async function switchIssuer(
  tx: Transaction,
  { from, to }: Pick<UpgradePlan, 'from' | 'to'>,
  effect: IssuerEffect,
  by: SwitchBy,
): Promise<void> {
  for (const { side, from: states, to: wanted } of MOVES[effect]) {
    const row = await tx.authorities.find(side === 'old' ? from.issuing : to.issuing);
    if (row === undefined || !states.includes(row.state) || !(wanted in ACTION)) continue;
    await move(tx, row, wanted as keyof typeof ACTION, by);
  }
}
