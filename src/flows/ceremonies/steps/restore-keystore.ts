import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { decodeKeystoreArchive } from '../../../domain/keystore/keystore-archive.ts';
import { parseRootKeyFileName } from '../../../domain/keystore/keystore-kind.ts';
import { KmcError } from '../../../errors.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { Planning, StepAct } from '../step-act.ts';

/**
 * Puts the ceremony keystore of a backup into its folder, which must be empty: the manifest last, so that a cut leaves
 * nothing that counts. The epoch is that of the backup until the shares are made anew.
 */
export const restoreKeystore: StepAct = {
  plan(planning, step) {
    const { read } = archiveOf(planning, step);
    return {
      epoch: String(read.body.epoch),
      lastEpoch: planning.before.ceremonyEpoch,
      keys: keysIn(read.body.files).join(' '),
    };
  },
  act(run, step) {
    const archive = archiveOf(run.facts, step);
    const files = run.keystoreFiles();
    const { epoch, files: listed } = archive.read.body;
    if (files.manifest()?.equals(archive.manifest) !== true || !run.isRepeated(step)) {
      if (run.isRepeated(step)) for (const { name } of archive.files) files.remove(name);
      requireEmpty(run);
      for (const { name, bytes } of archive.files) files.add(name, bytes);
      files.replaceManifest(archive.manifest);
    }
    run.noteEpoch(epoch);
    const keys = keysIn(listed);
    return Promise.resolve({
      text: `restored the ceremony keystore of epoch ${epoch} with ${keys.length} root keys`,
      files: [run.inputEntry(stepText(step, 'backup'))],
      facts: { epoch: String(epoch), lastEpoch: run.facts.before.ceremonyEpoch, keys: keys.join(' ') },
    });
  },
  recall: (run, _step, { facts }) => run.noteEpoch(Number(facts['epoch'])),
};

function archiveOf(planning: Planning, step: CeremonyStep) {
  const bytes = planning.inputs.get(stepText(step, 'backup'));
  if (bytes === undefined) throw new KmcError('E_NOT_FOUND', 'The backup is not among the inputs.');
  const archive = decodeKeystoreArchive(bytes, 'ceremony');
  if (archive.read.body.instance === planning.setting.instance) return archive;
  throw new KmcError('E_LINT', 'The backup is that of another instance.');
}

function keysIn(files: readonly { readonly path: string }[]): string[] {
  return files.flatMap(({ path }) => parseRootKeyFileName(path)?.keyId ?? []);
}

function requireEmpty(run: CeremonyRun): void {
  const files = run.keystoreFiles();
  if (files.manifest() === undefined && files.list().length === 0) return;
  throw new KmcError('E_EXISTS', 'There is a ceremony keystore here already: move its folder away first.');
}
