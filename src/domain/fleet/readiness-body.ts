/** The figures of a fleet as JSON without numbers and nulls: what stands in a snapshot of the evidence, and what the API answers. */
import { isObject, readSignedTime, signedTime, type SignedObject, type SignedValue } from '../signed-body.ts';
import { KmcError } from '../../errors.ts';
import { FLEET_LEVELS, type FleetLevel } from './levels.ts';
import type { FleetCounts, FleetReadiness, Straggler } from './readiness.ts';

type Marks = Exclude<keyof FleetCounts, 'reached'>;
const MARKS: readonly Marks[] = ['counted', 'dark', 'silent', 'faulty', 'oldInUse', 'waived'];

/** Members that are there; absent ones stay out. */
function present(members: Readonly<Record<string, SignedValue | undefined>>): SignedObject {
  const there = Object.entries(members).filter(([, value]) => value !== undefined) as [string, SignedValue][];
  return Object.fromEntries(there);
}

function countsBody(counts: FleetCounts): SignedObject {
  const marks = MARKS.map((mark): [string, SignedValue] => [mark, String(counts[mark])]);
  const reached = FLEET_LEVELS.map((level): [string, SignedValue] => [level, String(counts.reached[level])]);
  return { ...Object.fromEntries(marks), reached: Object.fromEntries(reached) };
}

const timeOf = (at: Date | undefined): string | undefined => (at === undefined ? undefined : signedTime(at));

function stragglerBody({ offeredAt, seenAt, ...straggler }: Straggler): SignedObject {
  return present({ ...straggler, offeredAt: timeOf(offeredAt), seenAt: timeOf(seenAt) });
}

/** The figures as they are signed and shown. */
export function readinessBody(readiness: FleetReadiness): SignedObject {
  const { at, goal, overall, hub, ring, regions, models, waves, terminals, stragglers, evidence } = readiness;
  return present({
    at: signedTime(at),
    goal,
    overall: countsBody(overall),
    hub: countsBody(hub),
    ring: countsBody(ring),
    regions: regions.map(({ region, ...counts }) => ({ region, ...countsBody(counts) })),
    models: models.map(({ vendor, model, firmware, ...counts }) =>
      present({ vendor, model, firmware, ...countsBody(counts) }),
    ),
    waves: waves.map(({ wave, ...counts }) => ({ wave: String(wave), ...countsBody(counts) })),
    terminals: terminals === undefined ? undefined : countsBody(terminals),
    stragglers: { total: String(stragglers.total), listed: stragglers.listed.map(stragglerBody) },
    evidence: present({
      reports: String(evidence.reports),
      oldest: timeOf(evidence.oldest),
      newest: timeOf(evidence.newest),
    }),
  });
}

function misfit(): KmcError {
  return new KmcError('E_SCHEMA', 'The figures of a fleet are not in the form that this program writes.');
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw misfit();
}

function listIn(value: unknown): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) return value.map(objectIn);
  throw misfit();
}

function numberIn(value: unknown): number {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,9})$/.test(value)) return Number(value);
  throw misfit();
}

function textIn(value: unknown): string {
  if (typeof value === 'string') return value;
  throw misfit();
}

function timeIn(value: unknown): Date | undefined {
  if (value === undefined) return undefined;
  const at = readSignedTime(textIn(value));
  if (at !== undefined) return at;
  throw misfit();
}

function oneIn<T extends string>(names: readonly T[], value: unknown): T {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw misfit();
}

function countsIn(value: unknown): FleetCounts {
  const given = objectIn(value);
  const reached = objectIn(given['reached']);
  const mark = (name: Marks): number => numberIn(given[name]);
  return {
    counted: mark('counted'),
    dark: mark('dark'),
    silent: mark('silent'),
    faulty: mark('faulty'),
    oldInUse: mark('oldInUse'),
    waived: mark('waived'),
    reached: Object.fromEntries(FLEET_LEVELS.map((level) => [level, numberIn(reached[level])])) as Record<
      FleetLevel,
      number
    >,
  };
}

const STAGES = ['decide', 'ticket', 'named', 'warn', 'running', 'not-started'] as const;

function stragglerIn(given: Readonly<Record<string, unknown>>): Straggler {
  const { firmware, fault } = given;
  return {
    id: textIn(given['id']),
    serial: textIn(given['serial']),
    region: textIn(given['region']),
    tier: oneIn(['hub', 'standard'], given['tier']),
    vendor: textIn(given['vendor']),
    model: textIn(given['model']),
    firmware: firmware === undefined ? undefined : textIn(firmware),
    level: oneIn(FLEET_LEVELS, given['level']),
    offeredAt: timeIn(given['offeredAt']),
    seenAt: timeIn(given['seenAt']),
    dark: given['dark'] === true,
    fault: fault === undefined ? undefined : textIn(fault),
    stage: oneIn(STAGES, given['stage']),
  };
}

/** Reads what `readinessBody` wrote. @throws KmcError E_SCHEMA. */
export function readReadinessBody(value: unknown): FleetReadiness {
  const body = objectIn(value);
  const stragglers = objectIn(body['stragglers']);
  const evidence = objectIn(body['evidence']);
  const at = timeIn(body['at']);
  if (at === undefined) throw misfit();
  return {
    at,
    goal: oneIn(FLEET_LEVELS, body['goal']),
    overall: countsIn(body['overall']),
    hub: countsIn(body['hub']),
    ring: countsIn(body['ring']),
    regions: listIn(body['regions']).map((each) => ({ region: textIn(each['region']), ...countsIn(each) })),
    models: listIn(body['models']).map((each) => ({
      vendor: textIn(each['vendor']),
      model: textIn(each['model']),
      firmware: each['firmware'] === undefined ? undefined : textIn(each['firmware']),
      ...countsIn(each),
    })),
    waves: listIn(body['waves']).map((each) => ({ wave: numberIn(each['wave']), ...countsIn(each) })),
    ...(body['terminals'] === undefined ? {} : { terminals: countsIn(body['terminals']) }),
    stragglers: { total: numberIn(stragglers['total']), listed: listIn(stragglers['listed']).map(stragglerIn) },
    evidence: {
      reports: numberIn(evidence['reports']),
      oldest: timeIn(evidence['oldest']),
      newest: timeIn(evidence['newest']),
    },
  };
}
