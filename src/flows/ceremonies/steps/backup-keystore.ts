import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { encodeKeystoreArchive } from '../../../domain/keystore/keystore-archive.ts';
import { KmcError } from '../../../errors.ts';
import { inspectKeystore } from '../../keystore/inspect-keystore.ts';
import type { StepAct } from '../step-act.ts';

/** Copies the files of the ceremony keystore, sealed as they are, into one output. Its own shares alone open it. */
export const backupKeystore: StepAct = {
  act(run, step) {
    const files = run.keystoreFiles();
    const inspected = inspectKeystore(files);
    const manifest = files.manifest();
    if (inspected === undefined || manifest === undefined) {
      throw new KmcError('E_NOT_FOUND', 'There is no ceremony keystore here.');
    }
    const { epoch, files: listed } = inspected.manifest.body;
    const archive = encodeKeystoreArchive({
      manifest,
      files: listed.map(({ path }) => ({ name: path, bytes: files.read(path) })),
    });
    const file = run.write(stepText(step, 'out'), archive);
    return Promise.resolve({
      text: `copied the ceremony keystore with ${listed.length} files`,
      files: [file],
      facts: { epoch: String(epoch), set: inspected.seal.set.setId, manifest: inspected.digest },
    });
  },
};
