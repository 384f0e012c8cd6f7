import { expect } from 'chai';
import { encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { sm2PointFromSpki, spkiSm3 } from '../../../src/crypto/spki.ts';
import { encodeName } from '../../../src/x509/name.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { commandKey } from '../../../src/flows/keys/command-key.ts';
import { destroyDueKeys } from '../../../src/flows/keys/destroy-due-keys.ts';
import { rewrapKeys } from '../../../src/flows/keystore/rewrap-keys.ts';
import { rotateKek } from '../../../src/flows/keystore/rotate-kek.ts';
import { importManagedKey } from '../../../src/flows/managed-keys/import-managed-key.ts';
import { destroyMaterial, openMaterial } from '../../../src/flows/managed-keys/key-material.ts';
import { rotateManagedKey } from '../../../src/flows/managed-keys/rotate-managed-key.ts';
import type { ManagedKey } from '../../../src/flows/ports/managed-keys.ts';
import { certificateIssuerOf } from '../../../src/flows/authorities/issuing-authority.ts';
import { certify } from '../../fixtures/estate.ts';
import { decided, managedKey } from '../../fixtures/applications.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';

const DAY = 86_400;

forEachDatabase('a managed key', (fixture) => {
  const test = testInstance(fixture);

  async function read(id: string): Promise<ManagedKey> {
    const key = await test().database.read((reader) => reader.managedKeys.find(id));
    if (key === undefined) throw new Error('the key is gone');
    return key;
  }

  async function states(id: string): Promise<string[]> {
    return (await read(id)).versions.map(({ state }) => state);
  }

  function rotate(keyId: string): Promise<ManagedKey> {
    return rotateManagedKey(test().instance, test().people.caOperatorOne.caller, { keyId, reason: 'a test' });
  }

  function command(keyId: string, act: 'deactivate' | 'cancel-destruction'): Promise<unknown> {
    return commandKey(test().instance, test().people.caOperatorOne.caller, { keyId, act, reason: 'a test' });
  }

  async function acts(versionId: string): Promise<string[]> {
    return (await test().history('key', versionId)).map(({ act }) => act);
  }

  it('is made of every kind, active, sealed, and opens as what its row says', async () => {
    const kinds = ['sm4', 'sm2-encrypt', 'sm2-sign', 'hmac-sm3'] as const;
    for (const kind of kinds) {
      const made = await managedKey(test(), { kind, useLimit: 10 });
      const { versions, ...key } = await read(made.id);
      expect(key).to.include({ kind, origin: 'generated', exportable: false, useLimit: 10, currentNumber: 1 });
      const [version] = versions;
      expect(version).to.include({ id: `${made.id}-v1`, state: 'active', store: 'in-use', number: 1 });
      const opened = await openMaterial(test().instance, kind, version!);
      expect(opened.kind).to.equal(kind.startsWith('sm2') ? 'key' : 'secret');
      destroyMaterial(test().instance.engine, opened);
      for (const other of kinds.filter((one) => one !== kind)) {
        await refusal('E_INTEGRITY', openMaterial(test().instance, other, version!));
      }
      expect(await acts(version!.id)).to.deep.equal(['key.generate']);
    }
    await refusal('E_POLICY', managedKey(test(), { kind: 'sm2-sign', exportable: true }));
    await refusal('E_SCHEMA', managedKey(test(), { useLimit: 0 }));
    await refusal('E_SCHEMA', managedKey(test(), { name: 'two\nlines' }));
    for (const result of await checkInstance(test().instance)) expect(result.violations, result.id).to.deep.equal([]);
  });

  it('rotates: the next version protects, the one before is archived; of two at the same time one does', async () => {
    const { id } = await managedKey(test());
    const rotated = await rotate(id);
    expect(rotated).to.include({ currentNumber: 2, version: 2 });
    expect(await states(id)).to.deep.equal(['deactivated', 'active']);
    expect(await acts(`${id}-v1`)).to.deep.equal(['key.generate', 'key.deactivate']);
    expect(await acts(`${id}-v2`)).to.deep.equal(['key.rotate']);
    const raced = await Promise.allSettled([rotate(id), rotate(id), rotate(id)]);
    const won = raced.filter(({ status }) => status === 'fulfilled').length;
    expect(won).to.be.greaterThan(0);
    expect((await read(id)).currentNumber).to.equal(2 + won);
    expect((await states(id)).filter((state) => state === 'active')).to.have.length(1);
    await refusal('E_NOT_FOUND', rotate('mk-none'));
  });

  it('is suspended, resumed and marked compromised by people, as a whole or one version of it', async () => {
    const { id } = await managedKey(test());
    await rotate(id);
    await decided(test(), 'key.suspend', id);
    expect(await states(id)).to.deep.equal(['deactivated', 'suspended']);
    await refusal('E_STATE', rotate(id));
    await decided(test(), 'key.reactivate', id);
    await decided(test(), 'key.mark-compromised', `${id}-v1`, { incident: 'incident-9' });
    expect(await states(id)).to.deep.equal(['compromised', 'active']);
    await decided(test(), 'key.mark-compromised', id, { incident: 'incident-9' });
    expect(await states(id)).to.deep.equal(['compromised', 'compromised']);
    await rotate(id);
    expect(await states(id)).to.deep.equal(['compromised', 'compromised', 'active']);
    await refusal('E_NOT_FOUND', decided(test(), 'key.suspend', `${id}-v9`));
  });

  it('is destroyed with all its versions when the window is over, each with a tombstone; a cancelled one is not', async () => {
    const { id } = await managedKey(test());
    const kept = await managedKey(test());
    await rotate(id);
    await refusal('E_STATE', decided(test(), 'key.destroy', id));
    await command(id, 'deactivate');
    await decided(test(), 'key.destroy', id);
    await command(kept.id, 'deactivate');
    await decided(test(), 'key.destroy', kept.id);
    await command(kept.id, 'cancel-destruction');
    expect(await states(id)).to.deep.equal(['destroy-pending', 'destroy-pending']);
    expect(await destroyDueKeys(test().instance, SYSTEM)).to.deep.equal([]);
    test().clock.advance(8 * DAY);
    expect([...(await destroyDueKeys(test().instance, SYSTEM))].sort()).to.deep.equal([`${id}-v1`, `${id}-v2`]);
    expect(await states(id)).to.deep.equal(['destroyed', 'destroyed']);
    expect(await states(kept.id)).to.deep.equal(['deactivated']);
    for (const { sealedKey, id: versionId } of (await read(id)).versions) {
      expect(sealedKey).to.equal(undefined);
      const tombstone = await test().database.read((reader) => reader.managedKeyTombstones.find(versionId));
      const evidence = JSON.parse(tombstone?.evidence ?? '') as Record<string, unknown>;
      expect(evidence).to.include({ key: versionId, kek: 'db-field-1', batch: id, algorithm: 'SM4' });
      expect(evidence['request']).to.match(/^rq-/);
    }
    await refusal('E_STATE', rotate(id));
    for (const result of await checkInstance(test().instance)) expect(result.violations, result.id).to.deep.equal([]);
  });

  it('is sealed anew when its key-encryption key rotates, and the earlier one can then be destroyed', async () => {
    const { id } = await managedKey(test());
    const pair = await managedKey(test(), { kind: 'sm2-encrypt' });
    await rotateKek(test().instance, { purpose: 'db-field', source: { node: 'node-1' } }, SYSTEM);
    await refusal('E_STATE', decided(test(), 'kek.destroy', 'db-field-1'));
    expect(await rewrapKeys(test().instance, SYSTEM)).to.equal(2);
    expect(await rewrapKeys(test().instance, SYSTEM)).to.equal(0);
    for (const key of [await read(id), await read(pair.id)]) {
      const [version] = key.versions;
      expect(version).to.include({ kekVersion: 2, objectVersion: 2 });
      destroyMaterial(test().instance.engine, await openMaterial(test().instance, key.kind, version!));
    }
    expect(await decided(test(), 'kek.destroy', 'db-field-1')).to.include({ state: 'destroyed' });
  });

  it('is found by the check of the instance when its blob does not open', async () => {
    const { id } = await managedKey(test());
    const [version] = (await read(id)).versions;
    await test().database.transaction(async (tx) => {
      const torn = Buffer.from(version!.sealedKey ?? '');
      torn[torn.length - 1]! ^= 1;
      const event = { id: 'ev-torn', action: 'keystore.rewrap', outcome: 'success', detail: {} } as const;
      const by = { actor: SYSTEM, source: { node: 'node-1' }, subjects: [{ type: 'key', id: version!.id }] } as const;
      await tx.audit.append({ ...event, ...by }, test().clock.now());
      await tx.managedKeys.reseal(version!.id, 1, { sealedKey: torn, kekVersion: 1 }, 'ev-torn');
    });
    const broken = (await checkInstance(test().instance)).find((result) => result.id === 'I9');
    expect(broken?.violations).to.have.length(1);
    await refusal('E_INTEGRITY', openMaterial(test().instance, 'sm4', (await read(id)).versions[0]!));
  });

  describe('that comes and goes', () => {
    async function recipient(): Promise<{ readonly key: KeyHandle; readonly text: string }> {
      const { engine } = test().instance;
      const key = await engine.generateKeyPair('SM2');
      const subject = encodeName([{ type: 'CN', value: 'Other site' }]);
      const { issuing } = test().estate;
      const by = { ...issuing, issuer: certificateIssuerOf('sm2-issuing', issuing.certificate) };
      const certificate = await certify(engine, 'evidence-carrier', { subject, spki: key.spki }, by);
      return { key, text: certificate.der.toString('base64') };
    }

    it('is imported wrapped to a key of its own, and never as a signing key or in the wrong size', async () => {
      const { instance, people } = test();
      const wrapping = await managedKey(test(), { kind: 'sm2-encrypt' });
      const point = sm2PointFromSpki(wrapping.versions[0]!.spki!);
      const octets = Buffer.alloc(16, 9);
      const policy = { name: 'brought', kind: 'sm4', exportable: false } as const;
      const from = { wrappingKey: wrapping.id, wrapped: encryptSm2(point, octets) };
      const caller = people.caOperatorOne.caller;
      const imported = await importManagedKey(instance, caller, { policy, ...from });
      expect(imported).to.include({ origin: 'imported', kind: 'sm4' });
      const material = await openMaterial(instance, 'sm4', imported.versions[0]!);
      expect(material.kind === 'secret' && material.length).to.equal(16);
      expect(await acts(`${imported.id}-v1`)).to.deep.equal(['key.import']);
      const flipped = Buffer.from(from.wrapped);
      flipped[flipped.length - 1]! ^= 1;
      const long = { policy, ...from, wrapped: encryptSm2(point, Buffer.alloc(32, 9)) };
      await refusal('E_KEY', importManagedKey(instance, caller, long));
      await refusal('E_DECRYPT', importManagedKey(instance, caller, { policy, ...from, wrapped: flipped }));
      await refusal(
        'E_USAGE',
        importManagedKey(instance, caller, { policy: { ...policy, kind: 'sm2-sign' }, ...from }),
      );
      await refusal('E_USAGE', importManagedKey(instance, caller, { policy, ...from, wrappingKey: imported.id }));
      await refusal('E_NOT_FOUND', importManagedKey(instance, caller, { policy, ...from, wrappingKey: 'mk-none' }));
      const pair = await instance.engine.generateKeyPair('SM2');
      const wrapped = await instance.engine.envelopeKey(pair, wrapping.versions[0]!.spki!);
      const brought = { policy: { ...policy, kind: 'sm2-encrypt' }, ...from, wrapped } as const;
      const opened = await importManagedKey(instance, caller, brought);
      expect(opened.versions[0]?.kid).to.equal(spkiSm3(pair.spki));
      await refusal('E_KEY_BLOCKED', importManagedKey(instance, caller, brought));
    });

    it('leaves wrapped to a certificate by three people, if it was made so', async () => {
      const { engine } = test().instance;
      const { key: at, text: recipientCertificate } = await recipient();
      const sm4 = await managedKey(test(), { exportable: true });
      const { envelope } = await decided(test(), 'key.export', sm4.id, { recipientCertificate });
      const secret = await engine.decryptSecret(at, Buffer.from(String(envelope), 'base64'));
      const own = await openMaterial(test().instance, 'sm4', (await read(sm4.id)).versions[0]!);
      const same = Buffer.from('the same key');
      if (own.kind !== 'secret') throw new Error('an SM4 key is a secret');
      expect((await engine.mac(secret, same)).equals(await engine.mac(own, same))).to.equal(true);
      const pair = await managedKey(test(), { kind: 'sm2-encrypt', exportable: true });
      const left = await decided(test(), 'key.export', pair.id, { recipientCertificate });
      const opened = await engine.openEnvelopedKey(at, Buffer.from(String(left['envelope']), 'base64'));
      expect(opened.spki.equals(pair.versions[0]!.spki!)).to.equal(true);
      expect(await acts(`${sm4.id}-v1`)).to.deep.equal(['key.generate', 'key.export']);
    });

    it('does not leave otherwise', async () => {
      const { text: recipientCertificate } = await recipient();
      const kept = await managedKey(test());
      const signing = await managedKey(test(), { kind: 'sm2-sign' });
      await refusal('E_POLICY', decided(test(), 'key.export', kept.id, { recipientCertificate }));
      await refusal('E_POLICY', decided(test(), 'key.export', signing.id, { recipientCertificate }));
      const sm4 = await managedKey(test(), { exportable: true });
      const person = test().people.caOwner.certificate.der.toString('base64');
      await refusal('E_CERT', decided(test(), 'key.export', sm4.id, { recipientCertificate: person }));
      await refusal('E_SCHEMA', decided(test(), 'key.export', sm4.id, {}));
      await decided(test(), 'key.suspend', sm4.id);
      await refusal('E_STATE', decided(test(), 'key.export', sm4.id, { recipientCertificate }));
    });
  });
});
