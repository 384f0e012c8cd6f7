/** Backups of a running instance: made, read back, restored into either database, and every way in which that must fail. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { loadParticipant, namedFolder } from '../../src/cli/participants.ts';
import { readPieces } from '../../src/cli/named-file.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { isObject } from '../../src/domain/signed-body.ts';
import type { Environment } from '../../src/config/environment.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { BACKUP_MARK, encodeFrame, readFrames, type BackupFrame } from '../../src/domain/backup/backup-frames.ts';
import { decodeKeystoreArchive, encodeKeystoreArchive } from '../../src/domain/keystore/keystore-archive.ts';
import { backupRecords, beginBackup } from '../../src/flows/backups/read-backup.ts';
import { unsealBackup } from '../../src/flows/backups/unseal-backup.ts';
import { verifyBackup } from '../../src/flows/backups/verify-backup.ts';
import type { Participant } from '../../src/flows/ceremonies/participant.ts';
import { destroyKekAct } from '../../src/flows/keystore/kek-acts.ts';
import { reshareKeystore } from '../../src/flows/keystore/reshare-keystore.ts';
import { rotateKek } from '../../src/flows/keystore/rotate-kek.ts';
import { refillPool } from '../../src/flows/pools/refill-pool.ts';
import type { CopiedTable } from '../../src/flows/ports/database-copy.ts';
import { drillBackup } from '../../src/main/drill.ts';
import { STAGE_FOLDER } from '../../src/main/home-folder.ts';
import { openInstance } from '../../src/main/open-instance.ts';
import { restoreBackup, type RestoreOrder } from '../../src/main/restore.ts';
import { serve, type RunningService } from '../../src/main/serve.ts';
import { fillDatabase, openDatabase, type KmcDatabase } from '../../src/store/database.ts';
import { parseCertificate, sm3Fingerprint } from '../../src/x509/certificate.ts';
import { runKmc } from '../cli/run-kmc.ts';
import { shellLines, shellOf } from '../cli/shell-lines.ts';
import { refusal } from '../crypto/refusal.ts';
import { theEstate } from '../fixtures/estate.ts';
import { withPool } from '../fixtures/instance.ts';
import { forEachDatabase, type DatabaseFixture } from '../store/databases.ts';
import { BackupStage, CUSTODIANS, type MadeBackup } from './backup-stage.ts';

const NEVER = { passphrase: () => Promise.reject(new Error('nobody is asked here')) };
const SYSTEM = { type: 'system', id: 'node-1' } as const;
/** Written by the restore itself, or by every start. */
const OWN_TABLES = ['restorations', 'role_exclusions'];

/** All rows of all tables, as texts that can be compared. */
async function dump(database: Pick<KmcDatabase, 'copy'>): Promise<Map<string, string[]>> {
  return await database.copy.copy(async (_reader, tables) => {
    const all = new Map<string, string[]>();
    for await (const { name, columns, rows } of tables) {
      const texts: string[] = [];
      for await (const values of rows) {
        const shown = values.map((value) => (Buffer.isBuffer(value) ? value.toString('base64') : value));
        const named = columns.map((column, place) => [column, shown[place]] as const);
        texts.push(JSON.stringify(named.sort(([a], [b]) => (a < b ? -1 : 1))));
      }
      if (!OWN_TABLES.includes(name)) all.set(name, texts.sort());
    }
    return all;
  });
}

async function framesOf(file: string): Promise<BackupFrame[]> {
  const frames: BackupFrame[] = [];
  for await (const frame of readFrames(readPieces(file))) frames.push(frame);
  return frames;
}

function fileOf(frames: readonly Pick<BackupFrame, 'octets'>[]): Buffer {
  return Buffer.concat([BACKUP_MARK, ...frames.map(({ octets }) => octets)]);
}

describe('a backup', function backups() {
  this.timeout(120_000);
  let scene: BackupStage;
  let made: MadeBackup;
  let engine: CryptoEngine;
  let people: Participant[];
  let pinned: Buffer;
  /** Everything in the database at the moment of the backup. */
  let shown: Map<string, string[]>;

  before(async () => {
    scene = await BackupStage.make();
    made = await scene.backup();
    engine = createSoftwareEngine();
    pinned = await scene.logCertificate();
    people = await Promise.all(
      CUSTODIANS.map((name) => loadParticipant(NEVER, engine, namedFolder(`${name}=${scene.folderOf(name)}`))),
    );
  });
  after(() => scene.remove());

  function orderOf(more: Partial<RestoreOrder> = {}): RestoreOrder {
    const plain = { leastEpoch: 1, expired: false, progress: () => undefined };
    return { file: made.file, instance: 'kmc-dev', pinned, people, ...plain, ...more };
  }

  function restore(place: Environment, more: Partial<RestoreOrder> = {}) {
    return restoreBackup(place, engine, orderOf(more));
  }

  /** Reads a backup to its end with the shares of its custodians. */
  async function readBack(file: string, by: readonly Participant[] = people): Promise<number> {
    const begun = await beginBackup(readPieces(file));
    const ring = await unsealBackup(engine, begun, by, new Date());
    try {
      let records = 0;
      for await (const record of backupRecords(engine, ring.currentKek('backup'), begun, pinned)) {
        if (record.kind === 'row') records += 1;
      }
      return records;
    } finally {
      ring.wipe();
    }
  }

  /** A database of the running fixture, or the file in the home. */
  function placeOn(fixture: DatabaseFixture): Environment {
    return scene.elsewhere(fixture.engine === 'sqlite' ? undefined : fixture.url);
  }

  /** Writes another file of the same frames. */
  function altered(content: Buffer): string {
    const copy = scene.copyOf(made.file);
    writeFileSync(copy, content);
    return copy;
  }

  describe('of a running service', () => {
    it('is one private file, made once for its request, and recorded', async () => {
      expect(statSync(made.file).mode & 0o777).to.equal(0o600);
      expect(statSync(dirname(made.file)).mode & 0o777).to.equal(0o700);
      expect(readdirSync(dirname(made.file))).to.deep.equal([`${made.id}.kmc-backup`]);
      const row = await scene.instance.database.read((reader) => reader.backups.find(made.id));
      expect(row).to.include({ state: 'made', size: statSync(made.file).size, contentSm3: made.result['content'] });
      expect(row?.expiresAt.getTime()).to.equal((row?.takenAt.getTime() ?? 0) + 90 * 86_400_000);
    });

    it('holds nothing in clear that the database holds: not even a name', () => {
      const octets = readFileSync(made.file);
      for (const word of ['system-1', 'somebody', 'sm2-issuing', 'escrowed_keys']) {
        expect(octets.includes(word), word).to.equal(false);
      }
    });

    it('is read back whole by the service, and counts from then on', async () => {
      const caller = await scene.callerOf('system-1');
      const verified = await verifyBackup(scene.instance, caller, { id: made.id });
      expect(verified.rows).to.be.greaterThan(500);
      const row = await scene.instance.database.read((reader) => reader.backups.find(made.id));
      expect(row?.state).to.equal('verified');
      expect(await readBack(made.file)).to.equal(verified.rows);
    });

    it('is refused by the service when its file was exchanged for another backup', async () => {
      const other = await scene.backup();
      writeFileSync(other.file, readFileSync(made.file));
      await refusal('E_INTEGRITY', async () =>
        verifyBackup(scene.instance, await scene.callerOf('system-1'), { id: other.id }),
      );
      rmSync(other.file);
      await refusal('E_NOT_FOUND', async () =>
        verifyBackup(scene.instance, await scene.callerOf('system-1'), { id: other.id }),
      );
    });

    it('makes keys issuable where policy waits for a verified one, and not before', async () => {
      const rule = { low: 30, high: 40, batch: 20, onDemand: false, needsBackup: true };
      // A batch counts for a backup that shows a moment a minute later: the batch is made in the past here.
      const past = { now: () => new Date(Date.now() - 120_000) };
      await refillPool(withPool({ ...scene.instance, clock: past }, rule), SYSTEM, { pool: 'sm2-encryption' });
      const counts = () =>
        scene.instance.database.read(async ({ escrowedKeys }) => ({
          generated: await escrowedKeys.count('SM2', 'generated'),
          spare: await escrowedKeys.count('SM2', 'spare'),
        }));
      const { generated, spare } = await counts();
      expect(generated).to.be.greaterThan(0);
      const { id } = await scene.backup();
      expect(await counts()).to.deep.equal({ generated, spare });
      const verified = await verifyBackup(withPool(scene.instance, rule), await scene.callerOf('system-1'), { id });
      expect(verified.released).to.be.at.least(generated);
      expect(await counts()).to.deep.equal({ generated: 0, spare: spare + generated });
    });

    it('keeps a key-encryption key that it holds from being destroyed', async () => {
      await rotateKek(scene.instance, { purpose: 'transport', source: { node: 'node-1' } }, SYSTEM);
      const check = (now: Date) =>
        scene.instance.database.read(async (reader) => {
          await destroyKekAct({ ...scene.instance, clock: { now: () => now } }).check?.(reader, 'transport-1', {});
        });
      const refused = await refusal('E_STATE', () => check(new Date()));
      expect(refused.message).to.contain('backups that have not expired hold transport-1');
      await check(new Date(Date.now() + 91 * 86_400_000));
    });
  });

  forEachDatabase('restored', (fixture) => {
    it('brings back every row as it was, on either database', async () => {
      const target = { url: fixture.engine === 'sqlite' ? scene.elsewhere().database : fixture.url };
      if (fixture.engine === 'sqlite') mkdirSync(dirname(target.url), { mode: 0o700 });
      shown = await dump({ copy: scene.instance.databaseCopy });
      const at = new Date();
      const restoration = {
        id: 'restore-1',
        backupId: made.id,
        takenAt: at,
        origin: 'a',
        previousOrigin: 'b',
        begunAt: at,
      };
      const fill = (tables: AsyncIterable<CopiedTable>) =>
        fillDatabase(target, scene.instance.databaseCopy.schema, tables, restoration);
      await scene.instance.databaseCopy.copy((_reader, tables) => fill(tables));
      const database = await openDatabase(target);
      try {
        expect(await dump(database)).to.deep.equal(shown);
        const person = await scene.callerOf('system-1');
        await refusal('E_FORBIDDEN', () =>
          database.transaction(async (tx) => {
            await tx.people.grantRole(person.id, { role: 'custodian' }, at);
          }),
        );
        const back = scene.elsewhere().database;
        mkdirSync(dirname(back), { mode: 0o700 });
        await database.copy.copy((_reader, tables) =>
          fillDatabase({ url: back }, database.copy.schema, tables, { ...restoration, id: 'restore-2', origin: 'c' }),
        );
        const again = await openDatabase({ url: back });
        expect(await dump(again)).to.deep.equal(shown);
        await again.close();
      } finally {
        await database.close();
      }
    });

    it('serves again, checked, and gives nothing out twice', async () => {
      const place = placeOn(fixture);
      await refusal('E_SHARES_FEW', () => restore(place, { people: people.slice(0, 2) }));
      const truncated = altered(readFileSync(made.file).subarray(0, -1));
      await refusal('E_INTEGRITY', () => restore(place, { file: truncated }));
      expect(existsSync(place.home), 'a refusal leaves nothing').to.equal(false);
      const before = await scene.instance.database.read(async (reader) => ({
        epoch: await reader.instance.keystoreEpoch(),
        crls: await reader.authorities.list({ kind: 'issuing' }),
      }));
      const restored = await restore(place);
      expect(restored.invariants.flatMap(({ violations }) => violations)).to.deep.equal([]);
      expect(restored.invariants.filter(({ limit }) => limit !== undefined)).to.deep.equal([]);
      expect(restored.invariants.find(({ id }) => id === 'I9')?.checked).to.equal(20);
      expect(restored.fenced).to.include({ epoch: before.epoch + 1, keys: 19 });
      expect(restored.origin).to.match(/^localhost\/kmc-dev\/r-[0-9a-z]{26}$/);
      const instance = await openInstance({ ...place, origin: restored.origin });
      try {
        await instance.database.read(async (reader) => {
          expect(await reader.escrowedKeys.count('SM2', 'spare')).to.equal(0);
          expect(await reader.escrowedKeys.count('SM2', 'active')).to.equal(1);
          for (const row of await reader.authorities.list({ kind: 'issuing' })) {
            const was = before.crls.find(({ id }) => id === row.id)?.crlNumber ?? 0n;
            expect(row.crlNumber > was + 1_000_000n, row.id).to.equal(true);
          }
          const [opened] = await reader.audit.history('log', restored.origin, 0, 1);
          expect(opened?.canon.toString())
            .to.contain('"act":"log.open"')
            .and.to.contain('"previousOrigin":"localhost/kmc-dev"');
          const newest = await reader.audit.newestCheckpoint();
          expect(newest?.note.split('\n')[0]).to.equal(restored.origin);
          expect(await reader.backups.openRestoration()).to.equal(undefined);
        });
        await refusal('E_EXISTS', () => restore(place));
        if (fixture.engine === 'postgresql') {
          await refusal('E_EXISTS', () => restore(scene.elsewhere(fixture.url)));
        }
      } finally {
        await instance.close();
      }
    });

    it('is opened by nobody while it is not finished, and restored again', async () => {
      if (fixture.engine === 'sqlite') return; // its database goes with the folder of the making
      const place = placeOn(fixture);
      const cut = new Error('cut');
      await restore(place, {
        progress: (step) => {
          if (step === 'unsealed') throw cut;
        },
      }).then(
        () => expect.fail('it was not cut'),
        () => undefined,
      );
      expect(existsSync(place.home)).to.equal(false);
      mkdirSync(place.home, { mode: 0o700 });
      await refusal('E_STATE', () => openInstance(place));
      rmSync(place.home, { recursive: true });
      expect((await restore(place)).invariants.flatMap(({ violations }) => violations)).to.deep.equal([]);
    });
  });

  describe('on the command line', () => {
    const book = shellLines(shellOf(readFileSync('scripts/README.md', 'utf8'), 'Run-book for backups'));
    const home = process.cwd();
    let service: RunningService;

    before(async () => {
      const anywhere = { host: '127.0.0.1', port: 0 };
      const log = { info: () => undefined, fault: () => undefined };
      const environment = { ...scene.environment, listen: anywhere, tlsListen: anywhere, poolFill: false };
      service = await serve(environment, scene.instance, log);
      process.chdir(join(scene.environment.home, STAGE_FOLDER));
    });
    after(async () => {
      process.chdir(home);
      await service.close();
    });

    it('the run-book runs line by line: ordered, verified, fetched, drilled, restored, checked', async () => {
      const variables: Record<string, string> = {};
      const answers = new Map<string, Record<string, unknown>>();
      for (const line of book) {
        const [program = '', ...words] = line.words(variables);
        expect(program, line.text).to.equal('kmc');
        const isRemote = words.includes('--key');
        const ran = await runKmc([...words, ...(isRemote ? ['--url', service.url] : []), '--json']);
        expect(ran.code, `${line.text}\n${ran.err}${ran.out}`).to.equal(0);
        const answer = ran.json();
        answers.set(words.slice(0, 2).join(' '), answer);
        if (typeof answer['id'] === 'string' && answer['id'].startsWith('rq-')) variables['REQUEST'] = answer['id'];
        const { result } = answer;
        if (isObject(result) && typeof result['backup'] === 'string') variables['BACKUP'] = result['backup'];
      }
      expect(answers.get('backup drill')).to.include({ ok: true, recovered: 1, instance: 'kmc-dev' });
      expect(answers.get('backup restore')).to.include({ ok: true, backup: variables['BACKUP'] });
      expect(answers.get('backup verify')).to.include({ opened: false, pinned: true });
    });

    it('a backup with the wrong people, or under a signature of others, ends with an exit code of its own', async () => {
      const two = ['custodian-1', 'custodian-2'].flatMap((name) => ['--participant', `${name}=people/${name}`]);
      const third = ['--participant', 'custodian-3=people/custodian-3'];
      const few = await runKmc(['backup', 'verify', 'kmc-dev.kmc-backup', ...two]);
      expect(few.code, few.err).to.equal(2);
      expect(few.err).to.contain('E_SHARES_FEW');
      const root = join(scene.root, 'root.pem');
      writeFileSync(root, encodePem('CERTIFICATE', (await theEstate()).root.certificate.der));
      const forged = await runKmc(['backup', 'verify', 'kmc-dev.kmc-backup', '--log-certificate', root]);
      expect(forged.code, forged.err).to.equal(4);
      writeFileSync('cut.kmc-backup', readFileSync('kmc-dev.kmc-backup').subarray(0, -1));
      for (const verb of ['verify', 'restore', 'drill']) {
        const place = verb === 'verify' ? [] : ['--instance', 'kmc-dev', '--home', join(scene.root, 'cut')];
        const cut = await runKmc(['backup', verb, 'cut.kmc-backup', '--json', ...place, ...two, ...third]);
        expect(cut.code, cut.err).to.equal(4);
        expect(cut.json()).to.include({ ok: false, code: 'E_INTEGRITY' });
      }
      expect((await runKmc(['backup', 'verify', 'people/system-1/key.pem'])).code).to.equal(4);
    });
  });

  describe('that is not what it should be', () => {
    it('of another instance is refused', async () => {
      await refusal('E_CONFLICT', () => restore(scene.elsewhere(), { instance: 'kmc-2' }));
    });

    it('of an older epoch than is known outside is refused', async () => {
      await refusal('E_ROLLBACK', () => restore(scene.elsewhere(), { leastEpoch: 99 }));
    });

    it('signed by another log is refused', async () => {
      const { root } = await theEstate();
      await refusal('E_SIGNATURE', () => restore(scene.elsewhere(), { pinned: root.certificate.der }));
    });

    it('that lacks a file of the keystore is refused, whichever', async () => {
      const frames = await framesOf(made.file);
      const keystore = frames.find(({ kind }) => kind === 'keystore');
      const archive = decodeKeystoreArchive(keystore?.content ?? Buffer.alloc(0), 'service');
      for (const left of archive.files) {
        const files = archive.files.filter((file) => file !== left);
        const octets = encodeFrame('keystore', encodeKeystoreArchive({ manifest: archive.manifest, files }));
        const file = altered(fileOf(frames.map((frame) => (frame === keystore ? { octets } : frame))));
        await refusal('E_INTEGRITY', () => readBack(file));
      }
    });

    it('that lacks a part, has one twice, at another place or behind the end is refused', async () => {
      const frames = await framesOf(made.file);
      const parts = frames.flatMap(({ kind }, place) => (kind === 'part' ? [place] : []));
      expect(parts.length).to.be.greaterThan(1);
      const [first = 0, second = 0] = parts;
      const swapped = [...frames];
      [swapped[first], swapped[second]] = [frames[second]!, frames[first]!];
      const variants = [
        ...frames.map((_frame, place) => frames.toSpliced(place, 1)),
        ...parts.map((place) => frames.toSpliced(place, 0, frames[place]!)),
        ...frames.map((_frame, place) => frames.slice(0, place)),
        swapped,
        [...frames, frames.at(-1)!],
      ];
      for (const variant of variants) await refusal('E_INTEGRITY', () => readBack(altered(fileOf(variant))));
    });

    it('with one bit flipped is refused, wherever it is', async () => {
      const octets = readFileSync(made.file);
      const frames = await framesOf(made.file);
      const ends = frames.reduce<number[]>(
        (all, { octets: { length } }) => [...all, (all.at(-1) ?? BACKUP_MARK.length) + length],
        [],
      );
      const places = new Set([0, 5, ...ends.flatMap((end) => [end - 1, end, end + 1, end + 4, end + 5, end + 40])]);
      for (let place = 97; place < octets.length; place += Math.ceil(octets.length / 60)) places.add(place);
      const copy = scene.copyOf(made.file);
      let refused = 0;
      for (const place of places) {
        if (place >= octets.length) continue;
        const flipped = Buffer.from(octets);
        flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8));
        writeFileSync(copy, flipped);
        const code = await readBack(copy).then(
          () => 'nothing',
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
        );
        expect(['E_INTEGRITY', 'E_SCHEMA', 'E_SIGNATURE'], `octet ${place}`).to.include(code);
        refused += 1;
      }
      expect(refused).to.be.greaterThan(80);
    });

    it('that was cut anywhere is refused', async () => {
      const octets = readFileSync(made.file);
      const copy = scene.copyOf(made.file);
      for (let kept = 0; kept < octets.length; kept += Math.ceil(octets.length / 40)) {
        writeFileSync(copy, octets.subarray(0, kept));
        const code = await readBack(copy).then(
          () => 'nothing',
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
        );
        expect(['E_INTEGRITY', 'E_SCHEMA'], `${kept} octets`).to.include(code);
      }
    });

    it('of an instance whose shares were made anew opens with those of its time alone', async () => {
      const { instance } = scene;
      const fresh: Participant[] = [];
      const holders = CUSTODIANS.map((name) => scene.stage.person(name));
      await reshareKeystore(
        instance,
        {
          threshold: 3,
          holders: holders.map(({ certificate, shares }) => ({
            person: shares.service?.person ?? '',
            certificate: sm3Fingerprint(certificate),
            spki: parseCertificate(certificate).spki,
          })),
          deliver: (sealed) => {
            for (const share of sealed) {
              const person =
                people[CUSTODIANS.findIndex((_name, at) => holders[at]?.shares.service?.person === share.person)];
              if (person !== undefined) fresh.push({ ...person, shares: { service: share } });
            }
          },
          source: { node: 'node-1' },
        },
        SYSTEM,
      );
      await refusal('E_SHARE_SET', () => restore(scene.elsewhere(), { people: fresh }));
      await refusal('E_ROLLBACK', () => restore(scene.elsewhere(), { leastEpoch: instance.keystore.epoch }));
      await scene.settleLog();
      const newer = await scene.backup();
      await refusal('E_SHARE_SET', () => restore(scene.elsewhere(), { file: newer.file }));
      const order = { file: newer.file, people: fresh, leastEpoch: instance.keystore.epoch };
      const drilled = await drillBackup(scene.elsewhere(), engine, orderOf(order));
      expect(drilled).to.include({ recovered: 1 });
      expect(drilled.opened).to.be.greaterThan(19);
      expect([...drilled.broken, ...drilled.restored.invariants.flatMap(({ violations }) => violations)]).to.deep.equal(
        [],
      );
    });
  });
});
