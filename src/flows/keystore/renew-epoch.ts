import type { AuditSource } from '../../domain/audit/event.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import { commitChange, keystoreChangeEvent } from './commit-change.ts';
import { inspectKeystore } from './inspect-keystore.ts';
import type { ServiceKeystore } from './service-keystore.ts';

/**
 * Raises the epoch of the open service keystore without changing a key or a share: whoever still holds the files of
 * before, a node that was not stopped or a copy, can write nothing into this database any more.
 * @returns the new epoch.
 * @throws KmcError E_SEALED, E_CONFLICT; after any later error the keystore is sealed.
 */
export async function renewEpoch(
  { keystore, clock }: { readonly keystore: ServiceKeystore; readonly clock: Clock },
  { source }: { readonly source: AuditSource },
  caller: Caller,
): Promise<number> {
  const { files, database } = keystore.ports;
  const ring = keystore.ringForChange();
  const { epoch } = keystore;
  return await files.exclusively(async () => {
    const before = await keystore.faultOnContradiction(() => inspectKeystore(files));
    if (before?.manifest.body.epoch !== epoch || before.record !== undefined) {
      throw new KmcError('E_CONFLICT', 'The files of the keystore were changed meanwhile; seal, and unseal it again.');
    }
    const { instance, checkValues } = before.manifest.body;
    const event = keystoreChangeEvent('keystore.epoch', source, caller, clock.now());
    await keystore.sealOnFailure(() =>
      commitChange({ files, database }, ring, {
        id: newId('change', clock.now()),
        instance,
        fromEpoch: epoch,
        adds: [],
        removes: [],
        checkValues,
        seal: before.seal,
        database: { keks: [], event },
      }),
    );
    keystore.noteEpoch(epoch + 1);
    return epoch + 1;
  });
}
