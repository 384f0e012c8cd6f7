import type { AuditSource } from '../../domain/audit/event.ts';
import { parseAuditRecord } from '../../domain/audit/record.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import type { AuditEntry, StoredCheckpoint } from '../ports/audit.ts';
import type { Clock, Database } from '../ports/database.ts';

export interface AuditPullInput {
  /** Index of the first event wanted. */
  readonly from: number;
  /** 1 to 5,000. */
  readonly limit: number;
  /** Size of the checkpoint that an earlier page was pinned to: the pages of one pull then agree. */
  readonly size?: number;
  readonly source: AuditSource;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
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
  requireReader(caller);
  if (!Number.isSafeInteger(input.from) || input.from < 0 || !Number.isInteger(input.limit)) throw badRange();
  if (input.limit < 1 || input.limit > MAX_PAGE) throw badRange();
  const page = await readPage(ports.database, input);
  if (page.entries.some((entry) => !isOwnPull(entry, caller))) await recordPull(ports, input, caller, page);
  return page;
}

async function readPage(database: Database, { from, limit, size }: AuditPullInput): Promise<AuditPage> {
  return await database.read(async ({ audit }) => {
    const checkpoint = await audit.newestCheckpoint();
    if (checkpoint === undefined || (size ?? 0) > checkpoint.size) {
      throw new KmcError('E_NOT_FOUND', 'No checkpoint of that size was signed yet. Ask again in a few seconds.');
    }
    const end = size ?? checkpoint.size;
    const wanted = Math.min(limit, end - from);
    const entries = wanted <= 0 ? [] : await audit.entries(from, wanted);
    const next = from + entries.length;
    return { entries, scanned: { from, next }, size: end, checkpoint, done: next >= end };
  });
}

async function recordPull(
  ports: { readonly database: Database; readonly clock: Clock; readonly origin: string },
  input: AuditPullInput,
  caller: Caller,
  page: AuditPage,
): Promise<void> {
  const at = ports.clock.now();
  const id = newId('ev', at);
  const { from, next } = page.scanned;
  await ports.database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id,
        action: 'audit.pull',
        outcome: 'success',
        subjects: [{ type: 'log', id: ports.origin }],
        actor: auditActor(caller),
        source: input.source,
        detail: { first: from, next, events: page.entries.length, size: page.size },
      },
      at,
    );
  });
}

function isOwnPull(entry: AuditEntry, caller: Caller): boolean {
  const { act, actor } = parseAuditRecord(entry.canon);
  return act === 'audit.pull' && actor.id === auditActor(caller).id;
}

function requireReader(caller: Caller): void {
  if (caller.type === 'system') return;
  const isReader = (role: RoleName): boolean => caller.type === 'person' && holdsRoleIn(caller, role);
  if (isReader('auditor') || isReader('audit-administrator')) return;
  throw new KmcError('E_FORBIDDEN', 'Only auditors read the audit log.');
}

function badRange(): KmcError {
  return new KmcError('E_SCHEMA', `A page begins at an index from 0 and has 1 to ${MAX_PAGE} events.`);
}
