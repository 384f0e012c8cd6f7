import { requireOriginatorPeriod, type PeriodName } from '../../domain/crypto-period.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';

/** The period in which the key of an authority issues certificates. It signs CRLs until its last certificate ends. */
const PERIODS: Readonly<Record<AuthorityRow['kind'], PeriodName>> = {
  root: 'root-signing',
  administrator: 'root-signing',
  issuing: 'issuing-signing',
  external: 'issuing-signing',
  transport: 'transport-signing',
};

/**
 * Refuses to issue under an authority whose key is past its crypto-period: it began when its certificate did.
 * @throws KmcError E_PERIOD.
 */
export function requireIssuingPeriod(
  { policies }: Pick<Instance, 'policies'>,
  { kind, notBefore }: Pick<AuthorityRow, 'kind' | 'notBefore'>,
  at: Date,
): void {
  requireOriginatorPeriod(policies.cryptoPeriods[PERIODS[kind]], notBefore, at);
}
