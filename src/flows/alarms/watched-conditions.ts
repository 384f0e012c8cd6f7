/** What holds now and is worth an alarm, each kind from where its numbers stand. */
import { regionOf } from '../../domain/approval/request.ts';
import { DELTA, COMPLETE } from '../../domain/crl-scope.ts';
import { authorityAlarms, supervisedAlarms, type AlarmCondition } from '../../domain/supervision/alarms.ts';
import { addDays } from '../../domain/supervision/figures.ts';
import type { FigureCell } from '../../domain/supervision/measures.ts';
import { issuedOnDays } from '../../domain/supervision/targets.ts';
import { requestOf } from '../approvals/stored-request.ts';
import { crlScopes } from '../certificates/crl-scopes.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import { ableOperators } from '../registration-authorities/authority-act.ts';

export type WatchPorts = Pick<Instance, 'database' | 'clock' | 'policies' | 'node' | 'environmentName'>;

/** Things of one kind that are looked at at the most. */
const ALL = { limit: 1_000 };

type Watch = (ports: WatchPorts, reader: Reader, now: Date) => Promise<AlarmCondition[]>;

/** The flows of the days that the rule of unusual issuance looks at, and one more. */
async function issuanceCells({ policies }: WatchPorts, reader: Reader, today: string): Promise<readonly FigureCell[]> {
  const from = addDays(today, -(policies.supervision.issuance.days + 1));
  return await reader.supervision.totalsFor({ day: today, from, to: today, expiringDays: 0 });
}

const registrationAuthorities: Watch = async (ports, reader, now) => {
  const { renewalOverdueSeconds, issuance } = ports.policies.supervision;
  const today = now.toISOString().slice(0, 10);
  const cells = await issuanceCells(ports, reader, today);
  const holders = await reader.people.holders('ra-operator');
  const around = renewalOverdueSeconds * 1000;
  const [after, until] = [new Date(now.getTime() - around), new Date(now.getTime() + around)];
  const overdue = new Map(
    (await reader.alarms.overdueRenewals(after, until)).map((one) => [one.registrationAuthority, one.count]),
  );
  const rows = await reader.registrationAuthorities.list({}, ALL);
  return rows
    .filter(({ state }) => state !== 'closed')
    .flatMap(({ id, region, state }) =>
      authorityAlarms(
        {
          id,
          region,
          state,
          operators: ableOperators(holders, region, now).length,
          overdue: overdue.get(id) ?? 0,
          issuedBefore: issuedOnDays(cells, id, today, issuance.days + 1),
          issuedToday: issuedOnDays(cells, id, addDays(today, 1), 1)[0] ?? 0,
        },
        issuance,
      ),
    );
};

const supervised: Watch = async ({ policies }, { supervisedAuthorities: reader }, now) => {
  const found: AlarmCondition[] = [];
  for (const { id, region, registeredAt } of await reader.list({ state: 'active' }, ALL)) {
    const fetched = await reader.fetchOf(id);
    const newest = await reader.newestCrl(id);
    const sight = {
      id,
      region,
      registeredAt,
      succeededAt: fetched?.succeededAt,
      failure: fetched?.failure,
      nextUpdate: newest?.nextUpdate,
    };
    found.push(...supervisedAlarms(sight, now, policies.supervision.unreachableAfterSeconds));
  }
  return found;
};

const ENDED: readonly string[] = ['retired', 'revoked'];

const staleCrls: Watch = async ({ policies }, reader, now) => {
  const found: AlarmCondition[] = [];
  for (const row of await reader.authorities.list({})) {
    if (ENDED.includes(row.state) || row.inventory === 'awaited') continue;
    const scopes = row.keyId === undefined ? [COMPLETE] : crlScopes(policies, row).filter((each) => each !== DELTA);
    for (const scope of scopes) {
      const latest = await reader.crls.latestFacts(row.id, scope);
      if (latest === undefined || latest.nextUpdate > now) continue;
      const says = `the CRL ended ${latest.nextUpdate.toISOString()}`;
      found.push({ kind: 'crl-stale', subject: `${row.id}/${scope}`, region: undefined, says });
    }
  }
  return found;
};

const waitingRequests: Watch = async ({ policies, environmentName }, reader, now) => {
  const before = new Date(now.getTime() - policies.supervision.approvalWaitsSeconds * 1000);
  const found: AlarmCondition[] = [];
  for (const state of ['OPEN', 'QUORUM'] as const) {
    for (const row of await reader.requests.list({ state }, ALL)) {
      const since = row.quorumAt ?? row.createdAt;
      if (since > before || row.expiresAt <= now) continue;
      const region = regionOf(requestOf(row, environmentName));
      const what = state === 'OPEN' ? 'approvals' : 'its execution';
      const says = `${row.op} waits for ${what} since ${since.toISOString()}`;
      found.push({ kind: 'approval-waiting', subject: row.id, region, says });
    }
  }
  return found;
};

const WATCHES: readonly Watch[] = [registrationAuthorities, supervised, staleCrls, waitingRequests];

/** Every condition that holds at `now`. */
export async function watchedConditions(ports: WatchPorts, reader: Reader, now: Date): Promise<AlarmCondition[]> {
  const found: AlarmCondition[] = [];
  for (const watch of WATCHES) found.push(...(await watch(ports, reader, now)));
  return found;
}
