/** What every table of keys does alike: a state change, and a blob that is sealed anew. */
import { storeOf } from '../domain/key-state.ts';
import type { KeyTransition } from '../flows/ports/escrowed-keys.ts';
import type { Sql } from './sql.ts';
import { optional, time, won } from './table.ts';

export interface Resealed {
  readonly sealedKey: Buffer;
  readonly kekVersion: number;
}

/** The statements of one table of keys. */
export class KeyStatements {
  readonly #transition: string;
  readonly #reseal: string;

  constructor(table: string) {
    this.#transition = `update ${table} set state = ?, store = ?, version = version + 1, changed_at = ?,
       destroy_after = ?, state_reason = ?,
       compromised_at = case when ? = 'compromised' then coalesce(compromised_at, ?) else compromised_at end,
       sealed_key = case when ? = 'tombstone' then null else sealed_key end, last_audit_event = ?
     where id = ? and state = ? and version = ?`;
    this.#reseal = `update ${table} set sealed_key = ?, kek_version = ?, object_version = object_version + 1,
       last_audit_event = ?
     where id = ? and object_version = ? and sealed_key is not null`;
  }

  /** Compare-and-set on state and version; the store follows the state, and a destroyed key loses its blob. */
  transition(sql: Sql, { id, from, to, at, destroyAfter, reason, auditEvent }: KeyTransition): Promise<boolean> {
    const store = storeOf(to);
    return won(
      sql.run(
        this.#transition,
        to,
        store,
        time.encode(at),
        optional(time).encode(destroyAfter),
        reason ?? null,
        to,
        time.encode(at),
        store,
        auditEvent,
        id,
        from.state,
        from.version,
      ),
    );
  }

  /** Compare-and-set on the object version. */
  reseal(sql: Sql, id: string, from: number, to: Resealed, auditEvent: string): Promise<boolean> {
    return won(sql.run(this.#reseal, to.sealedKey, to.kekVersion, auditEvent, id, from));
  }
}
