import { expect } from 'chai';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { readApprovalRequest } from '../../../src/domain/approval/request.ts';
import { newId } from '../../../src/domain/id.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { transitionKey } from '../../../src/flows/keys/transition-key.ts';
import { recoverUserKey, type UserRecoveryOutcome } from '../../../src/flows/recoveries/recover-user-key.ts';
import type { KeyAct } from '../../../src/domain/key-state.ts';
import { approve } from '../../fixtures/approvals.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { recordEvent } from '../../store/rows.ts';
import { enrolled, type EnrolledDevice } from './enrolled.ts';

const SOURCE = { node: 'node-1' };

forEachDatabase('the recovery of a key for its user', (fixture) => {
  const test = testInstance(fixture);
  let device: EnrolledDevice;
  beforeEach(async () => {
    device = await enrolled(test());
  });

  function recover(recipientSpki: Buffer): Promise<UserRecoveryOutcome> {
    const { owner } = device.key;
    const { caOperatorOne } = test().people;
    return recoverUserKey(test().instance, caOperatorOne.caller, {
      authorityId: owner?.authorityId ?? '',
      certificateSerial: owner?.certificateSerial ?? '',
      recipientSpki,
    });
  }

  async function opens(envelopedKey: Buffer, recipient: KeyHandle): Promise<boolean> {
    const opened = await test().instance.engine.openEnvelopedKey(recipient, envelopedKey);
    return opened.spki.equals(device.enc.spki);
  }

  /** Nothing left the escrow: a request waits instead. */
  async function waits(recipientSpki: Buffer): Promise<string> {
    const before = await test().database.read((reader) => reader.recoveries.list({}, { limit: 9 }));
    const outcome = await recover(recipientSpki);
    if (outcome.state !== 'PENDING') throw new Error('it was answered at once');
    expect(await test().database.read((reader) => reader.recoveries.list({}, { limit: 9 }))).to.deep.equal(before);
    return outcome.approvalRequestId;
  }

  async function change(...acts: KeyAct[]): Promise<void> {
    for (const act of acts) {
      const at = test().clock.now();
      const event = { auditEvent: newId('ev', at), at, actor: { type: 'system', id: 'kmc' }, source: SOURCE } as const;
      await test().database.transaction(async (tx) => {
        const key = await tx.escrowedKeys.find(device.key.id);
        if (key === undefined) throw new Error('the key is gone');
        const window = act === 'schedule-destruction' ? { destroyAfter: new Date(at.getTime() + 1000) } : {};
        await transitionKey(tx, key, { act, ...event, ...window });
      });
    }
  }

  it('is answered at once to the live signing certificate of the same subject, with its row and event', async () => {
    const outcome = await recover(device.sign.spki);
    if (outcome.state !== 'RECOVERED') throw new Error('it waits');
    expect(await opens(outcome.recovery.envelopedKey, device.signKey)).to.equal(true);
    expect(outcome.recovery).to.include({
      kind: 'user',
      keyId: device.key.id,
      requestId: undefined,
      keyState: 'active',
    });
    expect(await test().database.read((reader) => reader.recoveries.find(outcome.recovery.id))).to.deep.equal(
      outcome.recovery,
    );
    const told = (await test().history('key', device.key.id)).at(-1);
    expect(told).to.deep.include({ act: 'key.recover-user', cls: 'key.lifecycle' });
    expect(told?.det).to.include({ recovery: outcome.recovery.id, recipient: outcome.recovery.recipientSpkiSm3 });
  });

  it('to any other key is refused and becomes one request, which people decide', async () => {
    const stranger = await test().instance.engine.generateKeyPair('SM2');
    const id = await waits(stranger.spki);
    expect(await waits(stranger.spki)).to.equal(id);
    const { instance, people } = test();
    const row = await test().database.read((reader) => reader.requests.find(id));
    const request = readApprovalRequest(JSON.parse(row?.canonical.toString('utf8') ?? ''));
    const ports = { ...instance, handlers: actionHandlers(instance) };
    await refusal('E_QUORUM', executeRequest(ports, { requestId: id, source: SOURCE }, people.recoveryOfficer.caller));
    await approve(test(), { request, digest: row?.digest ?? '' }, [people.recoveryOfficer, people.securityOne]);
    const { result } = await executeRequest(ports, { requestId: id, source: SOURCE }, people.recoveryOfficer.caller);
    const recovery = await test().database.read((reader) => reader.recoveries.find(String(result['recovery'])));
    expect(recovery).to.include({ kind: 'user', requestId: id });
    expect(await opens(recovery?.envelopedKey ?? Buffer.alloc(0), stranger)).to.equal(true);
    await refusal('E_STATE', executeRequest(ports, { requestId: id, source: SOURCE }, people.recoveryOfficer.caller));
  });

  it('waits for people where the signing certificate is revoked, of another subject, or of another use', async () => {
    const other = await enrolled(test(), 'gw-2');
    await waits(other.sign.spki);
    await waits(device.enc.spki);
    const [row] = await test().database.read((reader) =>
      reader.certificates.findByKey(device.key.owner?.recipientSpkiSm3 ?? ''),
    );
    await revokeCertificate(test().instance, SYSTEM, { certificateId: row?.id ?? '', reason: 'superseded' });
    await waits(device.sign.spki);
  });

  it('waits for people where the certificate is over, or not what its issuer signed', async () => {
    test().clock.advance(11 * 365 * 86_400);
    await waits(device.sign.spki);
  });

  it('does not believe a certificate that somebody wrote into the inventory', async () => {
    const { instance } = test();
    const stranger = await instance.engine.generateKeyPair('SM2');
    const [row] = await test().database.read((reader) =>
      reader.certificates.findByKey(device.key.owner?.recipientSpkiSm3 ?? ''),
    );
    // The forger puts a key of their own into the certificate of the device: all but the signature is right.
    const forged = Buffer.from(row?.certificate ?? Buffer.alloc(0));
    const at = forged.indexOf(device.sign.spki);
    stranger.spki.copy(forged, at);
    await fixture.sql('update certificates set certificate = ?, spki_sm3 = ?, last_audit_event = ? where id = ?', [
      forged,
      spkiSm3(stranger.spki),
      await recordEvent(fixture),
      row?.id ?? '',
    ]);
    await waits(stranger.spki);
  });

  it('looks at the state of the key: history is recovered, risky ones wait, those near their end are refused', async () => {
    await change('suspend');
    await waits(device.sign.spki);
    await change('deactivate');
    expect((await recover(device.sign.spki)).state).to.equal('RECOVERED');
    await change('compromise');
    await waits(device.sign.spki);
    await change('schedule-destruction');
    await refusal('E_STATE', recover(device.sign.spki));
  });

  it('is refused for a certificate that nothing was escrowed for', async () => {
    const { caOperatorOne } = test().people;
    const input = {
      authorityId: 'sm2-issuing',
      certificateSerial: device.sign.serialNumber,
      recipientSpki: device.sign.spki,
    };
    await refusal('E_NOT_FOUND', recoverUserKey(test().instance, caOperatorOne.caller, input));
  });
});
