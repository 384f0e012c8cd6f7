import { expect } from 'chai';
import { parseStrictJson } from '../../../src/crypto/jcs.ts';
import type { DecisionName } from '../../../src/domain/approval/decision.ts';
import { readApprovalRequest } from '../../../src/domain/approval/request.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { createRequest } from '../../../src/flows/approvals/create-request.ts';
import { decideRequest } from '../../../src/flows/approvals/decide-request.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { registerDevice } from '../../../src/flows/devices/register-device.ts';
import { enrolDevice, type EnrolDeviceInput } from '../../../src/flows/enrolments/enrol-device.ts';
import { refusal } from '../../crypto/refusal.ts';
import { signedApproval } from '../../fixtures/approvals.ts';
import type { CastName } from '../../fixtures/estate.ts';
import { macOf, registrationOf, requestFor, tokenFor } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('devices that need an approval', (fixture) => {
  const test = testInstance(fixture);

  async function decide(requestId: string, name: CastName, decision: DecisionName = 'APPROVE'): Promise<void> {
    const { instance, people, database } = test();
    const row = (await database.read((reader) => reader.requests.find(requestId)))!;
    const request = readApprovalRequest(parseStrictJson(row.canonical.toString('utf8')));
    const signed = await signedApproval(test(), { request, digest: row.digest }, people[name], decision);
    await decideRequest(instance, { requestId, decision: signed, source: { node: 'node-1' } }, people[name].caller);
  }

  async function execute(requestId: string) {
    const { instance, people } = test();
    const ports = { ...instance, handlers: actionHandlers(instance) };
    return executeRequest(ports, { requestId, source: { node: 'node-1' } }, people.securityOne.caller);
  }

  /** A hub gateway with its token in hand, whose registration waits. */
  async function waitingDevice(): Promise<{ requestId: string; input: EnrolDeviceInput }> {
    const { instance, people } = test();
    const registration = registrationOf('hub-1', { profile: 'hub-gateway' });
    const { device, approvalRequestId } = await registerDevice(instance, people.raOne.caller, {
      registration,
      region: '110000',
    });
    expect(device).to.include({ status: 'suspended', tier: 'hub' });
    const { token } = await tokenFor(test(), 'hub-1');
    const csr = await requestFor(instance.engine, device, await instance.engine.generateKeyPair('SM2'));
    return { requestId: approvalRequestId!, input: { deviceId: 'hub-1', csr, tokenMac: macOf(token, csr) } };
  }

  it('a marked device waits with its token used, and is issued once two have approved', async () => {
    const { instance, clock } = test();
    const { requestId, input } = await waitingDevice();
    const first = await enrolDevice(instance, input);
    expect(first).to.deep.include({ state: 'PENDING', retryAfterSeconds: 300 });
    clock.advance(3_700);
    expect(await enrolDevice(instance, input)).to.deep.equal({ ...first, retryAfterSeconds: 3_600 });
    await decide(requestId, 'securityOne');
    await decide(requestId, 'caOperatorOne');
    expect(await enrolDevice(instance, input)).to.deep.include({ state: 'PENDING' });
    await execute(requestId);
    const answers = await Promise.all([enrolDevice(instance, input), enrolDevice(instance, input)]);
    expect(answers.map(({ state }) => state)).to.deep.equal(['ISSUED', 'ISSUED']);
    expect(answers[0]).to.deep.equal(answers[1]);
    expect(await enrolDevice(instance, input)).to.deep.equal(answers[0]);
    expect((await test().history('device', 'hub-1')).map(({ act }) => act)).to.include.members([
      'device.register',
      'enrolment.request',
      'device.update',
      'enrolment.complete',
    ]);
    expect(await fixture.sql('select id from certificates where device_id is not null')).to.have.length(2);
  });

  it('a marked device that is refused gets nothing', async () => {
    const { instance } = test();
    const { requestId, input } = await waitingDevice();
    await enrolDevice(instance, input);
    await decide(requestId, 'securityOne', 'REJECT');
    await refusal('E_FORBIDDEN', () => enrolDevice(instance, input));
    expect(await fixture.sql('select id from certificates where device_id is not null')).to.have.length(0);
  });

  it('a batch is registered by its executed request, all of it or nothing', async () => {
    const { instance, people } = test();
    const devices = ['gw-1', 'gw-2', 'hub-2'].map((id) =>
      registrationOf(id, id === 'hub-2' ? { profile: 'hub-gateway' } : {}),
    );
    const ports = { ...instance, handlers: actionHandlers(instance) };
    const params = { region: '110000', count: '3', devices: devices.map((device) => ({ ...device })) };
    const ask = (given: typeof params) =>
      createRequest(
        ports,
        {
          op: 'device.register-batch',
          targetId: 'batch-1',
          params: given,
          reason: 'new gateways',
          source: { node: 'node-1' },
        },
        people.raOne.caller,
      );
    await refusal('E_SCHEMA', () => ask({ ...params, count: '2' }));
    await refusal('E_FORBIDDEN', () => ask({ ...params, region: '120000' }));
    const { request } = await ask(params);
    await decide(request.id, 'securityOne');
    await refusal('E_QUORUM', () => execute(request.id));
    await decide(request.id, 'caOperatorOne');
    const { result } = await execute(request.id);
    expect(result).to.deep.include({ batch: 'batch-1', count: '3' });
    const hub = await instance.database.read((reader) => reader.devices.find('hub-2'));
    expect(hub).to.include({ status: 'registered', registeredBy: people.raOne.id });
    await refusal('E_SAME_PERSON', () => tokenFor(test(), 'gw-1', {}, 'raOne'));
    const { token } = await tokenFor(test(), 'hub-2');
    const csr = await requestFor(instance.engine, hub!, await instance.engine.generateKeyPair('SM2'));
    const outcome = await enrolDevice(instance, { deviceId: 'hub-2', csr, tokenMac: macOf(token, csr) });
    expect(outcome.state).to.equal('ISSUED');
  });
});
