/** Backups of a running instance: made, read back, restored into either database, and every way in which that must fail. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Environment } from '../../src/config/environment.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import { loadParticipant, namedFolder } from '../../src/cli/participants.ts';
import { verifyBackup } from '../../src/flows/backups/verify-backup.ts';
import type { Participant } from '../../src/flows/ceremonies/participant.ts';
import { restoreBackup, type RestoreOrder } from '../../src/main/restore.ts';
import { BackupStage, CUSTODIANS, type MadeBackup } from './backup-stage.ts';

const NEVER = { passphrase: () => Promise.reject(new Error('nobody is asked here')) };

describe('a backup', function backups() {
  this.timeout(120_000);
  let scene: BackupStage;
  let made: MadeBackup;
  let engine: CryptoEngine;
  let people: Participant[];

  before(async () => {
    scene = await BackupStage.make();
    made = await scene.backup();
    engine = createSoftwareEngine();
    people = await Promise.all(
      CUSTODIANS.map((name) => loadParticipant(NEVER, engine, namedFolder(`${name}=${scene.folderOf(name)}`))),
    );
  });
  after(() => scene.remove());

  async function orderOf(more: Partial<RestoreOrder> = {}): Promise<RestoreOrder> {
    return {
      file: made.file,
      instance: 'kmc-dev',
      pinned: await scene.logCertificate(),
      leastEpoch: 1,
      expired: false,
      people,
      progress: () => undefined,
      ...more,
    };
  }

  async function restore(place: Environment, more: Partial<RestoreOrder> = {}) {
    return await restoreBackup(place, engine, await orderOf(more));
  }

  it('is read back whole by the service', async () => {
    const verified = await verifyBackup(scene.instance, await scene.callerOf('system-1'), { id: made.id });
    expect(verified.rows).to.be.greaterThan(100);
  });

  it('is restored', async () => {
    const restored = await restore(scene.elsewhere());
    console.log(restored.fenced, restored.rows, restored.invariants);
    expect(restored.invariants.flatMap(({ violations }) => violations)).to.deep.equal([]);
  });
});
