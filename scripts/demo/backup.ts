/** A backup in the demo: ordered and approved over HTTP while the service runs, read back, and restored elsewhere. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadParticipant } from '../../src/cli/participants.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { isObject } from '../../src/domain/signed-body.ts';
import { drillBackup } from '../../src/main/drill.ts';
import type { Scene } from './acts.ts';
import { textOf, type DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';

const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-4'];
const NEVER = { passphrase: () => Promise.reject(new Error('a passphrase file is missing')) };

async function fetched(people: DemoPeople, id: string, file: string): Promise<number> {
  const pieces: Buffer[] = [];
  for (let size = 0; ;) {
    const { body } = await people.client('system-1').send('GET', `/api/v1/backups/${id}/content?offset=${size}`);
    if (body.length === 0) break;
    pieces.push(body);
    size += body.length;
  }
  const octets = Buffer.concat(pieces);
  writeFileSync(file, octets);
  return octets.length;
}

/** Whatever database the service runs on, the restored one is a SQLite file. */
export async function backupAndRestore(scene: Scene, people: DemoPeople, log: StepLog): Promise<void> {
  const { instance, home, stage } = scene;
  const request = await people.propose('system-1', 'backup.create', instance.id, {}, 'before the move');
  await people.decide('security-1', 'security-administrator', request);
  const id = textOf(await people.execute('system-1', request), 'backup');
  const verified = await people.client('system-1').json('POST', `/api/v1/backups/${id}/verifications`, {});
  log.check(isObject(verified) && verified['id'] === id, 'the service reads its backup back, whole');
  const file = join(home, 'kmc.kmc-backup');
  log.count('octets', await fetched(people, id, file));
  const restoredHome = join(home, 'restored');
  const engine = createSoftwareEngine();
  const custodians = await Promise.all(
    CUSTODIANS.map((name) => loadParticipant(NEVER, engine, { name, folder: stage.folderOf(name) })),
  );
  const place = readEnvironment({ home: restoredHome, database: join(restoredHome, 'kmc.sqlite') });
  const { restored, ...drilled } = await drillBackup(place, engine, {
    file,
    instance: instance.id,
    pinned: await instance.audit.certificate(),
    leastEpoch: 1,
    expired: false,
    people: custodians,
    progress: () => undefined,
  });
  const broken = restored.invariants.flatMap(({ id: name, violations }) => violations.map((one) => `${name}: ${one}`));
  log.check(broken.length === 0, `the invariants of the restored instance: ${broken.join('; ')}`);
  log.check(drilled.recovered === 1, 'a key is recovered from the restored escrow');
  log.check(restored.origin !== instance.audit.origin, 'the restored log has a name of its own');
  log.count('rows', restored.rows);
  log.count('keys opened', drilled.opened);
  log.count('seconds to restore', Math.round(drilled.recoveryTimeSeconds * 10) / 10);
}
