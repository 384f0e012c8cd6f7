import { KmcError } from '../../errors.ts';
import { inputFile, outputFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyRunPorts } from './ceremony-run.ts';
import { conductCeremony, type CeremonyOutcome, type ConductInput, type Begun } from './conduct-ceremony.ts';

/**
 * Runs an approved ceremony: each step is written down before and after it is done, and initialled by the witness (C9 to
 * C11). Close it afterwards; `resumeCeremony` goes on where it was cut.
 * @throws KmcError E_SIGNATURE (plan hash differs), E_QUORUM (too few approvals), E_TIME (window, clock), E_FORBIDDEN (a
 * seat is empty), E_EXISTS (it was begun before, or an output is there), E_LINT (a private key in its folder), and what a
 * step refuses: the transcript then ends with a failed result.
 */
export async function runCeremony(ports: CeremonyRunPorts, input: ConductInput): Promise<CeremonyOutcome> {
  return await conductCeremony(ports, input, (begun) => requireNew(ports, input, begun));
}

/** Nothing is overwritten, and nothing begins that would find its output there (C8). */
function requireNew({ folder }: CeremonyRunPorts, { planned: { plan } }: ConductInput, { progress }: Begun): void {
  if (progress.isOpen) {
    throw new KmcError('E_EXISTS', 'This ceremony was begun already: kmc ceremony resume goes on with it.');
  }
  if (plan.inputs.some(({ name, secret }) => secret && folder.read(inputFile(name)) !== undefined)) {
    throw new KmcError(
      'E_LINT',
      'A private key lies in the folder of the ceremony: no bundle holds one. Move it away.',
    );
  }
  const present = [...folder.files().keys()].filter((name) => name.startsWith(outputFile('')));
  if (present.length === 0) return;
  throw new KmcError(
    'E_EXISTS',
    `Outputs of ${plan.ceremony} are there already: ${present[0] ?? ''}. Nothing was done.`,
  );
}
