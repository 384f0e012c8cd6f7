import type { KeyAlgorithmName } from '../crypto/algorithm-names.ts';
import type { KekPurpose } from '../crypto/engine.ts';
import type {
  KeystoreRowWriter,
  Resealing,
  SealedCaKeyRow,
  SealedCaKeyState,
  SealedKekRow,
  SealedKekState,
} from '../flows/ports/keystore-rows.ts';
import type { Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won, word } from './table.ts';

const KEKS = new Table<SealedKekRow>('sealed_kek', {
  purpose: word<KekPurpose>(),
  version: integer,
  state: word<SealedKekState>(),
  blob: optional(blob),
  keyCheckValue: blob,
  objectVersion: integer,
  createdAt: time,
});

const CA_KEYS = new Table<SealedCaKeyRow>('sealed_ca_key', {
  keyId: text,
  version: integer,
  algorithm: word<KeyAlgorithmName>(),
  spki: blob,
  spkiSm3: text,
  usage: text,
  state: word<SealedCaKeyState>(),
  blob: optional(blob),
  kekVersion: integer,
  objectVersion: integer,
  createdAt: time,
});

export class StoredKeystoreRows implements KeystoreRowWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  keks(): Promise<SealedKekRow[]> {
    return KEKS.all(this.#sql, 'order by purpose, version');
  }

  kek(purpose: KekPurpose, version: number): Promise<SealedKekRow | undefined> {
    return KEKS.find(this.#sql, 'where purpose = ? and version = ?', purpose, version);
  }

  caKeys(): Promise<SealedCaKeyRow[]> {
    return CA_KEYS.all(this.#sql, 'order by key_id, version');
  }

  caKey(keyId: string): Promise<SealedCaKeyRow | undefined> {
    return CA_KEYS.find(this.#sql, 'where key_id = ? order by version desc limit 1', keyId);
  }

  caKeyBySpki(spkiSm3: string): Promise<SealedCaKeyRow | undefined> {
    return CA_KEYS.find(this.#sql, 'where spki_sm3 = ?', spkiSm3);
  }

  async addKek(row: Omit<SealedKekRow, 'state' | 'objectVersion'>, epoch: number): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    await this.#sql.run(
      "update sealed_kek set state = 'previous' where purpose = ? and state = 'current'",
      row.purpose,
    );
    await KEKS.insertAll(this.#sql, [{ ...row, state: 'current', objectVersion: 1 }]);
    return true;
  }

  async resealKek(purpose: KekPurpose, version: number, from: number, sealed: Buffer, epoch: number): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    return won(
      this.#sql.run(
        `update sealed_kek set blob = ?, object_version = object_version + 1
         where purpose = ? and version = ? and object_version = ? and state <> 'destroyed'`,
        sealed,
        purpose,
        version,
        from,
      ),
    );
  }

  async destroyKek(purpose: KekPurpose, version: number, epoch: number): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    return won(
      this.#sql.run(
        "update sealed_kek set state = 'destroyed', blob = null where purpose = ? and version = ? and state = 'previous'",
        purpose,
        version,
      ),
    );
  }

  async addCaKey(row: Omit<SealedCaKeyRow, 'state' | 'objectVersion'>, epoch: number): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    await CA_KEYS.insertAll(this.#sql, [{ ...row, state: 'active', objectVersion: 1 }]);
    return true;
  }

  async resealCaKey(keyId: string, version: number, from: number, to: Resealing, epoch: number): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    return won(
      this.#sql.run(
        `update sealed_ca_key set blob = ?, kek_version = ?, object_version = object_version + 1
         where key_id = ? and version = ? and object_version = ? and state <> 'destroyed'`,
        to.blob,
        to.kekVersion,
        keyId,
        version,
        from,
      ),
    );
  }

  async setCaKeyState(
    keyId: string,
    version: number,
    from: SealedCaKeyState,
    to: SealedCaKeyState,
    epoch: number,
  ): Promise<boolean> {
    if (!(await this.#holdEpoch(epoch))) return false;
    return won(
      this.#sql.run(
        `update sealed_ca_key set state = ?, blob = case when ? = 'destroyed' then null else blob end
         where key_id = ? and version = ? and state = ?`,
        to,
        to,
        keyId,
        version,
        from,
      ),
    );
  }

  /** Locks the epoch row, so that no other transaction moves the epoch before this one ends. */
  #holdEpoch(epoch: number): Promise<boolean> {
    return won(this.#sql.run('update keystore_epoch set epoch = epoch where epoch = ?', epoch));
  }
}
