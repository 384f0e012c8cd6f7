/** The place of a rehearsal: an instance of its own in a temporary folder, which goes when the rehearsal is over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../config/environment.ts';
import type { RehearsalPlace } from '../flows/ceremonies/rehearse-ceremony.ts';
import { ceremonySiteOf } from './ceremony-place.ts';
import { openInstance } from './open-instance.ts';

const INSTANCE = 'rehearsal';

/** @throws KmcError as openInstance. */
export async function openRehearsal(environment: Environment): Promise<RehearsalPlace & { remove(): Promise<void> }> {
  const root = mkdtempSync(join(tmpdir(), 'kmc-rehearsal-'));
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
