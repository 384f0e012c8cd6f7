import type { AuditSource } from '../../../domain/audit/event.ts';
import { filterText, matchesFilter, type AuditFilter } from '../../../domain/audit/filter.ts';
import type { AuditFormatName } from '../../../domain/audit/projections/formats.ts';
import type { PlacedEvent } from '../../../domain/audit/projections/placed-event.ts';
import { parseAuditRecord, type AuditRecord } from '../../../domain/audit/record.ts';
import { auditActor, type Caller } from '../../../domain/caller.ts';
import { newId } from '../../../domain/id.ts';
import { holdsRoleIn } from '../../../domain/person.ts';
import type { RoleName } from '../../../domain/roles.ts';
import { KmcError } from '../../../errors.ts';
import type { StoredCheckpoint } from '../../ports/audit.ts';
import type { Clock, Database } from '../../ports/database.ts';

export interface AuditPullInput {
  /** Index of the first event wanted. */
  readonly from: number;
  /** 1 to 5,000. */
  readonly limit: number;
  /** Size of the checkpoint that an earlier page was pinned to: the pages of one pull then agree. */
  readonly size?: number;
  /** Of the events looked at only these are answered. */
  readonly filter?: AuditFilter;
  /** Stands in the event of the pull. */
  readonly format?: AuditFormatName;
  readonly source: AuditSource;
}

export interface AuditPage {
  readonly entries: readonly PlacedEvent[];
  /** What was looked at: [from, next). */
  readonly scanned: { readonly from: number; readonly next: number };
  /** The page is pinned to this many leaves. */
  readonly size: number;
  readonly checkpoint: StoredCheckpoint;
  readonly done: boolean;
}

const MAX_PAGE = 5_000;

/**
 * A page of the log, never beyond the newest signed checkpoint. Reading is recorded too, except for pages that hold
 * nothing but the caller's own pulls: or a reader who polls would feed himself for ever.
 * @throws KmcError E_FORBIDDEN unless the caller is an auditor or audit-administrator; E_SCHEMA; E_NOT_FOUND when nothing
 * was signed yet or `size` is more than was.
 */
export async function pullAudit(
  ports: { readonly database: Database; readonly clock: Clock; readonly origin: string },
  input: AuditPullInput,
  caller: Caller,
): Promise<AuditPage> {
  requireAuditReader(caller);
  if (!Number.isSafeInteger(input.from) || input.from < 0 || !Number.isInteger(input.limit)) throw badRange();
  if (input.limit < 1 || input.limit > MAX_PAGE) throw badRange();
  const page = await readPage(ports.database, input);
  if (page.entries.some((entry) => !isOwnPull(entry.record, caller))) {
    const filter = filterText(input.filter ?? {});
    await recordPull(ports, caller, input.source, {
      first: page.scanned.from,
      next: page.scanned.next,
      events: page.entries.length,
      size: page.size,
      ...(filter === undefined ? {} : { filter }),
      ...(input.format === undefined ? {} : { format: input.format }),
    });
  }
  return page;
}

async function readPage(database: Database, { filter = {}, from, limit, size }: AuditPullInput): Promise<AuditPage> {
  return await database.read(async ({ audit }) => {
    const checkpoint = await audit.newestCheckpoint();
    if (checkpoint === undefined || (size ?? 0) > checkpoint.size) {
      throw new KmcError('E_NOT_FOUND', 'No checkpoint of that size was signed yet. Ask again in a few seconds.');
    }
    const end = size ?? checkpoint.size;
    const wanted = Math.min(limit, end - from);
    const found = wanted <= 0 ? [] : await audit.entries(from, wanted);
    const next = from + found.length;
    const entries = found
      .map(({ canon, index, leaf }) => ({ canon, index, leaf, record: parseAuditRecord(canon) }))
      .filter(({ record }) => matchesFilter(record, filter));
    return { entries, scanned: { from, next }, size: end, checkpoint, done: next >= end };
  });
}

/** Records that events were read. @throws KmcError E_AUDIT, E_SEALED, E_STORAGE. */
export async function recordPull(
  ports: { readonly database: Pick<Database, 'transaction'>; readonly clock: Clock; readonly origin: string },
  caller: Caller,
  source: AuditSource,
  read: {
    readonly first: number;
    readonly next: number;
    readonly events: number;
    readonly size: number;
    readonly filter?: string;
    readonly format?: string;
  },
): Promise<void> {
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id,
        action: 'audit.pull',
        outcome: 'success',
        subjects: [{ type: 'log', id: ports.origin }],
        actor: auditActor(caller),
        source,
        detail: read,
      },
      at,
    );
  });
}

/** True for an event that says that this caller read the log. */
export function isOwnPull({ act, actor }: AuditRecord, caller: Caller): boolean {
  return act === 'audit.pull' && actor.id === auditActor(caller).id;
}

/** @throws KmcError E_FORBIDDEN unless the caller is an auditor, an audit-administrator or the service itself. */
export function requireAuditReader(caller: Caller): void {
  if (caller.type === 'system') return;
  const isReader = (role: RoleName): boolean => caller.type === 'person' && holdsRoleIn(caller, role);
  if (isReader('auditor') || isReader('audit-administrator')) return;
  throw new KmcError('E_FORBIDDEN', 'Only auditors read the audit log.');
}

function badRange(): KmcError {
  return new KmcError('E_SCHEMA', `A page begins at an index from 0 and has 1 to ${MAX_PAGE} events.`);
}
