import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DEVICE_FILES, DeviceFolder } from '../../src/agent/device-folder.ts';
import { enrol, type DeviceEnrolment } from '../../src/agent/enrol.ts';
import { createClient, type KmcClient } from '../../src/agent/signed-client.ts';
import { children, decodeDer } from '../../src/crypto/asn1/der.ts';
import { decodePem, decodePemAll } from '../../src/crypto/asn1/pem.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import {
  encodeSignedAndEnveloped,
  parseSignedAndEnveloped,
  wrapSignedAndEnveloped,
} from '../../src/crypto/gm/signed-enveloped.ts';
import { envelopeFamilyOf } from '../../src/domain/envelope-family.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { refusal } from '../crypto/refusal.ts';
import { registered, tokenFor } from '../fixtures/enrolling.ts';
import { makeRoot } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

const PASSPHRASE = 'a passphrase of the device';

forEachDatabase('the agent of a device', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-device-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function enrolment(id: string, profile = 'gateway'): Promise<DeviceEnrolment> {
    const device = await registered(test(), id, { profile });
    const { token } = await tokenFor(test(), id);
    return {
      deviceId: id,
      subject: device.subject,
      alternativeNames: readAlternativeNames(device.alternativeNames),
      token,
      passphrase: Buffer.from(PASSPHRASE),
      root: test().estate.root.certificate.der,
      folder,
    };
  }

  const ports = (client: KmcClient = createClient({ baseUrl: service().url })) => ({
    engine: createSoftwareEngine(),
    client,
    now: () => test().clock.now(),
  });
  const read = (name: keyof typeof DEVICE_FILES): Buffer => readFileSync(join(folder, DEVICE_FILES[name]));

  it('enrols over plain HTTP and keeps keys and certificates that openssl accepts link by link', async () => {
    const answer = await enrol(ports(), await enrolment('gw-1'));
    expect(answer.bundleVersion).to.equal('0');
    const tlcp = decodePemAll(read('tlcp').toString(), 'CERTIFICATE');
    expect(tlcp).to.have.length(4);
    expect(tlcp[0]?.equals(answer.signCertificate)).to.equal(true);
    expect(tlcp[1]?.equals(answer.encCertificate)).to.equal(true);
    expect(
      decodePemAll(read('chain').toString(), 'CERTIFICATE')[1]?.equals(test().estate.root.certificate.der),
    ).to.equal(true);
    const issuing = join(folder, 'issuing.pem');
    execFileSync('openssl', ['x509', '-out', issuing], { input: read('chain') });
    for (const name of ['signCertificate', 'encCertificate'] as const) {
      const args = ['verify', '-vfyopt', 'distid:1234567812345678', '-partial_chain', '-trusted', issuing];
      expect(execFileSync('openssl', [...args, join(folder, DEVICE_FILES[name])]).toString()).to.match(/OK/);
    }
    const engine = createSoftwareEngine();
    for (const [keyFile, certificateFile] of [
      ['signKey', 'signCertificate'],
      ['encKey', 'encCertificate'],
    ] as const) {
      const pem = decodePem(read(keyFile).toString(), 'ENCRYPTED PRIVATE KEY');
      const key = await engine.importPkcs8(pem, Buffer.from(PASSPHRASE));
      const spki = execFileSync('openssl', ['x509', '-pubkey', '-noout'], { input: read(certificateFile) });
      expect(decodePem(spki.toString(), 'PUBLIC KEY').equals(key.spki)).to.equal(true);
    }
    expect(service().faults).to.deep.equal([]);
  });

  it('gets an envelope whose symmetric key openssl decrypts with the signing key', async () => {
    await enrol(ports(), await enrolment('gw-2'));
    const engine = createSoftwareEngine();
    const signKey = await engine.importPkcs8(
      decodePem(read('signKey').toString(), 'ENCRYPTED PRIVATE KEY'),
      Buffer.from(PASSPHRASE),
    );
    const opensslKey = join(folder, 'openssl.der');
    writeFileSync(opensslKey, await engine.exportPkcs8(signKey, Buffer.from(PASSPHRASE), 'openssl'));
    const symEncryptedKey = children(decodeDer(read('envelopedKey')))[1]?.encoded;
    const symmetric = execFileSync(
      'openssl',
      ['pkeyutl', '-decrypt', '-inkey', opensslKey, '-keyform', 'DER', '-passin', `pass:${PASSPHRASE}`],
      { input: symEncryptedKey },
    );
    expect(symmetric).to.have.length(16);
  });

  for (const [profile, family] of [
    ['token-gateway', 'gmt-0016-a'],
    ['package-gateway', 'gmt-0010'],
  ] as const) {
    it(`of the profile ${profile} gets its key as ${family} and as SM2EnvelopedKey, and the same again`, async () => {
      const wanted = await enrolment('gw-4', profile);
      const answer = await enrol(ports(), wanted);
      expect(answer.envelope).to.equal(family);
      expect(read('packedKey').equals(answer.envelopedKey)).to.equal(true);
      expect(envelopeFamilyOf(read('packedKey'))).to.equal(family);
      expect(envelopeFamilyOf(read('envelopedKey'))).to.equal('gmt-0009');
      const engine = createSoftwareEngine();
      const pem = (name: 'signKey' | 'encKey') => decodePem(read(name).toString(), 'ENCRYPTED PRIVATE KEY');
      const signKey = await engine.importPkcs8(pem('signKey'), Buffer.from(PASSPHRASE));
      const encKey = await engine.importPkcs8(pem('encKey'), Buffer.from(PASSPHRASE));
      const opened = await engine.openEnvelopedKey(signKey, read('envelopedKey'));
      expect(opened.spki.equals(encKey.spki)).to.equal(true);
      const again = await enrol(ports(), wanted);
      expect(again.envelopedKey.equals(answer.envelopedKey)).to.equal(true);
      expect(again.csrResponse.equals(answer.csrResponse)).to.equal(true);
    });
  }

  it('does not take a key package whose signer its root does not vouch for', async () => {
    const client = createClient({ baseUrl: service().url });
    const stranger = await makeRoot(test().instance.engine, 'other', 'root', 'Another root');
    const altered: KmcClient = {
      ...client,
      json: async (method, target, body) => {
        const answer = (await client.json(method, target, body)) as Record<string, string>;
        const data = parseSignedAndEnveloped(Buffer.from(answer['envelopedKey'] ?? '', 'base64'));
        const certificates = [stranger.certificate.der];
        const forged = wrapSignedAndEnveloped(encodeSignedAndEnveloped({ ...data, certificates }));
        return { ...answer, envelopedKey: forged.toString('base64') };
      },
    };
    const wanted = await enrolment('gw-5', 'package-gateway');
    await refusal('E_CERT', () => enrol(ports(altered), wanted));
    expect(existsSync(join(folder, DEVICE_FILES.encKey))).to.equal(false);
  });

  it('goes on after it was killed: the same key, the same certificates', async () => {
    const wanted = await enrolment('gw-3');
    const client = createClient({ baseUrl: service().url });
    const lost: KmcClient = {
      ...client,
      json: async (method, target, body) => {
        await client.json(method, target, body);
        throw new Error('killed before the answer came');
      },
    };
    let failure: unknown;
    await enrol(ports(lost), wanted).catch((error: unknown) => (failure = error));
    expect(failure).to.be.instanceOf(Error);
    expect(existsSync(join(folder, DEVICE_FILES.signCertificate))).to.equal(false);
    const key = new DeviceFolder(folder).pending().read('signKey');
    const first = await enrol(ports(), wanted);
    expect(key?.equals(read('signKey'))).to.equal(true);
    const again = await enrol(ports(), wanted);
    expect(again.signCertificate.equals(first.signCertificate)).to.equal(true);
    const rows = await test().database.read((reader) => reader.certificates.list({ deviceId: 'gw-3' }, { limit: 10 }));
    expect(rows).to.have.length(2);
  });

  it('keeps nothing of an answer that another root vouches for, or that holds a foreign part', async () => {
    const wanted = await enrolment('gw-4');
    await refusal('E_CERT', () => enrol(ports(), { ...wanted, root: test().estate.administratorCa.certificate.der }));
    const client = createClient({ baseUrl: service().url });
    const swapped: KmcClient = {
      ...client,
      json: async (...call) => {
        const answer = (await client.json(...call)) as Record<string, unknown>;
        return { ...answer, encCertificate: answer['signCertificate'] };
      },
    };
    await refusal('E_LINT', () => enrol(ports(swapped), wanted));
    expect(existsSync(join(folder, DEVICE_FILES.encKey))).to.equal(false);
    expect(existsSync(join(folder, DEVICE_FILES.tlcp))).to.equal(false);
  });

  it('does not enrol with another token', async () => {
    const wanted = await enrolment('gw-5');
    await refusal('E_TOKEN', () => enrol(ports(), { ...wanted, token: Buffer.alloc(32, 'A') }));
  });
});
