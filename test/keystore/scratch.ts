/** A directory of its own for a test, removed afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a fresh directory for each test of the enclosing suite; call the result inside a test. */
export function scratchDirectory(): () => string {
  let path = '';
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'kmc-keystore-'));
  });
  afterEach(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return () => path;
}
