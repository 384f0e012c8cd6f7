import { expect } from 'chai';
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../../src/crypto/algorithms.ts';
import { encryptData as sealUnder } from '../../../src/crypto/data-ciphertext.ts';
import type { KmcError } from '../../../src/errors.ts';
import { encryptData } from '../../../src/flows/data/encrypt-data.ts';
import { decryptData } from '../../../src/flows/data/decrypt-data.ts';
import { macData } from '../../../src/flows/data/mac-data.ts';
import { makeDataKeys } from '../../../src/flows/data/make-data-keys.ts';
import { rewrapData } from '../../../src/flows/data/rewrap-data.ts';
import { signData } from '../../../src/flows/data/sign-data.ts';
import { verifyData } from '../../../src/flows/data/verify-data.ts';
import type { DataPorts } from '../../../src/flows/data/key-in-use.ts';
import { commandKey } from '../../../src/flows/keys/command-key.ts';
import { destroyDueKeys } from '../../../src/flows/keys/destroy-due-keys.ts';
import { rotateManagedKey } from '../../../src/flows/managed-keys/rotate-managed-key.ts';
import { KEY_OPERATIONS, managedKeyKind, type ManagedKeyKindName } from '../../../src/domain/managed-key.ts';
import {
  dataPorts,
  decided,
  grant,
  managedKey,
  registeredApplication,
  type RegisteredApplication,
} from '../../fixtures/applications.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { enrolled } from '../recoveries/enrolled.ts';

const DAY = 86_400;
const CONTEXT = { record: '7', table: 'tax' };
const PLAINTEXT = Buffer.from('what an application protects');

forEachDatabase('data under managed keys', (fixture) => {
  const test = testInstance(fixture);
  let ports: DataPorts;
  let application: RegisteredApplication;
  beforeEach(async () => {
    ports = dataPorts(test());
    application = await registeredApplication(test());
  });

  /** A key of that kind on which the application has every grant. */
  async function granted(kind: ManagedKeyKindName = 'sm4', useLimit?: number): Promise<string> {
    const key = await managedKey(test(), { kind, ...(useLimit === undefined ? {} : { useLimit }) });
    await grant(test(), application, key, ...managedKeyKind(kind).operations);
    return key.id;
  }

  async function encrypt(keyId: string, context = CONTEXT): Promise<Buffer> {
    const { ciphertexts } = await encryptData(ports, application.caller, keyId, [{ plaintext: PLAINTEXT, context }]);
    return ciphertexts[0]!;
  }

  async function decrypt(
    keyId: string,
    ciphertext: Buffer,
    context: Record<string, string> = CONTEXT,
  ): Promise<Buffer> {
    const [one] = await decryptData(ports, application.caller, keyId, [{ ciphertext, context }]);
    if (one === undefined || 'code' in one) throw new Error('one item fails as the call does');
    return one.content;
  }

  function rotate(keyId: string): Promise<unknown> {
    return rotateManagedKey(test().instance, test().people.caOperatorOne.caller, { keyId, reason: 'a test' });
  }

  function archive(keyId: string): Promise<unknown> {
    const input = { keyId, act: 'deactivate', reason: 'a test' } as const;
    return commandKey(test().instance, test().people.caOperatorOne.caller, input);
  }

  it('is read by earlier versions, written by the current one, and rewrapped from the one to the other', async () => {
    for (const kind of ['sm4', 'sm2-encrypt'] as const) {
      const keyId = await granted(kind);
      const before = await encrypt(keyId);
      await rotate(keyId);
      expect((await decrypt(keyId, before)).equals(PLAINTEXT)).to.equal(true);
      const [after] = await rewrapData(ports, application.caller, keyId, [{ ciphertext: before, context: CONTEXT }]);
      if (after === undefined || 'code' in after) throw new Error('nothing was rewrapped');
      expect(after.version).to.equal(2);
      await archive(`${keyId}-v2`);
      await decided(test(), 'key.destroy', `${keyId}-v1`);
      test().clock.advance(8 * DAY);
      await destroyDueKeys(test().instance, SYSTEM);
      expect((await decrypt(keyId, after.ciphertext)).equals(PLAINTEXT)).to.equal(true);
      await refusal('E_STATE', decrypt(keyId, before));
    }
  });

  it('is refused with one text for a wrong context, version or key, and for any damage', async () => {
    const keyId = await granted();
    const other = await granted();
    const ciphertext = await encrypt(keyId);
    const refused: Promise<KmcError>[] = [];
    for (let bit = 0; bit < ciphertext.length * 8; bit += 7) {
      const flipped = Buffer.from(ciphertext);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      refused.push(refusal('E_DECRYPT', decrypt(keyId, flipped)));
    }
    refused.push(
      refusal('E_DECRYPT', decrypt(keyId, ciphertext, { ...CONTEXT, record: '8' })),
      refusal('E_DECRYPT', decrypt(keyId, ciphertext, {})),
      refusal('E_DECRYPT', decrypt(keyId, await encrypt(other))),
      refusal('E_DECRYPT', decrypt(other, ciphertext)),
      refusal('E_DECRYPT', decrypt(keyId, Buffer.alloc(0))),
    );
    await rotate(keyId);
    const renamed = Buffer.from(ciphertext);
    renamed[6 + keyId.length + 3] = 2;
    refused.push(refusal('E_DECRYPT', decrypt(keyId, renamed)));
    expect(new Set((await Promise.all(refused)).map(({ message }) => message)).size).to.equal(1);
    expect((await decrypt(keyId, ciphertext, { table: 'tax', record: '7' })).equals(PLAINTEXT)).to.equal(true);
  });

  it('fails item by item in a batch that decrypts, and as a whole where it is single', async () => {
    const keyId = await granted();
    const good = await encrypt(keyId);
    const items = [good, Buffer.from('none'), good].map((ciphertext) => ({ ciphertext, context: CONTEXT }));
    const outcomes = await decryptData(ports, application.caller, keyId, items);
    expect(outcomes.map((one) => ('code' in one ? one.code : one.version))).to.deep.equal([1, 'E_DECRYPT', 1]);
    const rewrapped = await rewrapData(ports, application.caller, keyId, items);
    expect(rewrapped.map((one) => ('code' in one ? one.code : one.version))).to.deep.equal([1, 'E_DECRYPT', 1]);
  });

  it('tells a key that is not there from one without a grant to nobody', async () => {
    const key = await managedKey(test());
    const stranger = await registeredApplication(test(), 'app-2');
    const item = [{ plaintext: PLAINTEXT }];
    const texts = new Set<string>();
    for (const id of [key.id, 'mk-none', 'key-1']) {
      texts.add((await refusal('E_NOT_FOUND', encryptData(ports, stranger.caller, id, item))).message);
      texts.add((await refusal('E_NOT_FOUND', macData(ports, stranger.caller, id, [PLAINTEXT]))).message);
    }
    await grant(test(), stranger, key, 'encrypt');
    await encryptData(ports, stranger.caller, key.id, item);
    await refusal('E_FORBIDDEN', decryptData(ports, stranger.caller, key.id, [{ ciphertext: PLAINTEXT }]));
    const params = { key: key.id, operations: ['encrypt'] };
    await decided(test(), 'application.withdraw-grant', 'app-2', params);
    texts.add((await refusal('E_NOT_FOUND', encryptData(ports, stranger.caller, key.id, item))).message);
    expect(texts.size).to.equal(1);
  });

  it('stops with a suspended key, is only read with an archived or compromised one', async () => {
    const keyId = await granted();
    const ciphertext = await encrypt(keyId);
    await rotate(keyId);
    await decided(test(), 'key.suspend', keyId);
    await refusal('E_STATE', encrypt(keyId));
    await refusal('E_STATE', decrypt(keyId, ciphertext));
    await decided(test(), 'key.reactivate', keyId);
    await decided(test(), 'key.mark-compromised', `${keyId}-v1`, { incident: 'i-1' });
    await decrypt(keyId, ciphertext);
    await encrypt(keyId);
    await archive(keyId);
    await refusal('E_STATE', encrypt(keyId));
    await decrypt(keyId, ciphertext);
    await decided(test(), 'key.destroy', keyId);
    await refusal('E_STATE', decrypt(keyId, ciphertext));
  });

  it('ends with the crypto-period: E_PERIOD to protect, later to process too', async () => {
    const keyId = await granted();
    const ciphertext = await encrypt(keyId);
    const { originateSeconds, processSeconds = 0 } = ports.policies.cryptoPeriods['managed-data-encryption'];
    test().clock.advance(originateSeconds - 60);
    await encrypt(keyId);
    test().clock.advance(120);
    await refusal('E_PERIOD', encrypt(keyId));
    await refusal(
      'E_PERIOD',
      makeDataKeys(ports, application.caller, { keyId, form: { form: 'plain' }, contexts: [{}] }),
    );
    await decrypt(keyId, ciphertext);
    test().clock.advance(processSeconds);
    await refusal('E_PERIOD', decrypt(keyId, ciphertext));
  });

  it('gives data keys plain, wrapped, to a device and to an SM2 key, all of them the one that decrypt gives', async () => {
    const keyId = await granted();
    const device = await enrolled(test());
    const { engine } = test().instance;
    const own = await engine.generateKeyPair('SM2');
    const make = async (form: Parameters<typeof makeDataKeys>[2]['form']) => {
      const made = await makeDataKeys(ports, application.caller, { keyId, form, contexts: [CONTEXT] });
      const [key] = made.keys;
      if (key === undefined) throw new Error('no data key was made');
      return { ...made, ...key, content: await decrypt(keyId, key.wrapped) };
    };
    const plain = await make({ form: 'plain' });
    expect(plain.plain?.equals(plain.content)).to.equal(true);
    expect(plain.content).to.have.length(16);
    const wrapped = await make({ form: 'wrapped' });
    expect([wrapped.plain, wrapped.enveloped]).to.deep.equal([undefined, undefined]);
    expect(wrapped.content.equals(plain.content)).to.equal(false);
    const enveloped = await make({ form: 'recipient', spki: own.spki });
    const secret = await engine.decryptSecret(own, enveloped.enveloped!);
    const label = { keyId: 'k', keyVersion: 1, context: Buffer.alloc(0) };
    expect(
      (await engine.decryptData(secret, label, sealUnder(enveloped.content, label, PLAINTEXT))).equals(PLAINTEXT),
    ).to.equal(true);
    const toDevice = await make({ form: 'device', deviceId: device.id });
    expect(toDevice.certificateSm3).to.match(/^sm3:/);
    const row = await test().database.read((reader) => reader.certificates.findByDigest(toDevice.certificateSm3 ?? ''));
    expect(row?.certificate?.equals(device.enc.der)).to.equal(true);
    await refusal('E_NOT_FOUND', make({ form: 'device', deviceId: 'gw-9' }));
    await refusal('E_DER', make({ form: 'recipient', spki: Buffer.from('none') }));
  });

  it('is answered to an SM2 key alone where the caller says so', async () => {
    const keyId = await granted();
    const { engine } = test().instance;
    const own = await engine.generateKeyPair('SM2');
    const item = { ciphertext: await encrypt(keyId), context: CONTEXT };
    const [one] = await decryptData(ports, application.caller, keyId, [item], own.spki);
    if (one === undefined || 'code' in one) throw new Error('it does not decrypt');
    const secret = await engine.decryptSecret(own, one.content);
    expect(secret.length).to.equal(PLAINTEXT.length);
    expect(one.content.includes(PLAINTEXT)).to.equal(false);
  });

  it('is signed and MACed by versions, and verified by the one that is named', async () => {
    const signing = await granted('sm2-sign');
    const { signatures, version } = await signData(ports, application.caller, signing, [PLAINTEXT, Buffer.alloc(0)]);
    expect(version).to.equal(1);
    const key = await test().database.read((reader) => reader.managedKeys.find(signing));
    const der = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(signatures[0]!);
    expect(verifySignature('SM2-SM3', key!.versions[0]!.spki!, PLAINTEXT, der)).to.equal(true);
    const macing = await granted('hmac-sm3');
    const { macs } = await macData(ports, application.caller, macing, [PLAINTEXT]);
    for (const [keyId, proof] of [
      [signing, signatures[0]!],
      [macing, macs[0]!],
    ] as const) {
      await rotate(keyId);
      const items = [
        { message: PLAINTEXT, proof, version: 1 },
        { message: PLAINTEXT, proof },
        { message: Buffer.from('another'), proof, version: 1 },
        { message: PLAINTEXT, proof: proof.subarray(1), version: 1 },
        { message: PLAINTEXT, proof: Buffer.alloc(proof.length), version: 1 },
        { message: PLAINTEXT, proof, version: 9 },
      ];
      const verdicts = await verifyData(ports, application.caller, keyId, items);
      expect(verdicts, keyId).to.deep.equal([true, false, false, false, false, false]);
    }
  });

  it('goes through keys of the kinds that do it, and through no others', async () => {
    for (const kind of ['sm4', 'sm2-encrypt', 'sm2-sign', 'hmac-sm3'] as const) {
      const key = await managedKey(test(), { kind });
      const others = KEY_OPERATIONS.filter((operation) => !managedKeyKind(kind).operations.includes(operation));
      for (const operation of others) await refusal('E_USAGE', grant(test(), application, key, operation));
    }
  });

  it('is refused while the keystore is sealed', async () => {
    const keyId = await granted();
    test().instance.keystore.seal();
    await refusal('E_SEALED', encrypt(keyId));
  });

  it('takes contexts of a bounded form alone', async () => {
    const keyId = await granted();
    const bad = [{ 'a b': 'x' }, { a: '' }, { a: 'x'.repeat(257) }, { a: 'two\nlines' }];
    for (const context of bad) {
      await refusal('E_SCHEMA', encryptData(ports, application.caller, keyId, [{ plaintext: PLAINTEXT, context }]));
    }
  });
});
