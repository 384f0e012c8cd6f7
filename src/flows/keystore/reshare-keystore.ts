import type { AuditSource } from '../../domain/audit/event.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { KekStep } from '../../domain/keystore/journal-record.ts';
import { masterFileName, sealFileName } from '../../domain/keystore/keystore-kind.ts';
import { encodeSealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import { commitChange, keystoreChangeEvent, type KeystoreChange } from './commit-change.ts';
import { handOutShares, type HandOut } from './hand-out-shares.ts';
import { inspectKeystore, type InspectedKeystore } from './inspect-keystore.ts';
import type { KeyRing } from './key-ring.ts';
import type { ServiceKeystore } from './service-keystore.ts';

export interface ReshareKeystorePorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

export interface ReshareKeystoreInput extends HandOut {
  /** Id of the change, e.g. ceremony and step; a new one unless given. */
  readonly change?: string;
  readonly source: AuditSource;
}

/**
 * Gives the open service keystore a new share set, unseal key and master key, and seals every key-encryption key anew
 * (security-and-faults 2.5). The old shares open nothing afterwards. Other nodes stay sealed until they have the new
 * files. Whether the caller may is decided by whoever calls this: it runs in a ceremony.
 * @returns id of the new set and the new epoch.
 * @throws KmcError E_SEALED, E_SAME_PERSON, E_USAGE (threshold), E_CONFLICT (the files are not those that were opened, or
 * another process is at it); after any later error the keystore is sealed, and the
 * next unseal completes or drops the change.
 */
export async function reshareKeystore(
  { keystore, clock }: ReshareKeystorePorts,
  input: ReshareKeystoreInput,
  caller: Caller,
): Promise<{ setId: string; epoch: number }> {
  await keystore.reload();
  return keystore.ports.files.exclusively(() => reshareAlone({ keystore, clock }, input, caller));
}

async function reshareAlone(
  { keystore, clock }: ReshareKeystorePorts,
  input: ReshareKeystoreInput,
  caller: Caller,
): Promise<{ setId: string; epoch: number }> {
  const { files, database } = keystore.ports;
  const epoch = keystore.epoch;
  const before = await keystore.faultOnContradiction(() => inspectKeystore(files));
  if (before?.manifest.body.epoch !== epoch || before.record !== undefined) {
    throw new KmcError('E_CONFLICT', 'The files of the keystore were changed meanwhile; seal, and unseal it again.');
  }
  const now = clock.now();
  const next = await keystore.ringForChange().successor();
  try {
    const change = await planReshare(keystore, next, before, input, caller, now);
    await keystore.sealOnFailure(() => commitChange({ files, database }, next, change));
    keystore.replaceRing(next, epoch + 1);
    return { setId: change.seal.set.setId, epoch: epoch + 1 };
  } catch (error) {
    next.wipeMaster();
    throw error;
  }
}

async function planReshare(
  keystore: ServiceKeystore,
  next: KeyRing,
  before: InspectedKeystore,
  input: ReshareKeystoreInput,
  caller: Caller,
  now: Date,
): Promise<KeystoreChange> {
  const ring = keystore.ringForChange();
  const keks = await resealedKeks(keystore, next);
  const earlierMaster = await next.sealEarlierMaster(ring);
  const seal = await handOutShares(keystore.ports.engine, next, input);
  return {
    id: input.change ?? newId('change', now),
    instance: before.manifest.body.instance,
    fromEpoch: before.manifest.body.epoch,
    adds: [
      { name: sealFileName(seal.set.setId), bytes: encodeSealFile(seal) },
      { name: masterFileName(ring.masterVersion), bytes: earlierMaster },
    ],
    removes: [sealFileName(before.seal.set.setId)],
    checkValues: [await next.masterCheckValue()],
    seal,
    database: { keks, event: keystoreChangeEvent('keystore.epoch', input.source, caller, now) },
  };
}

/** The key-encryption keys of the database under the new master key. */
async function resealedKeks(keystore: ServiceKeystore, next: KeyRing): Promise<KekStep[]> {
  const rows = await keystore.ports.database.read((reader) => reader.keystoreRows.keks());
  const steps: KekStep[] = [];
  for (const { purpose, version, objectVersion, blob, createdAt } of rows) {
    if (blob === undefined) continue;
    const kek = next.kek(purpose, version);
    if (kek === undefined) throw new KmcError('E_CONFLICT', 'A key-encryption key was made meanwhile; try again.');
    const { blob: resealed, keyCheckValue } = await next.sealKek(kek, objectVersion + 1);
    steps.push({ purpose, version, replaces: objectVersion, blob: resealed, keyCheckValue, createdAt });
  }
  return steps;
}
