/**
 * A restore in a process of its own: `restore-until-killed.ts FILE HOME DATABASE PEOPLE [STEP]`. It kills itself at that
 * step, and prints what the invariants came to when it was not told to.
 */
import { join } from 'node:path';
import { loadParticipant } from '../../src/cli/participants.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { restoreBackup } from '../../src/main/restore.ts';

const [file = '', home = '', database = '', folder = '', killedAt = ''] = process.argv.slice(2);
const engine = createSoftwareEngine();
const never = { passphrase: () => Promise.reject(new Error('nobody is asked here')) };
const people = await Promise.all(
  ['custodian-1', 'custodian-2', 'custodian-3'].map((name) =>
    loadParticipant(never, engine, { name, folder: join(folder, name) }),
  ),
);
const { invariants } = await restoreBackup(readEnvironment({ home, database }, {}), engine, {
  file,
  instance: 'kmc-dev',
  pinned: undefined,
  leastEpoch: 1,
  expired: false,
  people,
  progress(step) {
    if (step === killedAt) process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write(JSON.stringify(invariants.flatMap(({ violations }) => violations)));
