/** What one audit event adds to the totals of supervision. Pure: the same event always gives the same movements. */
import type { AuditAction } from '../audit/actions.ts';
import type { AuditRecord } from '../audit/record.ts';
import { DECIDABLE_STATES } from '../approval/state.ts';
import { UNFINISHED_STATES } from '../enrolment-state.ts';
import { deviceMeasure, NONE, type FigureCell, type FigureKey, type Measure } from './measures.ts';

type Detail = AuditRecord['det'];
type Place = Omit<FigureKey, 'measure' | 'day' | 'label'>;
type Movements = (record: AuditRecord) => FigureCell[];

const UNFINISHED: readonly string[] = UNFINISHED_STATES;
const DECIDABLE: readonly string[] = DECIDABLE_STATES;

function word(detail: Detail, field: string): string {
  const value = detail[field];
  return typeof value === 'string' ? value : NONE;
}

function number(detail: Detail, field: string): number {
  const value = detail[field];
  return typeof value === 'number' ? value : 1;
}

function placeOf(detail: Detail): Place {
  return {
    region: word(detail, 'region'),
    registrar: word(detail, 'registrationAuthority'),
    profile: word(detail, 'profile'),
    algorithm: word(detail, 'algorithm'),
  };
}

/** A count of what happened, on the day of the event. */
function flow(record: AuditRecord, measure: Measure, more: { label?: string; by?: number; place?: Place } = {}) {
  const { label = NONE, by = 1, place = placeOf(record.det) } = more;
  return { measure, day: record.ts.slice(0, 10), ...place, label, value: by };
}

function level(measure: Measure, place: Place, label: string, by: number): FigureCell {
  return { measure, day: '', ...place, label, value: by };
}

function unattributed(record: AuditRecord): FigureCell {
  const nowhere = { region: NONE, registrar: NONE, profile: NONE, algorithm: NONE };
  return flow(record, 'unattributed', { label: record.act, place: nowhere });
}

/** By what a certificate moves the sums over notAfter. */
type Standing = 'certificate.live' | 'certificate.held';

/**
 * A certificate comes into a standing, or leaves one. Events from before they carried the end of the certificate cannot be
 * booked there: they are counted as such.
 */
function standing(
  record: AuditRecord,
  place: Place,
  notAfter: unknown,
  steps: Partial<Record<Standing, number>>,
): FigureCell[] {
  if (typeof notAfter !== 'string') return [unattributed(record)];
  return (Object.entries(steps) as [Standing, number][]).map(([measure, by]) => ({
    measure,
    day: notAfter.slice(0, 10),
    ...place,
    label: NONE,
    value: by,
  }));
}

/** Issued singly: of a person, of the service. */
const issued: Movements = (record) => [
  flow(record, 'certificate.issued'),
  ...standing(record, placeOf(record.det), record.det['notAfter'], { 'certificate.live': 1 }),
];

/** An imported certificate, or so many of one kind that end on the same day. */
const imported: Movements = (record) => {
  const by = number(record.det, 'count');
  const status = record.det['from'];
  const measure = status === 'on-hold' ? 'certificate.held' : 'certificate.live';
  return [
    flow(record, 'certificate.imported', { by }),
    ...(status === 'revoked' ? [] : standing(record, placeOf(record.det), record.det['notAfter'], { [measure]: by })),
  ];
};

/** Where the certificate stood before is in the event. */
const revoked: Movements = (record) => {
  const left = record.det['from'] === 'on-hold' ? 'certificate.held' : 'certificate.live';
  return [
    flow(record, 'certificate.revoked', { label: word(record.det, 'reason') }),
    ...standing(record, placeOf(record.det), record.det['notAfter'], { [left]: -1 }),
  ];
};

const suspended: Movements = (record) => [
  flow(record, 'certificate.suspended'),
  ...standing(record, placeOf(record.det), record.det['notAfter'], { 'certificate.live': -1, 'certificate.held': 1 }),
];

const released: Movements = (record) => [
  flow(record, 'certificate.released'),
  ...standing(record, placeOf(record.det), record.det['notAfter'], { 'certificate.live': 1, 'certificate.held': -1 }),
];

/** One certificate of an enrolment; `half` begins the names of its fields. */
function half(record: AuditRecord, name: 'sign' | 'encryption'): FigureCell[] {
  const { det } = record;
  if (typeof det[`${name}Serial`] !== 'string') return [];
  const place = { ...placeOf(det), profile: word(det, `${name}Profile`) };
  return [
    flow(record, 'certificate.issued', { place }),
    ...standing(record, place, det[`${name}NotAfter`], { 'certificate.live': 1 }),
  ];
}

/** Where devices stand: their algorithm is nobody's. */
function devicePlace(detail: Detail): Place {
  return { ...placeOf(detail), algorithm: NONE };
}

/** Moves a device from the count of one status to that of another. */
function deviceMove(record: AuditRecord, from: unknown, to: unknown): FigureCell[] {
  if (from === to) return [];
  const model = word(record.det, 'model');
  return (
    [
      [from, -1],
      [to, 1],
    ] as const
  ).flatMap(([status, by]) => {
    const measure = typeof status === 'string' ? deviceMeasure(status) : undefined;
    return measure === undefined ? [] : [level(measure, devicePlace(record.det), model, by)];
  });
}

const deviceChanged: Movements = (record) =>
  record.det['to'] === undefined ? [] : deviceMove(record, record.det['from'], record.det['to']);

/** The enrolment waited for an approval until now. */
function waitingEnds(record: AuditRecord): FigureCell[] {
  return UNFINISHED.includes(word(record.det, 'from'))
    ? [level('enrolment.waiting', devicePlace(record.det), NONE, -1)]
    : [];
}

const enrolled =
  (measure: 'enrolment.completed' | 'enrolment.renewed'): Movements =>
  (record) => [
    flow(record, measure, { place: devicePlace(record.det) }),
    ...half(record, 'sign'),
    ...half(record, 'encryption'),
    ...(typeof record.det['encryptionKid'] === 'string'
      ? [flow(record, 'key.given', { label: 'enrolment', place: devicePlace(record.det) })]
      : []),
    ...waitingEnds(record),
    ...deviceMove(record, record.det['deviceFrom'], 'in-service').filter(() => record.det['deviceFrom'] !== undefined),
  ];

const enrolmentAsked: Movements = (record) => [level('enrolment.waiting', devicePlace(record.det), NONE, 1)];

const enrolmentExpired: Movements = (record) => [
  flow(record, 'enrolment.expired', { place: devicePlace(record.det) }),
  ...waitingEnds(record),
];

/** A request waits for people while it is in a state in which they decide. */
const requestMoved: Movements = (record) => {
  const act = word(record.det, 'action');
  const place = placeOf({ region: word(record.det, 'region') });
  const waits = (state: unknown): boolean => typeof state === 'string' && DECIDABLE.includes(state);
  const by = Number(waits(record.det['to'])) - Number(waits(record.det['from']));
  return [
    ...(record.act === 'request.create' ? [flow(record, 'request.created', { label: act, place })] : []),
    ...(by === 0 ? [] : [level('request.waiting', place, act, by)]),
  ];
};

const counted =
  (measure: Measure, label: string): Movements =>
  (record) => [flow(record, measure, { label: word(record.det, label), by: number(record.det, 'count') })];

/** Recovery and its like: without a place unless the event names one. */
const once =
  (measure: Measure, label: string): Movements =>
  (record) => [flow(record, measure, { label })];

/** What happened, by action; an action that is not here moves nothing. */
const ON_SUCCESS: Partial<Record<AuditAction, Movements>> = {
  'certificate.issue': issued,
  'certificate.import': imported,
  'certificate.revoke': revoked,
  'certificate.suspend': suspended,
  'certificate.unsuspend': released,
  'enrolment.complete': enrolled('enrolment.completed'),
  'enrolment.renew': enrolled('enrolment.renewed'),
  'enrolment.request': enrolmentAsked,
  'enrolment.expire': enrolmentExpired,
  'device.register': deviceChanged,
  'device.update': deviceChanged,
  'device.suspend': deviceChanged,
  'device.resume': deviceChanged,
  'device.readmit': deviceChanged,
  'device.decommission': deviceChanged,
  'pool.refill': counted('key.made', 'pool'),
  'key.distribute': once('key.given', 'authority'),
  'key.recover-user': once('key.recovered', 'user'),
  'key.recover-judicial': once('key.recovered-judicial', 'judicial'),
  'key.compromise': once('key.compromised', NONE),
  'key.destroy': once('key.destroyed', NONE),
  'key.broken': once('key.broken', NONE),
  'crl.issue': counted('crl.issued', 'authority'),
};

/** A request moves whatever came of its execution. */
const WHATEVER_OUTCOME: Partial<Record<AuditAction, Movements>> = {
  'request.create': requestMoved,
  'request.approve': requestMoved,
  'request.reject': requestMoved,
  'request.approval-withdraw': requestMoved,
  'request.withdraw': requestMoved,
  'request.quorum': requestMoved,
  'request.expire': requestMoved,
  'request.supersede': requestMoved,
  'request.execute': requestMoved,
  'access.denied': counted('access.refused', 'operation'),
  'access.refused': counted('access.refused', 'operation'),
};

const refusedEnrolment: Movements = (record) => [
  flow(record, 'enrolment.refused', { label: record.code ?? NONE, place: devicePlace(record.det) }),
];

/**
 * The movements of one event; none for most actions. An intent moves nothing but requests: what it announces is in its
 * result.
 */
export function movementsOf(record: AuditRecord): FigureCell[] {
  const always = WHATEVER_OUTCOME[record.act];
  if (always !== undefined) return always(record);
  if (record.ph === 'intent') return [];
  if (record.out !== 'success') {
    const isRefusal = record.act === 'enrolment.request' || record.act === 'enrolment.complete';
    return isRefusal ? refusedEnrolment(record) : [];
  }
  return ON_SUCCESS[record.act]?.(record) ?? [];
}
