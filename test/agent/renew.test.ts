import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { deviceStatus } from '../../src/agent/device-status.ts';
import { DEVICE_FILES, DeviceFolder } from '../../src/agent/device-folder.ts';
import { openKey } from '../../src/agent/device-keys.ts';
import { enrol } from '../../src/agent/enrol.ts';
import { renew, renewalDue, type RenewPorts } from '../../src/agent/renew.ts';
import { runRound, waitAfter, type RunPorts } from '../../src/agent/run-device.ts';
import { createClient, type KmcClient, type RequestSigner } from '../../src/agent/signed-client.ts';
import { decodePem } from '../../src/crypto/asn1/pem.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { publishCrl } from '../../src/flows/certificates/publish-crl.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { parseCertificateList } from '../../src/x509/crl.ts';
import { refusal } from '../crypto/refusal.ts';
import { registered, tokenFor } from '../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

const PASSPHRASE = Buffer.from('a passphrase of the device');
/** One process works on each folder of these tests. */
const takeNoLock: RunPorts['lock'] = () => Promise.resolve({ release: () => undefined });
const CHILD = join(import.meta.dirname, 'renew-until-killed.ts');

forEachDatabase('the renewal by the agent of a device', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  let path: string;
  let folder: DeviceFolder;

  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), 'kmc-device-'));
    folder = new DeviceFolder(path);
    const device = await registered(test(), 'gw-1');
    const { token } = await tokenFor(test(), 'gw-1');
    await enrol(ports(), {
      deviceId: 'gw-1',
      subject: device.subject,
      alternativeNames: readAlternativeNames(device.alternativeNames),
      token,
      passphrase: PASSPHRASE,
      root: test().estate.root.certificate.der,
      folder: path,
    });
    folder.noteReloaded();
    folder.removeOldSets();
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  function ports(engine: CryptoEngine = createSoftwareEngine()): RunPorts {
    const baseUrl = service().url;
    const clientOf = (signer: RequestSigner): KmcClient => createClient({ baseUrl, signer });
    return { engine, client: createClient({ baseUrl }), clientOf, now: () => test().clock.now(), lock: takeNoLock };
  }

  /** The files of the plain names belong together: both keys to their certificates. */
  async function requireConsistent(): Promise<string> {
    const engine = createSoftwareEngine();
    const read = (file: keyof typeof DEVICE_FILES): Buffer => readFileSync(join(path, DEVICE_FILES[file]));
    for (const [keyFile, certificateFile] of [
      ['signKey', 'signCertificate'],
      ['encKey', 'encCertificate'],
    ] as const) {
      const key = await openKey(engine, read(keyFile), PASSPHRASE);
      const certificate = parseCertificate(decodePem(read(certificateFile).toString(), 'CERTIFICATE'));
      expect(key.spki.equals(certificate.spki), certificateFile).to.equal(true);
    }
    return parseCertificate(decodePem(read('signCertificate').toString(), 'CERTIFICATE')).serialNumber;
  }

  const count = async (): Promise<number> =>
    (await test().database.read((reader) => reader.certificates.list({ deviceId: 'gw-1' }, { limit: 100 }))).length;

  it('puts a new set in place of the old one in one step, and signs with the new key from then on', async () => {
    const first = await requireConsistent();
    await renew(ports(), folder, PASSPHRASE);
    const second = await requireConsistent();
    expect(second).to.not.equal(first);
    await renew(ports(), folder, PASSPHRASE);
    expect(await requireConsistent()).to.not.be.oneOf([first, second]);
    expect(await count()).to.equal(6);
    folder.noteReloaded();
    folder.removeOldSets();
    expect(readdirSync(join(path, 'sets')).sort()).to.deep.equal(['0002', '0003']);
    expect(deviceStatus(folder)).to.deep.include({ set: '0003', isPending: false, isReloaded: true });
  });

  it('makes a new key when the service will not certify that of an old try any more', async () => {
    const lost = ports();
    const clientOf: RenewPorts['clientOf'] = (signer) => {
      const client = lost.clientOf(signer);
      return {
        ...client,
        json: async (...call) => {
          await client.json(...call);
          throw new Error('lost');
        },
      };
    };
    await renew({ ...lost, clientOf }, folder, PASSPHRASE).catch(() => undefined);
    expect(folder.isPending).to.equal(true);
    await fixture.sql("update enrolments set closed = 1, enveloped_key = null where operation = 'renew'");
    await renew(ports(), folder, PASSPHRASE);
    await requireConsistent();
    expect(await count()).to.equal(6);
  });

  it('renews in a round when it is due and not before, and runs the reload command until it succeeds', async () => {
    const marker = join(path, 'reloads');
    const reload = `echo x >> ${marker}`;
    const early = await runRound(ports(), folder, { passphrase: PASSPHRASE, reload });
    expect([early.renewed, early.reloaded, existsSync(marker)]).to.deep.equal([false, false, false]);
    const { from } = renewalDue(folder);
    const later = { ...ports(), now: () => new Date(from.getTime() + 1000) };
    await refusal('E_STATE', () => runRound(later, folder, { passphrase: PASSPHRASE, reload: 'exit 1' }));
    expect(deviceStatus(folder)).to.deep.include({ set: '0002', isReloaded: false });
    const next = await runRound(ports(), folder, { passphrase: PASSPHRASE, reload });
    expect([next.renewed, next.reloaded]).to.deep.equal([false, true]);
    await runRound(ports(), folder, { passphrase: PASSPHRASE, reload });
    expect(readFileSync(marker, 'utf8')).to.equal('x\n');
  });

  it('refuses to renew under a certificate that has ended', async () => {
    const over = { ...ports(), now: () => new Date(Date.now() + 800 * 86_400_000) };
    await refusal('E_STATE', () => runRound(over, folder, { passphrase: PASSPHRASE }));
  });

  it('keeps the CRL of its issuer, takes a newer one, and refuses an older, a foreign and a broken one', async () => {
    const { instance } = test();
    const options = { passphrase: PASSPHRASE };
    const file = join(path, 'crl', 'sm2-issuing.crl');
    const stateOf = async (used: RunPorts): Promise<string | undefined> =>
      (await runRound(used, folder, options)).crls.find((one) => one.file === 'sm2-issuing.crl')?.state;
    expect(await stateOf(ports())).to.equal('absent');
    const older = await publishCrl(instance, SYSTEM, 'sm2-issuing');
    expect(await stateOf(ports())).to.equal('new');
    expect(await stateOf(ports())).to.equal('unchanged');
    const newer = await publishCrl(instance, SYSTEM, 'sm2-issuing');
    folder.noteReloaded();
    expect(await stateOf(ports())).to.equal('new');
    // Nothing told the software of it yet: a round with a command does.
    expect(folder.isReloaded).to.equal(false);
    expect((await runRound(ports(), folder, { ...options, reload: 'true' })).reloaded).to.equal(true);
    expect(folder.isReloaded).to.equal(true);
    expect(parseCertificateList(readFileSync(file)).crlNumber).to.equal(newer.number);
    const admin = await publishCrl(instance, SYSTEM, 'admin-ca');
    const region = await publishCrl(instance, SYSTEM, 'sm2-issuing', '110000');
    for (const body of [older.crl, admin.crl, region.crl, Buffer.from('no CRL')]) {
      const answer = { status: 200, headers: {}, body };
      const used = { ...ports(), client: { ...ports().client, send: () => Promise.resolve(answer) } };
      expect(await stateOf(used)).to.equal('refused');
      expect(readFileSync(file).equals(newer.crl)).to.equal(true);
    }
    const kept = deviceStatus(folder).crls.filter((one) => one.file === 'sm2-issuing.crl');
    expect(kept.map(({ number }) => number)).to.deep.equal([newer.number.toString()]);
  });

  it('leaves a folder that was never enrolled alone', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'kmc-device-'));
    writeFileSync(join(empty, 'root.pem'), '');
    await refusal('E_NOT_FOUND', () => renew(ports(), new DeviceFolder(empty), PASSPHRASE));
    rmSync(empty, { recursive: true });
  });

  // The files of a device depend on no database: cuts and real kills are dear, and done once.
  if (fixture.engine === 'postgresql') return;
  it('goes on with the same key wherever it is cut short, and leaves the files in force whole', async function () {
    this.timeout(60_000);
    const first = await requireConsistent();
    let reached = 0;
    for (let cut = 1; reached < 1; cut += 1) {
      const counter = { left: cut };
      try {
        await renew(cutting(ports(), counter), folder, PASSPHRASE);
        reached = cut;
      } catch (error) {
        expect(String(error)).to.include('cut short');
        expect(await requireConsistent(), `after cut ${cut}`).to.equal(first);
      }
    }
    expect(reached, 'there were places to cut at').to.be.greaterThan(8);
    expect(await requireConsistent()).to.not.equal(first);
    expect(await count()).to.equal(4);
  });

  it('survives kill -9 at any moment', async function () {
    this.timeout(90_000);
    const first = await requireConsistent();
    let second = first;
    for (const delay of [0, 15, 60]) {
      const child = spawn(process.execPath, ['--import', 'tsx', CHILD, service().url, path, PASSPHRASE.toString()], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      setTimeout(() => child.kill('SIGKILL'), delay);
      await once(child, 'exit');
      second = await requireConsistent();
    }
    await runRound(ports(), folder, { passphrase: PASSPHRASE, force: second === first });
    expect(await requireConsistent()).to.not.equal(first);
    expect(folder.isPending).to.equal(false);
    expect((await count()) % 2).to.equal(0);
  });
});

describe('the waits of the agent', () => {
  it('are six hours, and after failures a minute that doubles up to an hour, each 20 % shorter or longer', () => {
    const minutes = (failures: number): number => waitAfter(failures) / 60_000;
    for (let round = 0; round < 50; round += 1) {
      expect(minutes(0)).to.be.within(288, 432);
      expect(minutes(1)).to.be.within(0.8, 1.2);
      expect(minutes(3)).to.be.within(3.2, 4.8);
      expect(minutes(30)).to.be.within(48, 72);
    }
  });
});

/** Ports that stop working at the n-th call, before or after it took effect: as a kill between two steps. */
function cutting(ports: RunPorts, counter: { left: number }): RunPorts {
  const cut = async <T>(work: () => Promise<T>): Promise<T> => {
    counter.left -= 1;
    if (counter.left === 0) throw new Error('cut short before');
    const result = await work();
    counter.left -= 1;
    if (counter.left === 0) throw new Error('cut short after');
    return result;
  };
  const { engine } = ports;
  const clientOf: RenewPorts['clientOf'] = (signer) => {
    const client = ports.clientOf({ ...signer, engine });
    return { ...client, json: (...call) => cut(() => client.json(...call)) };
  };
  const wrapped: CryptoEngine = {
    ...engine,
    importPkcs8: (...call: Parameters<CryptoEngine['importPkcs8']>) => cut(() => engine.importPkcs8(...call)),
    generateKeyPair: (...call: Parameters<CryptoEngine['generateKeyPair']>) =>
      cut(() => engine.generateKeyPair(...call)),
    exportPkcs8: (...call: Parameters<CryptoEngine['exportPkcs8']>) => cut(() => engine.exportPkcs8(...call)),
    sign: (...call: Parameters<CryptoEngine['sign']>) => cut(() => engine.sign(...call)),
    openEnvelopedKey: (...call: Parameters<CryptoEngine['openEnvelopedKey']>) =>
      cut(() => engine.openEnvelopedKey(...call)),
  };
  return { ...ports, engine: wrapped, clientOf };
}
