import type { KeyAlgorithmName } from '../crypto/algorithm-names.ts';
import { KmcError } from '../errors.ts';
import type {
  AuthorityFilter,
  AuthorityKind,
  AuthorityRow,
  AuthorityState,
  AuthorityWriter,
  InventoryState,
} from '../flows/ports/authorities.ts';
import { filtered, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, integer, natural, optional, Table, text, time, won, word } from './table.ts';

const AUTHORITIES = new Table<AuthorityRow>('authorities', {
  id: text,
  kind: word<AuthorityKind>(),
  generation: optional(text),
  subject: blob,
  algorithm: word<KeyAlgorithmName>(),
  spkiSm3: text,
  certificate: blob,
  keyId: optional(text),
  issuerId: optional(text),
  state: word<AuthorityState>(),
  inventory: word<InventoryState>(),
  crlNumber: natural,
  notBefore: time,
  notAfter: time,
  version: integer,
  createdAt: time,
});

const FILTER: FilterColumns<AuthorityFilter> = { kind: 'kind', state: 'state' };

export class StoredAuthorities implements AuthorityWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<AuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, 'where id = ?', id);
  }

  findBySubject(subject: Buffer): Promise<AuthorityRow[]> {
    return AUTHORITIES.all(this.#sql, 'where subject = ? order by id', subject);
  }

  findByKey(spkiSm3: string): Promise<AuthorityRow[]> {
    return AUTHORITIES.all(this.#sql, 'where spki_sm3 = ? order by id', spkiSm3);
  }

  async list(filter: AuthorityFilter): Promise<AuthorityRow[]> {
    const records = await this.#sql.query(filtered(this.#sql, AUTHORITIES, FILTER, filter).orderBy('id'));
    return records.map((record) => AUTHORITIES.decode(record));
  }

  insert(row: AuthorityRow): Promise<boolean> {
    return AUTHORITIES.insert(this.#sql, row);
  }

  move(id: string, from: Pick<AuthorityRow, 'state' | 'version'>, to: AuthorityState): Promise<boolean> {
    return won(
      this.#sql.run(
        'update authorities set state = ?, version = version + 1 where id = ? and state = ? and version = ?',
        to,
        id,
        from.state,
        from.version,
      ),
    );
  }

  completeInventory(id: string): Promise<boolean> {
    return won(
      this.#sql.run(
        "update authorities set inventory = 'complete', version = version + 1 where id = ? and inventory = 'awaited'",
        id,
      ),
    );
  }

  async advanceCrlNumber(id: string, from: bigint, to: bigint): Promise<boolean> {
    if (to <= from) throw new KmcError('E_CRL', 'The number of a CRL must be greater than that of the one before.');
    return won(
      this.#sql.run(
        'update authorities set crl_number = ? where id = ? and crl_number = ?',
        natural.encode(to),
        id,
        natural.encode(from),
      ),
    );
  }
}
