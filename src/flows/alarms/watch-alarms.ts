import { auditText } from '../../domain/audit/detail.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { alarmChanges, type AlarmCondition } from '../../domain/supervision/alarms.ts';
import type { AlarmRow } from '../ports/alarms.ts';
import { watchedConditions, type WatchPorts } from './watched-conditions.ts';

export interface AlarmsWatched {
  readonly raised: readonly AlarmRow[];
  readonly cleared: readonly AlarmRow[];
}

function alarmEvent(
  { node }: WatchPorts,
  caller: SystemCaller,
  id: string,
  action: 'alarm.raise' | 'alarm.clear',
  { id: alarm, kind, region, subject, says }: AlarmCondition & { readonly id: string },
): AuditEventInput {
  return {
    id,
    action,
    outcome: 'success',
    subjects: [{ type: 'alarm', id: alarm }],
    actor: auditActor(caller),
    source: { node },
    detail: { kind, subject, text: auditText(says), ...(region === undefined ? {} : { region }) },
  };
}

async function raise(
  ports: WatchPorts,
  caller: SystemCaller,
  condition: AlarmCondition,
  at: Date,
): Promise<AlarmRow | undefined> {
  const event = newId('ev', at);
  const row = { ...condition, id: newId('al', at), raisedAt: at, clearedAt: undefined, lastAuditEvent: event };
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.alarms.raise(row))) return undefined;
    await tx.audit.append(alarmEvent(ports, caller, event, 'alarm.raise', row), at);
    return row;
  });
}

async function clear(ports: WatchPorts, caller: SystemCaller, row: AlarmRow, at: Date): Promise<AlarmRow | undefined> {
  const event = newId('ev', at);
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.alarms.clear(row.id, at, event))) return undefined;
    await tx.audit.append(alarmEvent(ports, caller, event, 'alarm.clear', row), at);
    return row;
  });
}

/**
 * Raises an alarm for each condition that holds and has none, and clears those whose condition holds no more: each with one
 * event, however many processes look at it.
 * @throws KmcError E_STORAGE, E_AUDIT.
 */
export async function watchAlarms(ports: WatchPorts, caller: SystemCaller): Promise<AlarmsWatched> {
  const at = ports.clock.now();
  const { open, holding } = await ports.database.read(async (reader) => ({
    open: await reader.alarms.open(),
    holding: await watchedConditions(ports, reader, at),
  }));
  const changes = alarmChanges(open, holding);
  const raised: AlarmRow[] = [];
  for (const condition of changes.raise) {
    const row = await raise(ports, caller, condition, at);
    if (row !== undefined) raised.push(row);
  }
  const cleared: AlarmRow[] = [];
  for (const alarm of changes.clear) {
    const row = await clear(ports, caller, alarm, at);
    if (row !== undefined) cleared.push(row);
  }
  return { raised, cleared };
}
