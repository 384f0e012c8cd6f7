/** Whether a step that was cut has changed its keystore already. */
import type { CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { outputFile, shareFile } from '../../../domain/ceremony/bundle-files.ts';
import type { KeystoreName } from '../../../domain/ceremony/step-kinds.ts';
import type { TranscriptFile } from '../../../domain/ceremony/transcript.ts';
import type { CheckValue } from '../../../domain/keystore/manifest.ts';
import type { KeystoreFiles } from '../../ports/keystore.ts';
import { inspectKeystore } from '../../keystore/inspect-keystore.ts';
import { kekCheckValue } from '../../keystore/key-ring.ts';
import type { CeremonyRun } from '../ceremony-run.ts';

export interface MadeChange {
  readonly setId: string;
  readonly epoch: number;
  readonly checkValues: readonly CheckValue[];
}

/** The files of a keystore. */
export function filesOfKeystore(run: CeremonyRun, keystore: KeystoreName): KeystoreFiles {
  return keystore === 'ceremony' ? run.keystoreFiles() : run.service.keystore.ports.files;
}

/**
 * What the step made before it was cut; nothing when its change does not count, and has to be made.
 * @throws KmcError E_INTEGRITY.
 */
export async function madeChange(
  run: CeremonyRun,
  step: CeremonyStep,
  keystore: KeystoreName,
): Promise<MadeChange | undefined> {
  if (!run.isRepeated(step)) return undefined;
  const files = filesOfKeystore(run, keystore);
  const inspected = await files.exclusively(() => inspectKeystore(files));
  if (inspected?.manifest.body.change !== run.changeId(step)) return undefined;
  const { epoch, checkValues } = inspected.manifest.body;
  const keks = inspected.record?.body.database?.keks ?? [];
  return { setId: inspected.seal.set.setId, epoch, checkValues: [...checkValues, ...keks.map(kekCheckValue)] };
}

/** Removes shares of a set that never counted, so that the step can hand out others. */
export function discardShares(run: CeremonyRun, step: CeremonyStep, people: readonly string[]): void {
  if (!run.isRepeated(step)) return;
  for (const person of people) run.ports.folder.discard(outputFile(shareFile(step.id, person)));
}

/** The shares that a step handed out before it was cut, as its record names them. */
export function handedOutFiles(run: CeremonyRun, step: CeremonyStep, people: readonly string[]): TranscriptFile[] {
  return people.flatMap((person) => {
    const name = shareFile(step.id, person);
    const bytes = run.leftover(step, name);
    return bytes === undefined ? [] : [run.write(name, bytes)];
  });
}
