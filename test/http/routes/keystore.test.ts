import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Caller } from '../../../src/domain/caller.ts';
import { keystoreRoutes } from '../../../src/http/routes/keystore.ts';
import { makeCustodians, type Custodian } from '../../flows/keystore/custodians.ts';
import { ServiceInstance } from '../../flows/keystore/service-instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { send, type Answer } from '../live-service.ts';
import { hollowInstance, seeminglySigned, startPlainService, type PlainService } from '../plain-service.ts';

const PATH = '/api/v1/keystore';
const OFFICER: Caller = {
  type: 'person',
  id: 'p-officer',
  unit: 'security',
  roles: [{ role: 'security-administrator' }],
  certificateSm3: `sm3:${'0'.repeat(64)}`,
};

forEachDatabase('the keystore over HTTP', (fixture) => {
  let folder = '';
  let custodians: Custodian[] = [];
  let node: ServiceInstance;
  let service: PlainService;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-http-keystore-'));
    custodians = await makeCustodians(5);
    node = await ServiceInstance.start(folder, fixture.url);
    await node.create(custodians);
    service = await startPlainService(keystoreRoutes(hollowInstance(node)));
    service.sealed = true;
  });
  afterEach(async () => {
    await service.close();
    await node.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function call(caller: Caller, method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    service.caller = caller;
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return send(service.url, method, `${PATH}${path}`, bytes, { ...seeminglySigned(bytes !== undefined), ...type });
  }

  async function give(custodian: Custodian, session: string, publicKey: string): Promise<Answer> {
    const share = await custodian.transfer(Buffer.from(publicKey, 'base64'));
    return call(custodian.caller, 'POST', `/unseal-sessions/${session}/shares`, { share: share.toString('base64') });
  }

  it('is opened by three of five custodians, each with a share encrypted to the session, and sealed by one officer', async () => {
    expect((await call(OFFICER, 'GET', '')).json).to.deep.equal({ state: 'SEALED' });
    const begun = await call(OFFICER, 'POST', '/unseal-sessions', {});
    expect(begun.status).to.equal(201);
    const session = begun.json['session'] as { id: string; publicKey: string; threshold: number; received: string[] };
    expect([begun.json['state'], session.threshold, session.received]).to.deep.equal(['UNSEALING', 3, []]);
    const states: unknown[] = [];
    for (const custodian of custodians.slice(1, 4)) {
      const { status, json } = await give(custodian, session.id, session.publicKey);
      states.push([status, json['state'], (json['session'] as typeof session | undefined)?.received]);
    }
    expect(states).to.deep.equal([
      [201, 'UNSEALING', ['p-2']],
      [201, 'UNSEALING', ['p-2', 'p-3']],
      [201, 'UNSEALED', undefined],
    ]);
    expect((await call(OFFICER, 'POST', '/seal', {})).json).to.deep.equal({ state: 'SEALED' });
  });

  it('refuses the same person twice, a share for another session, and a share that is none', async () => {
    const begun = await call(OFFICER, 'POST', '/unseal-sessions', {});
    const { id, publicKey } = begun.json['session'] as { id: string; publicKey: string };
    const [one, two] = custodians;
    if (one === undefined || two === undefined) throw new Error('no custodians');
    await give(one, id, publicKey);
    expect((await give(one, id, publicKey)).json['code']).to.equal('E_SAME_PERSON');
    expect((await give(two, 'session-0', publicKey)).json['code']).to.equal('E_STATE');
    const bad = await call(two.caller, 'POST', `/unseal-sessions/${id}/shares`, { share: 'AAAA' });
    expect([bad.status, bad.json['code']]).to.deep.equal([400, 'E_SHARE_BAD']);
    const early = await give(two, id, publicKey);
    expect([early.status, early.json['code']]).to.deep.equal([429, 'E_RATE']);
    expect(early.headers['retry-after']).to.equal('2');
  });

  it('is not sealed by custodians, and not unsealed by operators', async () => {
    const [custodian] = custodians;
    if (custodian === undefined) throw new Error('no custodians');
    expect((await call(custodian.caller, 'POST', '/seal', {})).status).to.equal(403);
    const operator: Caller = { ...OFFICER, roles: [{ role: 'ca-operator' }] };
    expect((await call(operator, 'POST', '/unseal-sessions', {})).status).to.equal(403);
  });
});
