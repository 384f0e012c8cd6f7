import { spkiSm3 } from '../../../crypto/spki.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { tombstoneFileName } from '../../../domain/keystore/keystore-kind.ts';
import { signedTime } from '../../../domain/signed-body.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { StepAct } from '../step-act.ts';
import { madeChange } from './keystore-change.ts';

/**
 * Destroys a root key; the evidence stands in its place and among the outputs (security-and-faults 3.4). What is proved is
 * that the keystore holds it no more: a backup from before opens it as long as its shares do.
 */
export const destroyRootKey: StepAct = {
  async act(run, step) {
    const keyId = stepText(step, 'key');
    if ((await madeChange(run, step, 'ceremony')) === undefined) await destroy(run, step);
    const { epoch } = run.ceremonyKeystore();
    run.noteEpoch(epoch);
    const evidence = run.keystoreFiles().read(tombstoneFileName(keyId));
    return {
      text: `destroyed the root key ${keyId}`,
      files: [run.write(stepText(step, 'out'), evidence)],
      facts: { key: keyId, epoch: String(epoch) },
    };
  },
  recall: (run, _step, { facts }) => run.noteEpoch(Number(facts['epoch'])),
};

async function destroy(run: CeremonyRun, step: CeremonyStep): Promise<void> {
  const keystore = run.ceremonyKeystore();
  const keyId = stepText(step, 'key');
  const { spki } = await keystore.rootKey(keyId);
  await keystore.destroyRootKey(run.changeId(step), keyId, {
    ceremony: run.facts.file.id,
    instance: run.facts.setting.instance,
    key: keyId,
    kid: spkiSm3(spki),
    plan: run.facts.fileSm3,
    reason: stepText(step, 'reason'),
    destroyedAt: signedTime(run.ports.clock.now()),
    method: 'the sealed key was removed; the key-encryption keys of later epochs do not open copies of it',
  });
}
