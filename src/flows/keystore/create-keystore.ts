/** Makes a keystore: unseal key and shares, master key, one key-encryption key for each purpose. */
import type { CryptoEngine } from '../../crypto/engine.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { encodeFormatFile } from '../../domain/keystore/format-file.ts';
import type { DatabaseStep } from '../../domain/keystore/journal-record.ts';
import { FORMAT_FILE, KEYSTORE_PURPOSES, kekFileName, sealFileName } from '../../domain/keystore/keystore-kind.ts';
import type { CheckValue } from '../../domain/keystore/manifest.ts';
import { encodeSealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import { commitChange, discardChange, keystoreChangeEvent } from './commit-change.ts';
import { handOutShares, type HandOut } from './hand-out-shares.ts';
import { readJournal } from './inspect-keystore.ts';
import { kekCheckValue, KeyRing, type SealedKek } from './key-ring.ts';

export interface CreateKeystorePorts {
  readonly engine: CryptoEngine;
  readonly files: KeystoreFiles;
  readonly clock: Clock;
  /** Needed for the service keystore; the ceremony keystore has none. */
  readonly database?: Database;
}

export interface CreateKeystoreInput extends HandOut {
  /** Id of the KMC instance. */
  readonly instance: string;
  /** Id of the change, e.g. ceremony and step; a new one unless given. */
  readonly change?: string;
  readonly source: AuditSource;
}

export interface CreatedKeystore {
  readonly setId: string;
  readonly epoch: number;
  /** Check values of master key and key-encryption keys, to be read out and printed. */
  readonly checkValues: readonly CheckValue[];
}

const FIRST_VERSION = 1;

/**
 * Makes the keystore of the kind of `files`. It is sealed afterwards. A making that was cut before it counted is cleared
 * away and begun anew, with a new share set; one that was cut later is completed by the next unseal.
 * @throws KmcError E_EXISTS (keystore or its rows are there), E_SAME_PERSON, E_USAGE (threshold), E_CONFLICT (another
 * process is at it), E_STORAGE, E_AUDIT.
 */
export async function createKeystore(
  ports: CreateKeystorePorts,
  input: CreateKeystoreInput,
  caller: Caller,
): Promise<CreatedKeystore> {
  const database = databaseOf(ports);
  return ports.files.exclusively(async () => {
    await clearTheWay(ports.files, database);
    return make(ports, database, input, caller);
  });
}

async function make(
  { engine, files, clock }: CreateKeystorePorts,
  database: Database | undefined,
  input: CreateKeystoreInput,
  caller: Caller,
): Promise<CreatedKeystore> {
  const now = clock.now();
  const ring = await KeyRing.generate(engine, FIRST_VERSION);
  try {
    const keks: SealedKek[] = [];
    for (const purpose of KEYSTORE_PURPOSES[files.kind]) {
      const kek = await ring.generateKek(purpose, FIRST_VERSION);
      await ring.openKek(kek, files);
      keks.push(kek);
    }
    const seal = await handOutShares(engine, ring, input);
    const checkValues = [await ring.masterCheckValue(), ...keks.map(kekCheckValue)];
    const isService = database !== undefined;
    await commitChange({ files, ...(isService ? { database } : {}) }, ring, {
      id: input.change ?? newId('change', now),
      instance: input.instance,
      fromEpoch: 0,
      adds: [
        { name: FORMAT_FILE, bytes: encodeFormatFile({ instance: input.instance, kind: files.kind }) },
        { name: sealFileName(seal.set.setId), bytes: encodeSealFile(seal) },
        ...(isService ? [] : keks.map((kek) => ({ name: kekFileName(kek.purpose, kek.version), bytes: kek.blob }))),
      ],
      removes: [],
      // The service's key-encryption keys change without its files: their check values stand in their rows.
      checkValues: isService ? checkValues.slice(0, 1) : checkValues,
      seal,
      ...(isService ? { database: databaseStep(keks, input, caller, now) } : {}),
    });
    return { setId: seal.set.setId, epoch: 1, checkValues };
  } finally {
    ring.wipe();
  }
}

function databaseOf({ files, database }: CreateKeystorePorts): Database | undefined {
  if (files.kind === 'ceremony') return undefined;
  if (database === undefined) throw new KmcError('E_INTERNAL', 'The service keystore needs its database.');
  return database;
}

async function clearTheWay(files: KeystoreFiles, database: Database | undefined): Promise<void> {
  if (files.manifest() !== undefined) {
    throw new KmcError('E_EXISTS', 'There is a keystore here already; nothing of it was changed.');
  }
  if (database !== undefined && (await database.read((reader) => reader.instance.keystoreEpoch())) !== 0) {
    throw new KmcError('E_EXISTS', 'The database belongs to a keystore already; carry its files to this node.');
  }
  const record = readJournal(files);
  if (record !== undefined) discardChange(files, record.body);
  if (files.list().length > 0) {
    throw new KmcError('E_EXISTS', 'The keystore directory holds files without a manifest; move them away first.');
  }
}

function databaseStep(
  keks: readonly SealedKek[],
  { source }: CreateKeystoreInput,
  caller: Caller,
  now: Date,
): DatabaseStep {
  return {
    keks: keks.map(({ purpose, version, blob, keyCheckValue }) => ({
      purpose,
      version,
      replaces: 0,
      blob,
      keyCheckValue,
      createdAt: now,
    })),
    event: keystoreChangeEvent('keystore.create', source, caller, now),
  };
}
