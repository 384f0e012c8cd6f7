/** The place of a rehearsal: an instance of its own in a temporary folder, which goes when the rehearsal is over. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../config/environment.ts';
import type { RehearsalPlace } from '../flows/ceremonies/rehearse-ceremony.ts';
import { ceremonySiteOf } from './ceremony-place.ts';
import { openInstance } from './open-instance.ts';

const INSTANCE = 'rehearsal';
/** Memory that Linux shows as a folder: what is written there never reaches a disk (C19). */
const MEMORY_FOLDER = '/dev/shm';

/** @throws KmcError as openInstance. */
export async function openRehearsal(environment: Environment): Promise<RehearsalPlace & { remove(): Promise<void> }> {
  const root = mkdtempSync(join(temporaryFolder(), 'kmc-rehearsal-'));
  const home = join(root, 'home');
  const own: Environment = {
    ...environment,
    environment: 'development',
    instance: INSTANCE,
    node: INSTANCE,
    origin: INSTANCE,
    home,
    database: join(home, 'kmc.sqlite'),
  };
  try {
    const service = await openInstance(own);
    const site = ceremonySiteOf(own, service.engine);
    return {
      service,
      folder: site.folder(join(root, 'ceremony')),
      openKeystoreFiles: () => site.openKeystoreFiles(),
      tool: site.tool(),
      async remove() {
        await service.close();
        rmSync(root, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
}

function temporaryFolder(): string {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK | constants.X_OK);
    return MEMORY_FOLDER;
  } catch {
    return tmpdir();
  }
}
