/** An audit event: what a flow says happened, and the canonical record (with its place in each chain) made of it. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { auditActionRule, type AuditAction } from './actions.ts';
import { commitTo, type Opening } from './commitment.ts';
import {
  MAX_RECORD_OCTETS,
  MAX_SUBJECTS,
  canonicalText,
  recordMisfit,
  schemaError,
  subjectKey,
  type ActorType,
  type AuditOutcome,
  type AuditPhase,
  type AuditRecord,
  type SubjectType,
} from './record.ts';
import { leafHash } from './tree.ts';

export interface AuditActor {
  readonly type: ActorType;
  readonly id: string;
  /** A name of the role table (D.3). */
  readonly role?: string;
  /** `sm3:<hex>` of the certificate. */
  readonly cert?: string;
}

export interface AuditSubject {
  readonly type: SubjectType;
  readonly id: string;
  /** The subject's version after the event. */
  readonly version?: number;
}

/** Something the event can be found under that has no chain, so that nothing waits for it: a CA, a profile, a person. */
export interface AuditTerm {
  readonly type: string;
  readonly id: string;
}

export interface AuditSource {
  /** The service node. */
  readonly node: string;
  /** The request id. */
  readonly request?: string;
  /** Transport address: only a commitment to it goes into the log. */
  readonly address?: string;
}

export interface AuditApproval {
  /** The approving person. */
  readonly id: string;
  readonly role: string;
  readonly at: Date;
  /** base64 of raw r||s. */
  readonly signature?: string;
}

export interface AuditEventInput {
  /** newId('ev'), made by the caller outside of the transaction, which may run again. */
  readonly id: string;
  readonly action: AuditAction;
  /** Default `single`. Irreversible acts write `intent` first and `result` with the business change (audit-log 3.6). */
  readonly phase?: AuditPhase;
  /** On a result: the id of its intent. */
  readonly ref?: string;
  readonly outcome: AuditOutcome;
  /** Why not: an error code or a reason. */
  readonly code?: string;
  /** 1 to 8, each with a chain of its own; a transaction waits for others that write about the same subject. */
  readonly subjects: readonly AuditSubject[];
  readonly terms?: readonly AuditTerm[];
  readonly actor: AuditActor;
  readonly source: AuditSource;
  readonly approvals?: readonly AuditApproval[];
  /** Fields of the action's row in the registry; auditText cleans text from outside. */
  readonly detail: Readonly<Record<string, string | number | boolean>>;
  /** Personal or easily guessed values for detail fields of the kind `commitment`; they stay outside of the log. */
  readonly committed?: Readonly<Record<string, string>>;
}

/** Where the chain of a subject stands: the number of its next event, and the leaf hash of its last one. */
export interface ChainHead {
  readonly nextN: number;
  readonly lastLeaf: Buffer | undefined;
}

export interface SubjectName {
  readonly t: SubjectType;
  readonly tag: string;
}

export interface RecordContext {
  /** Origin of the log. */
  readonly log: string;
  readonly at: Date;
  /** The newest checkpoint that this process has verified: a lower bound for the time of the event. */
  readonly checkpoint?: { readonly size: number; readonly root: Buffer };
  /** By subjectKey. */
  readonly heads: ReadonlyMap<string, ChainHead>;
}

export interface EncodedEvent {
  readonly record: AuditRecord;
  /** The canonical bytes: what is stored, hashed and exported. */
  readonly canon: Buffer;
  /** SM3(0x00 || canon). */
  readonly leaf: Buffer;
  /** What opens the commitments in the record; `field` is a path in it, e.g. `src.ip_c`. */
  readonly openings: readonly (Opening & { readonly field: string })[];
}

const FIRST: ChainHead = { nextN: 0, lastLeaf: undefined };

/**
 * The subjects of the event as (t, tag), in the order in which their chains must be locked.
 * @throws KmcError E_SCHEMA unless there are 1 to 8, each once.
 */
export function chainsOf(input: AuditEventInput): SubjectName[] {
  const chains = input.subjects.map(({ type, id }) => ({ t: type, tag: id })).sort(byKey);
  const isRepeated = chains.some((chain, at) => at > 0 && subjectKey(chain) === subjectKey(chains[at - 1] ?? chain));
  if (chains.length < 1 || chains.length > MAX_SUBJECTS || isRepeated) {
    throw schemaError(`The audit event "${input.action}"`, '/subj');
  }
  return chains;
}

/**
 * Makes the canonical record of an event at its place in the chains.
 * @throws KmcError E_SCHEMA, with the pointer into the record, when the action, a field or a value is not one that the
 * registry allows; E_SIZE above 16 KiB.
 */
export function encodeAuditEvent(input: AuditEventInput, context: RecordContext): EncodedEvent {
  const openings: (Opening & { field: string })[] = [];
  const commit = (field: string, value: string): string => {
    const { commitment, opening } = commitTo(value);
    openings.push({ ...opening, field });
    return commitment;
  };
  const record = recordOf(input, context, commit);
  const misfit = recordMisfit(record);
  if (misfit !== undefined) throw schemaError(`The audit event "${input.action}"`, misfit);
  const canon = Buffer.from(canonicalText(record), 'utf8');
  if (canon.length > MAX_RECORD_OCTETS) {
    throw new KmcError('E_SIZE', 'An audit event is larger than 16 KiB; put large evidence in by its SM3 and size.');
  }
  return { record, canon, leaf: leafHash(sm3, canon), openings };
}

/** What the MAC of an event row covers: the leaf hash (32 octets) and the event id, UTF-8. */
export function rowMacMessage(leaf: Buffer, eventId: string): Buffer {
  return Buffer.concat([leaf, Buffer.from(eventId, 'utf8')]);
}

/** Keys stand in the order of RFC 8785, which recordMisfit demands. */
function recordOf(
  input: AuditEventInput,
  context: RecordContext,
  commit: (field: string, value: string) => string,
): AuditRecord {
  const { actor, approvals, source } = input;
  const { checkpoint } = context;
  return {
    act: input.action,
    actor: {
      ...(actor.cert === undefined ? {} : { cred: actor.cert }),
      id: actor.id,
      ...(actor.role === undefined ? {} : { role: actor.role }),
      t: actor.type,
    },
    ...(approvals === undefined || approvals.length === 0 ? {} : { appr: approvals.map(approvalOf) }),
    cls: auditActionRule(input.action)?.class ?? '',
    ...(input.code === undefined ? {} : { code: input.code }),
    ...(checkpoint === undefined ? {} : { cp: { n: checkpoint.size, r: checkpoint.root.toString('base64url') } }),
    det: detailOf(input, commit),
    id: input.id,
    log: context.log,
    out: input.outcome,
    ph: input.phase ?? 'single',
    ...(input.ref === undefined ? {} : { ref: input.ref }),
    src: {
      ...(source.address === undefined ? {} : { ip_c: commit('src.ip_c', source.address) }),
      node: source.node,
      ...(source.request === undefined ? {} : { req: source.request }),
    },
    subj: linksOf(input, context.heads),
    ...(input.terms === undefined || input.terms.length === 0 ? {} : { terms: termsOf(input.terms) }),
    ts: context.at.toISOString(),
    v: 1,
  };
}

function approvalOf({ at, id, role, signature }: AuditApproval): NonNullable<AuditRecord['appr']>[number] {
  return { at: at.toISOString(), id, role, ...(signature === undefined ? {} : { sig: signature }) };
}

function detailOf(
  { detail, committed = {} }: AuditEventInput,
  commit: (field: string, value: string) => string,
): AuditRecord['det'] {
  const commitments = Object.entries(committed).map(
    ([field, value]) => [field, commit(`det.${field}`, value)] as const,
  );
  return Object.fromEntries([...Object.entries(detail), ...commitments].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function linksOf(input: AuditEventInput, heads: ReadonlyMap<string, ChainHead>): AuditRecord['subj'] {
  const versions = new Map(input.subjects.map(({ type, id, version }) => [subjectKey({ t: type, tag: id }), version]));
  return chainsOf(input).map((subject) => {
    const { nextN, lastLeaf } = heads.get(subjectKey(subject)) ?? FIRST;
    const version = versions.get(subjectKey(subject));
    return {
      n: nextN,
      p: lastLeaf?.toString('base64url') ?? null,
      t: subject.t,
      tag: subject.tag,
      ...(version === undefined ? {} : { ver: version }),
    };
  });
}

function termsOf(terms: readonly AuditTerm[]): NonNullable<AuditRecord['terms']> {
  return terms.map(({ type, id }) => ({ t: type, tag: id })).sort(byKey);
}

function byKey(a: { t: string; tag: string }, b: { t: string; tag: string }): number {
  return subjectKey(a) < subjectKey(b) ? -1 : 1;
}
