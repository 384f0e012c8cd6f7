import type { CeremonyRunPorts } from './ceremony-run.ts';
import { conductCeremony, type CeremonyOutcome, type ConductInput } from './conduct-ceremony.ts';

/**
 * Goes on with a ceremony that was cut at any place, or whose last step failed: what is done is not done again, no key is
 * made twice, and the transcript says that it was resumed (C9). One that never began begins; one that ended stays as it is.
 * @throws KmcError as runCeremony, but for E_EXISTS; E_INTEGRITY (the transcript was altered); E_ROLLBACK (the keystore is
 * not the one that the transcript tells of).
 */
export async function resumeCeremony(ports: CeremonyRunPorts, input: ConductInput): Promise<CeremonyOutcome> {
  return await conductCeremony(ports, input, () => undefined);
}
