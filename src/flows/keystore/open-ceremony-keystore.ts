/** How a ceremony opens its keystore: the files and the epoch are judged first, then the custodians give their shares. */
import type { SecretHandle } from '../../crypto/engine.ts';
import { kekName } from '../../domain/keystore/blob-context.ts';
import { judgeCeremonyEpoch, judgeEpochs, type EpochVerdict } from '../../domain/keystore/epoch-verdict.ts';
import { journalMacInput } from '../../domain/keystore/journal-record.ts';
import { parseKekFileName } from '../../domain/keystore/keystore-kind.ts';
import { manifestMacInput } from '../../domain/keystore/manifest.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import { CeremonyKeystore, type CeremonyKeystorePorts } from './ceremony-keystore.ts';
import { discardChange, finishChange } from './commit-change.ts';
import { inspectKeystore, type InspectedKeystore } from './inspect-keystore.ts';
import { KeyRing } from './key-ring.ts';
import { ShareSession } from './share-session.ts';

export interface OpenCeremonyPorts extends CeremonyKeystorePorts {
  readonly clock: Clock;
}

export interface OpenCeremonyInput {
  /** Epoch that the closed bundle of the last ceremony states; of a resumed ceremony, that its step journal states. */
  readonly lastEpoch: number;
  /** Of a resumed ceremony: the change whose result it had not recorded yet. */
  readonly pendingChange?: string;
}

/** A ceremony keystore whose custodians are giving their shares. */
export interface CeremonyOpening {
  /** What transferShare encrypts to: `session.spki`. */
  readonly session: ShareSession;
  /** True when the pending change of a resumed ceremony is done already: its step must not be done again. */
  readonly isPendingChangeDone: boolean;
  /**
   * Takes the share of one holder.
   * @returns the open keystore once there are enough shares.
   * @throws KmcError as ShareSession.add: after a wrong share others can still be given; E_INTEGRITY.
   */
  submit(person: string, share: Buffer): Promise<CeremonyKeystore | undefined>;
  /** Gives up and wipes the shares. */
  cancel(): void;
}

/**
 * Starts to open the ceremony keystore. The running service has no path to it: it holds no share and no such files.
 * @throws KmcError E_NOT_FOUND (no keystore there), E_INTEGRITY naming the damaged file, E_ROLLBACK (not the keystore of
 * the last ceremony).
 */
export async function openCeremonyKeystore(
  ports: OpenCeremonyPorts,
  input: OpenCeremonyInput,
): Promise<CeremonyOpening> {
  const { engine, files, clock } = ports;
  const inspected = inspectKeystore(files);
  if (inspected === undefined) throw new KmcError('E_NOT_FOUND', 'There is no ceremony keystore here.');
  const { epoch, change } = inspected.manifest.body;
  const verdict = judgeJournal(inspected);
  const pending = input.pendingChange === undefined ? {} : { pendingChange: input.pendingChange };
  const position = judgeCeremonyEpoch({ file: epoch, change, last: input.lastEpoch, ...pending });
  const session = await ShareSession.open(engine, inspected.seal, clock.now());
  return {
    session,
    isPendingChangeDone: position === 'ahead' || change === input.pendingChange,
    async submit(person, share) {
      const unsealKey = await session.add(person, share, clock.now());
      if (unsealKey === undefined) return undefined;
      try {
        return new CeremonyKeystore({ engine, files }, inspected, await openRing(ports, inspected, verdict, unsealKey));
      } finally {
        engine.destroySecret(unsealKey);
        session.wipe();
      }
    },
    cancel: () => session.wipe(),
  };
}

/** Without a database, only the files say whether the change of a journal record counts. */
function judgeJournal({ manifest, digest, record }: InspectedKeystore): EpochVerdict {
  const { epoch } = manifest.body;
  const journal = record && { toEpoch: record.body.toEpoch, namesManifest: record.body.manifest === digest };
  const facts = { file: epoch, database: epoch, audit: epoch, auditNamesManifest: true };
  return judgeEpochs({ ...facts, ...(journal === undefined ? {} : { journal }) });
}

async function openRing(
  { engine, files }: CeremonyKeystorePorts,
  { manifest, record, seal }: InspectedKeystore,
  verdict: EpochVerdict,
  unsealKey: SecretHandle,
): Promise<KeyRing> {
  const ring = await KeyRing.open(engine, seal, unsealKey);
  try {
    const { body, mac } = manifest;
    const checkValues = new Map(body.checkValues.map(({ key, value }) => [key, Buffer.from(value, 'hex')]));
    for (const { path } of body.files) {
      const kek = parseKekFileName(path);
      if (kek === undefined) continue;
      const keyCheckValue = checkValues.get(kekName(kek.purpose, kek.version)) ?? Buffer.alloc(0);
      await ring.openKek({ ...kek, objectVersion: 1, blob: files.read(path), keyCheckValue }, files);
    }
    await ring.verifyMac('The manifest of the keystore', body.macVersion, manifestMacInput(body), mac);
    if (record === undefined) return ring;
    if (verdict === 'open-discard') discardChange(files, record.body);
    if (verdict !== 'open-finish') return ring;
    const what = 'The journal record of the keystore';
    await ring.verifyMac(what, record.body.macVersion, journalMacInput(record.body), record.mac);
    finishChange(files, record.body);
    return ring;
  } catch (error) {
    ring.wipe();
    throw error;
  }
}
