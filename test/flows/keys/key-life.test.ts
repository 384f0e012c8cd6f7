import { expect } from 'chai';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import type { SignedObject } from '../../../src/domain/signed-body.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { commandKey, type KeyCommandName } from '../../../src/flows/keys/command-key.ts';
import { destroyDueKeys } from '../../../src/flows/keys/destroy-due-keys.ts';
import { expireKeys } from '../../../src/flows/keys/expire-keys.ts';
import type { MovedKey } from '../../../src/flows/keys/life-target.ts';
import type { KeyChangeName } from '../../../src/flows/keys/change-key.ts';
import type { CertificateRow } from '../../../src/flows/ports/certificates.ts';
import type { EscrowedKeyRow } from '../../../src/flows/ports/escrowed-keys.ts';
import { approve, ask } from '../../fixtures/approvals.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { enrolled, type EnrolledDevice } from '../recoveries/enrolled.ts';

const SOURCE = { node: 'node-1' };
const DAY = 86_400;

forEachDatabase('the life of an escrowed key', (fixture) => {
  const test = testInstance(fixture);
  let device: EnrolledDevice;
  beforeEach(async () => {
    device = await enrolled(test());
  });

  async function key(): Promise<EscrowedKeyRow> {
    const row = await test().database.read((reader) => reader.escrowedKeys.find(device.key.id));
    if (row === undefined) throw new Error('the key is gone');
    return row;
  }

  /** Proposed by a ca-operator, approved by a security-administrator and another ca-operator, done. */
  async function decided(op: KeyChangeName, params: SignedObject = {}): Promise<SignedObject> {
    const { instance, people } = test();
    const handlers = actionHandlers(instance);
    const created = await ask(test(), handlers, { op, targetId: device.key.id, params }, people.caOperatorOne.caller);
    await approve(test(), created, [people.securityOne, people.caOperatorTwo]);
    const input = { requestId: created.request.id, source: SOURCE };
    return (await executeRequest({ ...instance, handlers }, input, people.caOperatorOne.caller)).result;
  }

  function command(act: KeyCommandName): Promise<MovedKey> {
    const input = { keyId: device.key.id, act, reason: 'a test' };
    return commandKey(test().instance, test().people.securityOne.caller, input);
  }

  async function acts(): Promise<string[]> {
    return (await test().history('key', device.key.id)).map(({ act }) => act);
  }

  async function certificate(): Promise<CertificateRow> {
    const { authorityId = '', certificateSerial = '' } = device.key.owner ?? {};
    const row = await test().database.read((reader) =>
      reader.certificates.findBySerial(authorityId, certificateSerial),
    );
    if (row === undefined) throw new Error('the certificate is gone');
    return row;
  }

  it('is suspended, resumed, marked compromised and destroyed by two people each, with the request in every event', async () => {
    expect(await decided('key.suspend')).to.deep.equal({ key: device.key.id, state: 'suspended' });
    expect(await decided('key.reactivate')).to.include({ state: 'active' });
    await refusal('E_STATE', decided('key.reactivate'));
    await refusal('E_SCHEMA', decided('key.mark-compromised'));
    await refusal('E_SCHEMA', decided('key.suspend', { incident: 'i-1' }));
    expect(await decided('key.mark-compromised', { incident: 'incident-9' })).to.include({ state: 'compromised' });
    await refusal('E_STATE', decided('key.suspend'));
    const { destroyAfter } = await decided('key.destroy');
    const days = (Date.parse(String(destroyAfter)) - test().clock.now().getTime()) / 1000 / DAY;
    expect(days).to.be.closeTo(7, 0.01);
    expect(await acts()).to.deep.equal([
      'enrolment.complete',
      'key.suspend',
      'key.reactivate',
      'key.compromise',
      'key.destroy-schedule',
    ]);
    for (const { det, appr } of (await test().history('key', device.key.id)).slice(1)) {
      expect(det['request']).to.match(/^rq-/);
      expect(appr?.length).to.equal(2);
    }
  });

  it('is destroyed when its window is over and not before, and a tombstone with evidence stays', async () => {
    await command('deactivate');
    await decided('key.destroy');
    test().clock.advance(7 * DAY - 60);
    expect(await destroyDueKeys(test().instance, SYSTEM)).to.deep.equal([]);
    expect((await key()).state).to.equal('destroy-pending');
    test().clock.advance(120);
    expect(await destroyDueKeys(test().instance, SYSTEM)).to.deep.equal([device.key.id]);
    expect(await destroyDueKeys(test().instance, SYSTEM)).to.deep.equal([]);
    expect(await key()).to.include({ state: 'destroyed', store: 'tombstone', sealedKey: undefined });
    const tombstone = await test().database.read((reader) => reader.keyTombstones.find(device.key.id));
    const evidence = JSON.parse(tombstone?.evidence ?? '') as Record<string, unknown>;
    expect(evidence).to.include({ key: device.key.id, kid: device.key.spkiSm3, kek: 'escrow-store-1', blobsLeft: '0' });
    expect(evidence['request']).to.match(/^rq-/);
    expect(evidence['method']).to.include('remain ciphertext');
    const digest = `sm3:${sm3(Buffer.from(tombstone?.evidence ?? '')).toString('hex')}`;
    expect(tombstone?.evidenceSm3).to.equal(digest);
    const told = (await test().history('key', device.key.id)).at(-1);
    expect(told).to.deep.include({ act: 'key.destroy' });
    expect(told?.det['evidence']).to.equal(digest);
    for (const result of await checkInstance(test().instance)) expect(result.violations, result.id).to.deep.equal([]);
  });

  it('comes back when its destruction is cancelled, compromised if it was', async () => {
    await command('deactivate');
    await decided('key.destroy');
    expect(await command('cancel-destruction')).to.include({ state: 'deactivated', destroyAfter: undefined });
    await refusal('E_STATE', command('cancel-destruction'));
    await decided('key.mark-compromised', { incident: 'incident-9' });
    await decided('key.destroy');
    expect(await command('cancel-destruction')).to.include({ state: 'compromised' });
    await decided('key.destroy');
    test().clock.advance(8 * DAY);
    await destroyDueKeys(test().instance, SYSTEM);
    expect((await key()).state).to.equal('destroyed-compromised');
    await refusal('E_STATE', command('cancel-destruction'));
  });

  it('has one winner when its destruction is cancelled at the moment at which it is due', async () => {
    await command('deactivate');
    await decided('key.destroy');
    test().clock.advance(8 * DAY);
    const [cancelled, destroyed] = await Promise.allSettled([
      command('cancel-destruction'),
      destroyDueKeys(test().instance, SYSTEM),
    ]);
    const { state } = await key();
    const won = destroyed.status === 'fulfilled' && destroyed.value.length === 1;
    expect(state).to.equal(won ? 'destroyed' : 'deactivated');
    expect(cancelled.status).to.equal(won ? 'rejected' : 'fulfilled');
    const tombstone = await test().database.read((reader) => reader.keyTombstones.find(device.key.id));
    expect(tombstone !== undefined).to.equal(won);
  });

  it('follows its certificate on hold, off hold and into revocation', async () => {
    const { id } = await certificate();
    await revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason: 'certificateHold' });
    expect(await key()).to.include({ state: 'suspended', stateReason: 'certificateHold' });
    await releaseCertificate(test().instance, SYSTEM, { certificateId: id });
    expect(await key()).to.include({ state: 'active', stateReason: undefined });
    await revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason: 'superseded' });
    expect(await key()).to.include({ state: 'deactivated', store: 'history', stateReason: 'superseded' });
    expect(await acts()).to.deep.equal(['enrolment.complete', 'key.suspend', 'key.reactivate', 'key.deactivate']);
  });

  it('that people suspended stays so when its certificate comes off hold', async () => {
    const { id } = await certificate();
    await decided('key.suspend');
    await revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason: 'certificateHold' });
    await releaseCertificate(test().instance, SYSTEM, { certificateId: id });
    expect((await key()).state).to.equal('suspended');
  });

  it('expires by its crypto-period into the history store: -1 s, 0 s and +1 s', async () => {
    const { instance, clock } = test();
    const { originateSeconds } = instance.policies.cryptoPeriods['device-encryption'];
    const end = (device.key.activatedAt?.getTime() ?? 0) + originateSeconds * 1000;
    for (const [offset, state] of [
      [-1000, 'active'],
      [0, 'active'],
      [1000, 'deactivated'],
    ] as const) {
      const now = new Date(end + offset);
      await expireKeys({ ...instance, clock: { now: () => now } }, SYSTEM);
      expect((await key()).state, String(offset)).to.equal(state);
    }
    expect(clock.now().getTime()).to.be.lessThan(end);
    expect(await key()).to.include({ store: 'history', stateReason: 'expired' });
  });
});
