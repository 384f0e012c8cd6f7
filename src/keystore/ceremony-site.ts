/** The place of ceremonies on this machine. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ToolIdentity } from '../domain/ceremony/plan.ts';
import type { CeremonySite } from '../flows/ports/ceremony-site.ts';
import { openCeremonyFolder, openCeremonyInputs } from './ceremony-folder.ts';
import { openFileKeystore } from './file-keystore.ts';
import { connections } from './network.ts';
import { measureTool } from './tool-identity.ts';

export interface CeremonySiteOptions {
  /** Folder of the ceremony keystore; in production on a medium of its own. */
  readonly keystore: string;
  /** Folder of the program files. */
  readonly program: string;
  readonly lockFile: string;
  /** Name of the crypto engine. */
  readonly engine: string;
}

/** A process measures its own files once: they are those it was started from. */
const MEASURED = new Map<string, ToolIdentity>();

function toolOf({ program, lockFile, engine }: CeremonySiteOptions): ToolIdentity {
  const known = MEASURED.get(`${program} ${engine}`) ?? measureTool(program, lockFile, engine);
  MEASURED.set(`${program} ${engine}`, known);
  return known;
}

/** Opens the place of ceremonies; nothing is read or written before it is asked for. */
export function openCeremonySite(options: CeremonySiteOptions): CeremonySite {
  return {
    folder: openCeremonyFolder,
    inputs: openCeremonyInputs,
    openKeystoreFiles() {
      mkdirSync(dirname(options.keystore), { recursive: true, mode: 0o700 });
      return openFileKeystore(options.keystore, 'ceremony');
    },
    network: () => connections(),
    tool: () => toolOf(options),
  };
}
