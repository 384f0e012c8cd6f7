/** BouncyCastle over what the product makes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { encodeSm2Spki, sm2PointFromSpki } from '../../src/crypto/spki.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { publishCrl } from '../../src/flows/certificates/publish-crl.ts';
import { revokeCertificate } from '../../src/flows/certificates/revoke-certificate.ts';
import { readyDevice } from '../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { SM2_BAD } from '../crypto/vectors.ts';
import { bouncyCastle, isBouncyCastleThere } from './bouncy-castle-program.ts';

const accepts = async (...args: string[]) => (await bouncyCastle(...args)) === 'ok';

forEachDatabase('BouncyCastle', (fixture) => {
  const test = testInstance(fixture);

  before(function needed() {
    if (!isBouncyCastleThere()) this.skip();
  });

  const file = (name: string, der: Buffer): string => {
    const path = join(test().folder, name);
    writeFileSync(path, der);
    return path;
  };

  it('accepts the pair of a gateway under issuing CA and root, its request, and the CRL that revokes it', async function () {
    this.timeout(60_000);
    const { instance, database } = test();
    const ready = await readyDevice(test(), 'gw-1');
    const outcome = await enrolDevice(instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    const { signCertificate, encCertificate, chain } = outcome.answer;
    const above = chain.map((der, depth) => file(`above-${depth}.cer`, der));
    expect(await accepts('chain', file('sign.cer', signCertificate), ...above)).to.equal(true);
    expect(await accepts('chain', file('enc.cer', encCertificate), ...above)).to.equal(true);
    expect(await accepts('csr', file('request.csr', ready.input.csr))).to.equal(true);
    const [row] = await database.read((reader) => reader.certificates.list({ deviceId: 'gw-1' }, { limit: 1 }));
    await revokeCertificate(instance, SYSTEM, { certificateId: row?.id ?? '', reason: 'superseded' });
    const { crl } = await publishCrl(instance, SYSTEM, 'sm2-issuing');
    expect(await accepts('crl', file('list.crl', crl), above[0] ?? '')).to.equal(true);
  });

  it('refuses what was altered, so its word means something', async function () {
    this.timeout(60_000);
    const ready = await readyDevice(test(), 'gw-1');
    const altered = Buffer.from(ready.input.csr);
    altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1;
    expect(await accepts('csr', file('altered.csr', altered))).to.equal(false);
  });
});

describe('BouncyCastle over envelopes', () => {
  const engine = createSoftwareEngine();
  let folder: string;

  before(function needed() {
    if (!isBouncyCastleThere()) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'kmc-bc-envelopes-'));
  });

  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const file = (name: string, bytes: Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it('opens an enveloped key and finds the public key that belongs to it', async function () {
    this.timeout(60_000);
    const key = await engine.generateKeyPair('SM2');
    const recipient = encodeSm2Spki(Buffer.from(SM2_BAD.key.publicKeyHex, 'hex'));
    const envelope = file('enveloped-key.der', await engine.envelopeKey(key, recipient));
    const point = sm2PointFromSpki(key.spki).toString('hex');
    expect(await accepts('envelope', envelope, SM2_BAD.key.privateKeyHex, point)).to.equal(true);
  });

  it('opens the blobs of GM/T 0016 in both conventions', async function () {
    this.timeout(60_000);
    const key = await engine.generateKeyPair('SM2');
    const recipient = encodeSm2Spki(Buffer.from(SM2_BAD.key.publicKeyHex, 'hex'));
    const point = sm2PointFromSpki(key.spki).toString('hex');
    for (const packing of ['gmt-0016-a', 'gmt-0016-b'] as const) {
      const blob = file(`${packing}.bin`, await engine.envelopeKey(key, recipient, packing));
      expect(await accepts('skf', blob, SM2_BAD.key.privateKeyHex, point), packing).to.equal(true);
    }
  });

  it('opens a signed package of GM/T 0010 and verifies it under the key of its signer alone', async function () {
    this.timeout(60_000);
    const [key, signer, other] = [
      await engine.generateKeyPair('SM2'),
      await engine.generateKeyPair('SM2'),
      await engine.generateKeyPair('SM2'),
    ];
    const identifier = Buffer.from('30053000020105', 'hex');
    const spki = encodeSm2Spki(Buffer.from(SM2_BAD.key.publicKeyHex, 'hex'));
    const keyPackage = await engine.packageKey(
      key,
      { spki, identifier },
      { key: signer, identifier, certificates: [] },
    );
    const point = sm2PointFromSpki(key.spki).toString('hex');
    const args = ['package', file('package.der', keyPackage), SM2_BAD.key.privateKeyHex, point];
    expect(await accepts(...args, file('signer.spki', signer.spki))).to.equal(true);
    expect(await accepts(...args, file('other.spki', other.spki))).to.equal(false);
  });
});
