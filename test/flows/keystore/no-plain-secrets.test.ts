/** I11: no key, share or unseal key ever stands in clear in a file, in whatever coding. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openEnvelopedKey } from '../../../src/crypto/gm/enveloped-key.ts';
import { decryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import type { CryptoEngine, KeyHandle, SecretHandle } from '../../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import { encodeSm2Spki } from '../../../src/crypto/spki.ts';
import { createKeystore } from '../../../src/flows/keystore/create-keystore.ts';
import { openCeremonyKeystore } from '../../../src/flows/keystore/open-ceremony-keystore.ts';
import { reshareKeystore } from '../../../src/flows/keystore/reshare-keystore.ts';
import { openFileKeystore } from '../../../src/keystore/file-keystore.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';
import { ServiceInstance, SOURCE, StandingClock, SYSTEM } from './service-instance.ts';

/** An engine that tells a test every secret it makes. */
function tellingEngine(): { engine: CryptoEngine; secrets: Buffer[] } {
  const inner = createSoftwareEngine();
  const secrets: Buffer[] = [];
  const ear = generateSm2Key();
  const spki = encodeSm2Spki(ear.point);
  const tellSecret = async (secret: SecretHandle): Promise<void> => {
    secrets.push(decryptSm2(ear.scalar, await inner.encryptSecretTo(secret, spki)).subarray(0, 32));
  };
  const tellKey = async (key: KeyHandle): Promise<void> => {
    secrets.push(openEnvelopedKey(ear.scalar, await inner.envelopeKey(key, spki)).scalar);
  };
  const engine: CryptoEngine = {
    ...inner,
    async generateSecret(length) {
      const secret = await inner.generateSecret(length);
      await tellSecret(secret);
      return secret;
    },
    async splitSecret(secret, threshold, count) {
      const result = await inner.splitSecret(secret, threshold, count);
      for (const share of result.shares) await tellSecret(share.secret);
      return result;
    },
    async generateKeyPair(algorithm, bits) {
      const key = await inner.generateKeyPair(algorithm, bits);
      await tellKey(key);
      return key;
    },
  };
  return { engine, secrets };
}

/** Files below a folder that hold a secret, or half of one, as bytes, hex or base64. */
function leaks(folder: string, secrets: readonly Buffer[]): string[] {
  const needles = secrets.flatMap((secret) => [
    secret.subarray(0, 16),
    secret.subarray(16),
    Buffer.from(secret.toString('hex').slice(0, 32)),
    Buffer.from(secret.toString('hex').slice(0, 32).toUpperCase()),
    ...[0, 1, 2].map((shift) => Buffer.from(secret.subarray(shift, shift + 15).toString('base64'))),
  ]);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .filter((name) => needles.some((needle) => readFileSync(join(folder, name)).includes(needle)));
}

describe('files of keystores', () => {
  const scratch = scratchDirectory();
  let custodians: Custodian[];
  before(async () => {
    custodians = await makeCustodians(3);
  });
  const handOut = (): { threshold: number; holders: Custodian['holder'][]; deliver: ReturnType<typeof delivery> } => ({
    threshold: 2,
    holders: custodians.map((custodian) => custodian.holder),
    deliver: (shares) => {
      delivery(custodians)(shares);
      for (const { index, ciphertext } of shares) writeFileSync(join(scratch(), `share-${index}`), ciphertext);
    },
  });

  it('of the service hold no secret, nor does its database', async () => {
    const { engine, secrets } = tellingEngine();
    const service = await ServiceInstance.start(scratch(), `sqlite:${join(scratch(), 'kmc.sqlite')}`, engine);
    await createKeystore(service, { ...handOut(), instance: 'kmc-test', source: SOURCE }, SYSTEM);
    await service.unseal(custodians.slice(0, 2));
    await reshareKeystore(service, { ...handOut(), source: SOURCE }, SYSTEM);
    const caKey = await engine.generateKeyPair('SM2');
    const sealed = await service.keystore.sealCaKey('ca-1', 'sign', caKey);
    writeFileSync(join(scratch(), 'blob'), sealed.blob);
    expect(secrets.length).to.be.greaterThan(15);
    expect(leaks(scratch(), secrets)).to.deep.equal([]);
    await service.stop();
    expect(leaks(scratch(), secrets)).to.deep.equal([]);
  });

  it('of a ceremony hold no secret', async () => {
    const { engine, secrets } = tellingEngine();
    const files = openFileKeystore(join(scratch(), 'ceremony'), 'ceremony');
    const ports = { engine, files, clock: new StandingClock() };
    await createKeystore(ports, { ...handOut(), instance: 'kmc-test', source: SOURCE }, SYSTEM);
    const opening = await openCeremonyKeystore(ports, { lastEpoch: 1 });
    for (const custodian of custodians.slice(0, 2)) {
      const keystore = await opening.submit(custodian.caller.id, await custodian.transfer(opening.session.spki));
      if (keystore === undefined) continue;
      await keystore.generateRootKey({ change: 'cer-1', keyId: 'root-1', algorithm: 'SM2' });
      await keystore.reshare('cer-2', handOut());
      keystore.close();
    }
    files.close();
    expect(files.list().map((file) => file.path)).to.include('root/root-1.0002.blob');
    expect(secrets.length).to.be.greaterThan(15);
    expect(leaks(scratch(), secrets)).to.deep.equal([]);
  });

  it('would be found out if they held one', () => {
    const secret = Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 11) & 255));
    const codings: readonly (Buffer | string)[] = [
      Buffer.concat([Buffer.alloc(5), secret]),
      `key=${secret.toString('hex')}`,
      secret.toString('hex').toUpperCase(),
      Buffer.concat([Buffer.from('xy'), secret]).toString('base64'),
      Buffer.concat([Buffer.from('x'), secret]).toString('base64'),
      secret.toString('base64'),
    ];
    for (const [at, content] of codings.entries()) writeFileSync(join(scratch(), String(at)), content);
    expect(leaks(scratch(), [secret]).sort()).to.deep.equal(['0', '1', '2', '3', '4', '5']);
  });
});
