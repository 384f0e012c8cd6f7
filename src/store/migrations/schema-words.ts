/** The words of a schema in which the two engines differ, and the triggers that both get. */
import type { Knex } from 'knex';

export interface SchemaWords {
  /** Compared octet by octet on both engines, so that ids and times sort alike. */
  readonly text: string;
  readonly integer: string;
  readonly blob: string;
  /** After the closing bracket of a table. */
  readonly strict: string;
}

const SQLITE: SchemaWords = { text: 'text', integer: 'integer', blob: 'blob', strict: ' strict' };
const POSTGRESQL: SchemaWords = { text: 'text collate "C"', integer: 'bigint', blob: 'bytea', strict: '' };

/** True for SQLite, false for PostgreSQL. */
export function isSqlite(knex: Knex): boolean {
  return (knex.client as { readonly config: { readonly client: string } }).config.client === 'sqlite3';
}

/** The words of the engine that is migrated. */
export function schemaWords(knex: Knex): SchemaWords {
  return isSqlite(knex) ? SQLITE : POSTGRESQL;
}

/** A CHECK that lets in the listed words only. */
export function oneOf(column: string, words: readonly string[]): string {
  return `check (${column} in (${words.map((word) => `'${word}'`).join(', ')}))`;
}

/** A column that names the audit event of the last change; the event may follow in the same transaction (audit-log 3.4). */
export function lastAuditEvent({ text }: SchemaWords): string {
  return `last_audit_event ${text} not null references audit_event (id) deferrable initially deferred`;
}

/** Runs statements one after another. */
export async function runAll(knex: Knex, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await knex.raw(statement);
}

export interface RefusingTrigger {
  readonly table: string;
  readonly name: string;
  readonly on: 'insert' | 'update' | 'delete';
  /** SQL condition over `new` and `old`; the statement is refused when it holds. */
  readonly when: string;
  /** `KMC <error code> <text for people>`, without quotes or percent signs. */
  readonly message: string;
  /** On PostgreSQL: a statement of plpgsql that runs before the condition, to lock what it looks at. */
  readonly lock?: string;
}

/** A trigger that refuses a statement before it touches a row. */
export async function refuse(knex: Knex, trigger: RefusingTrigger): Promise<void> {
  const { table, on, when, message } = trigger;
  const name = `${table}_${trigger.name}`;
  if (isSqlite(knex)) {
    await knex.raw(
      `create trigger ${name} before ${on} on ${table} begin select raise(abort, '${message}') where ${when}; end`,
    );
    return;
  }
  await knex.raw(
    `create function ${name}() returns trigger language plpgsql as $$ begin
       ${trigger.lock ?? ''}
       if ${when} then raise exception '${message}'; end if;
       return ${on === 'delete' ? 'old' : 'new'};
     end $$`,
  );
  await knex.raw(`create trigger ${name} before ${on} on ${table} for each row execute function ${name}()`);
}

/** Refuses a change of a row without an audit event of its own. */
export async function refuseSilentChange(knex: Knex, table: string): Promise<void> {
  await refuse(knex, {
    table,
    name: 'audited',
    on: 'update',
    when: 'new.last_audit_event = old.last_audit_event',
    message: 'KMC E_AUDIT A change without an audit event of its own is refused. This is a defect: report it.',
  });
}

/** Refuses to delete rows that are evidence. */
export async function refuseDeletion(knex: Knex, table: string): Promise<void> {
  await refuse(knex, {
    table,
    name: 'kept',
    on: 'delete',
    when: 'true',
    message: 'KMC E_FORBIDDEN Rows of this table are evidence and are never deleted.',
  });
}
