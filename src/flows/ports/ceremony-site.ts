/** The place where ceremonies are held: folders, the medium of the ceremony keystore, and what the tool is. */
import type { ToolIdentity } from '../../domain/ceremony/plan.ts';
import type { CeremonyFolder, CeremonyInputs } from './ceremony-folder.ts';
import type { KeystoreFiles } from './keystore.ts';

export interface CeremonySite {
  /** The folder of a ceremony; it is made at the first write. */
  folder(path: string): CeremonyFolder;
  inputs(path: string): CeremonyInputs;
  /** Opens the files of the ceremony keystore, for one process at a time; the caller closes them. @throws KmcError E_CONFLICT. */
  openKeystoreFiles(): KeystoreFiles;
  /**
   * What connects this machine to others: each interface that is up and each route, besides loopback, in words. Empty on
   * a machine that is alone.
   */
  network(): readonly string[];
  /** Measured once in a process. */
  tool(): ToolIdentity;
}
