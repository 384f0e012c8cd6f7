/** Alarms of supervision (告警): one table of kinds with what each means. Which conditions hold is decided from numbers alone. */
import { LEAST_OPERATORS, type RegistrationAuthorityState } from '../registration-authority.ts';
import { isUnusual, usualLimit, type UnusualIssuance } from './unusual-issuance.ts';

const ALARM_KINDS = {
  'renewal-overdue': 'device certificates end soon or ended, and were not renewed',
  'crl-stale': 'a CRL of ours is out of date',
  'operators-missing': 'a registration authority in service has fewer than two operators who can work',
  'issuance-unusual': 'unusually many certificates were issued in a day',
  'approval-waiting': 'a request waits too long for approvals or for its execution',
  'supervised-unreachable': 'a supervised authority does not answer',
  'supervised-refused': 'a supervised authority publishes what is not good',
  'supervised-crl-stale': 'a supervised authority has no CRL that holds',
} as const satisfies Readonly<Record<string, string>>;
export type AlarmKind = keyof typeof ALARM_KINDS;
export const ALARM_KIND_NAMES = Object.keys(ALARM_KINDS) as readonly AlarmKind[];

/** A condition that holds now. One alarm is open for a kind and a subject. */
export interface AlarmCondition {
  readonly kind: AlarmKind;
  /** An id: of the registration authority, the request, the supervised authority, `<authority>/<scope>` of a CRL. */
  readonly subject: string;
  /** Code; absent for what is of no province. */
  readonly region: string | undefined;
  /** For people, with the numbers. Changes of it alone are no new alarm. */
  readonly says: string;
}

/** What is known of a registration authority. */
export interface AuthoritySight {
  readonly id: string;
  readonly region: string;
  readonly state: RegistrationAuthorityState;
  readonly operators: number;
  /** Device certificates of its devices that are overdue. */
  readonly overdue: number;
  /** Issued on each of the days before today, the oldest first, and today so far. */
  readonly issuedBefore: readonly number[];
  readonly issuedToday: number;
}

/** The alarms of one registration authority. Yesterday is looked at as well as today, which is not over. */
export function authorityAlarms(sight: AuthoritySight, rule: UnusualIssuance): AlarmCondition[] {
  const { id, region, state, operators, overdue, issuedBefore, issuedToday } = sight;
  const base = { subject: id, region };
  const days = [
    { count: issuedToday, before: issuedBefore.slice(-rule.days), day: 'today' },
    { count: issuedBefore.at(-1) ?? 0, before: issuedBefore.slice(0, -1).slice(-rule.days), day: 'yesterday' },
  ];
  const unusual = days.find(({ count, before }) => isUnusual(count, before, rule));
  return [
    ...(state === 'in-service' && operators < LEAST_OPERATORS
      ? [{ ...base, kind: 'operators-missing' as const, says: `${operators} operators can work` }]
      : []),
    ...(overdue > 0
      ? [{ ...base, kind: 'renewal-overdue' as const, says: `${overdue} device certificates were not renewed` }]
      : []),
    ...(unusual === undefined
      ? []
      : [
          {
            ...base,
            kind: 'issuance-unusual' as const,
            says: `${unusual.count} certificates ${unusual.day}, up to ${Math.floor(usualLimit(unusual.before, rule))} are usual`,
          },
        ]),
  ];
}

export interface SupervisedSight {
  readonly id: string;
  readonly region: string;
  readonly registeredAt: Date;
  readonly succeededAt: Date | undefined;
  /** Code and text of the last failure. */
  readonly failure: string | undefined;
  /** Of its newest CRL. */
  readonly nextUpdate: Date | undefined;
}

/** Failures of the way, not of what came: these are for `supervised-unreachable` alone. */
const UNREACHED = /^E_STORAGE\b/;

/** The alarms of one supervised authority. */
export function supervisedAlarms(sight: SupervisedSight, now: Date, unreachableAfterSeconds: number): AlarmCondition[] {
  const { id, region, failure, nextUpdate } = sight;
  const base = { subject: id, region };
  const since = sight.succeededAt ?? sight.registeredAt;
  const isSilent = since.getTime() + unreachableAfterSeconds * 1000 < now.getTime();
  const isRefused = failure !== undefined && !UNREACHED.test(failure);
  return [
    ...(isSilent && !isRefused
      ? [{ ...base, kind: 'supervised-unreachable' as const, says: `nothing since ${since.toISOString()}` }]
      : []),
    ...(isRefused ? [{ ...base, kind: 'supervised-refused' as const, says: failure }] : []),
    ...((nextUpdate === undefined ? isSilent : nextUpdate <= now)
      ? [
          {
            ...base,
            kind: 'supervised-crl-stale' as const,
            says: nextUpdate === undefined ? 'it gave no CRL yet' : `its CRL ended ${nextUpdate.toISOString()}`,
          },
        ]
      : []),
  ];
}

/** What tells alarms apart. */
function alarmKey({ kind, subject }: Pick<AlarmCondition, 'kind' | 'subject'>): string {
  return `${kind} ${subject}`;
}

/** Which alarms are to be raised and which to be cleared, so that the open ones are those that hold. */
export function alarmChanges<Open extends Pick<AlarmCondition, 'kind' | 'subject'>>(
  open: readonly Open[],
  holding: readonly AlarmCondition[],
): { readonly raise: readonly AlarmCondition[]; readonly clear: readonly Open[] } {
  const known = new Set(open.map(alarmKey));
  const now = new Map(holding.map((one) => [alarmKey(one), one]));
  return {
    raise: [...now.values()].filter((one) => !known.has(alarmKey(one))),
    clear: open.filter((one) => !now.has(alarmKey(one))),
  };
}
