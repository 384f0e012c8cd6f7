/** The place of ceremonies of an instance. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../config/environment.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import type { CeremonySite } from '../flows/ports/ceremony-site.ts';
import { openCeremonySite } from '../keystore/ceremony-site.ts';

/** Ceremonies of the instance; the tool measures the folder it runs from (`dist` or `src`). */
export function ceremonySiteOf({ home }: Environment, engine: CryptoEngine): CeremonySite {
  return openCeremonySite({
    keystore: join(home, 'ceremony'),
    program: fileURLToPath(new URL('..', import.meta.url)),
    lockFile: fileURLToPath(new URL('../../package-lock.json', import.meta.url)),
    engine: engine.name,
  });
}
