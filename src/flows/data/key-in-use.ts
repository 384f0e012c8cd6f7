/** A managed key in the hands of one call: its grant was looked at, its versions are opened as they are needed. */
import type { DataLabel } from '../../crypto/engine.ts';
import type { ApplicationCaller } from '../../domain/caller.ts';
import { contextOctets, type DataContext } from '../../domain/data-context.ts';
import { requireOperation, requireProcessing, requireProtecting, type KeyOperation } from '../../domain/managed-key.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { currentVersion } from '../keys/life-target.ts';
import { destroyMaterial, openMaterial, type KeyMaterial } from '../managed-keys/key-material.ts';
import type { Reader } from '../ports/database.ts';
import type { ManagedKey, ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import { takeUses, type UsePorts } from './take-uses.ts';

export type DataPorts = Pick<Instance, 'clock' | 'database' | 'engine' | 'keystore' | 'policies'> & UsePorts;

/** One version, opened. */
export interface OpenVersion {
  readonly number: number;
  readonly material: KeyMaterial;
  readonly row: ManagedKeyVersionRow;
}

/** One text for a key that is not there and for one that the caller has no grant on. */
function unknownKey(): KmcError {
  return new KmcError('E_NOT_FOUND', 'There is no key of that id for this application.');
}

/** @throws KmcError E_NOT_FOUND; E_FORBIDDEN when the grant does not hold the operation; E_USAGE. */
async function grantedKey(
  reader: Reader,
  caller: ApplicationCaller,
  keyId: string,
  operation: KeyOperation,
): Promise<ManagedKey> {
  const grant = await reader.applications.grant(caller.id, keyId);
  if (grant === undefined || grant.operations.length === 0) throw unknownKey();
  if (!grant.operations.includes(operation)) {
    throw new KmcError('E_FORBIDDEN', `The grant of this application on the key does not hold ${operation}.`);
  }
  const key = await reader.managedKeys.find(keyId);
  if (key === undefined) throw unknownKey();
  requireOperation(key.kind, operation);
  return key;
}

export class KeyInUse {
  readonly key: ManagedKey;
  readonly #ports: DataPorts;
  readonly #caller: ApplicationCaller;
  readonly #operation: KeyOperation;
  readonly #opened = new Map<number, OpenVersion>();

  constructor(ports: DataPorts, caller: ApplicationCaller, key: ManagedKey, operation: KeyOperation) {
    this.#ports = ports;
    this.#caller = caller;
    this.key = key;
    this.#operation = operation;
  }

  /** Number of the version that protects. */
  get currentNumber(): number {
    return this.key.currentNumber;
  }

  /**
   * The current version, for so many uses that protect.
   * @throws KmcError E_STATE; E_PERIOD when its crypto-period or its uses are over.
   */
  async protecting(count: number): Promise<OpenVersion> {
    const current = currentVersion(this.key);
    const { clock, policies } = this.#ports;
    requireProtecting(this.key.kind, current, policies.cryptoPeriods, clock.now());
    await this.#take(current, count, this.key.useLimit);
    return await this.#open(current);
  }

  /**
   * The version of that number, for one use that processes; nothing when there is no such version.
   * @throws KmcError E_STATE, E_PERIOD.
   */
  async processing(number: number): Promise<OpenVersion | undefined> {
    const row = await this.checking(number);
    return row === undefined ? undefined : await this.#open(row);
  }

  /** As `processing`, for what the public key of the version does: nothing is opened. */
  async checking(number: number): Promise<ManagedKeyVersionRow | undefined> {
    const row = this.#mayProcess(number);
    if (row !== undefined) await this.#take(row, 1, undefined);
    return row;
  }

  /** The version that a ciphertext to rewrap is under: the use is that of the current one. */
  async rewrapping(number: number): Promise<OpenVersion | undefined> {
    const row = this.#mayProcess(number);
    return row === undefined ? undefined : await this.#open(row);
  }

  /** What a ciphertext of that version in this context is bound to. */
  label(keyVersion: number, context: DataContext | undefined): DataLabel {
    return { keyId: this.key.id, keyVersion, context: contextOctets(context) };
  }

  /** Counts a use that came to nothing. */
  failed({ id: versionId, number }: ManagedKeyVersionRow): void {
    const { id, certificateSm3 } = this.#caller;
    const use = { versionId, number, count: 1, caller: { id, certificateSm3 } };
    this.#ports.uses.fail(use, this.#ports.clock.now());
  }

  /** Forgets what was opened. */
  close(): void {
    for (const { material } of this.#opened.values()) destroyMaterial(this.#ports.engine, material);
    this.#opened.clear();
  }

  #mayProcess(number: number): ManagedKeyVersionRow | undefined {
    const row = this.key.versions.find((version) => version.number === number);
    if (row === undefined) return undefined;
    const { clock, policies } = this.#ports;
    requireProcessing(this.key.kind, row, currentVersion(this.key), policies.cryptoPeriods, clock.now());
    return row;
  }

  async #take(
    { id: versionId, number }: ManagedKeyVersionRow,
    count: number,
    limit: number | undefined,
  ): Promise<void> {
    const { id, certificateSm3 } = this.#caller;
    const caller = { id, certificateSm3 };
    await takeUses(this.#ports, { versionId, number, operation: this.#operation, count, limit, caller });
  }

  async #open(row: ManagedKeyVersionRow): Promise<OpenVersion> {
    const known = this.#opened.get(row.number);
    if (known !== undefined) return known;
    const opened = { number: row.number, material: await openMaterial(this.#ports, this.key.kind, row), row };
    this.#opened.set(row.number, opened);
    return opened;
  }
}

/**
 * Lets `work` use a managed key by the grant of the caller, and forgets the key afterwards.
 * @throws KmcError E_NOT_FOUND for a key that is not there or on which the caller has no grant; E_FORBIDDEN for another
 * operation than was granted; E_SEALED; and what `work` throws.
 */
export async function withKey<T>(
  ports: DataPorts,
  caller: ApplicationCaller,
  { keyId, operation }: { readonly keyId: string; readonly operation: KeyOperation },
  work: (key: KeyInUse) => Promise<T>,
): Promise<T> {
  const key = await ports.database.read((reader) => grantedKey(reader, caller, keyId, operation));
  const used = new KeyInUse(ports, caller, key, operation);
  try {
    return await work(used);
  } finally {
    used.close();
  }
}
