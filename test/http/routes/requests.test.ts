import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { DECISION_SCHEMA, decisionBytes, type DecisionBody } from '../../../src/domain/approval/decision.ts';
import { verifyApprovalFile } from '../../../src/domain/approval/file.ts';
import type { RoleName } from '../../../src/domain/roles.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { KmcError } from '../../../src/errors.ts';
import { ABSENT, type ActionHandlers, type DatabaseHandler } from '../../../src/flows/approvals/action-handler.ts';
import { showRequest } from '../../../src/flows/approvals/show-request.ts';
import { withdrawRequest } from '../../../src/flows/approvals/withdraw-request.ts';
import { allRoutes } from '../../../src/http/routes/index.ts';
import type { CastMember } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { handSigner, liveService, send } from '../live-service.ts';

const PATH = '/api/v1/requests';
const HANDLER: DatabaseHandler = {
  kind: 'database',
  target: () => Promise.resolve(ABSENT),
  prepare: () => Promise.resolve(() => Promise.resolve({ registered: 'app-1' })),
};
const HANDLERS: ActionHandlers = { 'application.register': HANDLER, 'device.decommission': HANDLER };
const ASKED = {
  op: 'application.register',
  targetId: 'app-1',
  params: { name: 'Tax office' },
  reason: 'a new service',
};

interface Created {
  readonly id: string;
  readonly digest: string;
  readonly words: readonly string[];
  readonly canonical: string;
}

forEachDatabase('requests over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test, { handlers: HANDLERS });

  const json = (person: CastMember, method: 'GET' | 'POST', target: string, body?: unknown): Promise<unknown> =>
    live().client(person).json(method, target, body);
  const create = (person: CastMember, body: unknown = ASKED): Promise<Created> =>
    json(person, 'POST', PATH, body) as Promise<Created>;
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof KmcError ? error.code : String(error)),
    );

  /** A decision as the person's own tool signs it. */
  async function decision(person: CastMember, role: RoleName, { id, digest }: Created): Promise<object> {
    const body: DecisionBody = {
      schema: DECISION_SCHEMA,
      requestDigest: digest,
      requestId: id,
      decision: 'APPROVE',
      approver: person.id,
      role,
      certSm3: person.caller.certificateSm3,
      decidedAt: signedTime(test().clock.now()),
      nonce: randomBytes(16).toString('hex'),
    };
    const signature = await test().instance.engine.sign(person.key, 'SM2-SM3', decisionBytes(body));
    return {
      body,
      signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
      certificate: person.certificate.der.toString('base64'),
    };
  }

  async function approve(person: CastMember, role: RoleName, created: Created): Promise<{ state: string }> {
    const body = await decision(person, role, created);
    return (await json(person, 'POST', `${PATH}/${created.id}/approvals`, body)) as { state: string };
  }

  it('are read, decided, withdrawn and executed by nobody who does not sign', async () => {
    const created = await create(test().people.caOperatorOne);
    const routes = allRoutes(live().instance).filter(({ path }) => path.startsWith(PATH));
    expect(routes.length).to.be.greaterThan(5);
    for (const { method, path } of routes) {
      const body = method === 'post' ? Buffer.from('{}') : undefined;
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await send(live().url, method.toUpperCase(), path.replace(':id', created.id), body, type);
      expect(answer.status, `${method} ${path}`).to.equal(401);
    }
    const anonymous = { type: 'anonymous', source: '192.0.2.1' } as const;
    const input = { requestId: created.id, source: { node: 'node-1' } };
    expect(await codeOf(withdrawRequest(test().instance, input, anonymous))).to.equal('E_FORBIDDEN');
    expect(await codeOf(showRequest(test().instance, created.id, anonymous))).to.equal('E_NOT_FOUND');
    const row = await test().database.read((reader) => reader.requests.find(created.id));
    expect(row?.state).to.equal('OPEN');
  });

  it('go from question to act: created, approved by two of distinct roles, executed once, proven by a file', async () => {
    const { caOwner, securityOne, caOperatorOne } = test().people;
    const created = await create(caOperatorOne);
    const canonical = Buffer.from(created.canonical, 'base64');
    const digest = sm3(Buffer.from('KMC-REQUEST-V1\0', 'ascii'), canonical).toString('hex');
    expect(created.digest).to.equal(`sm3:${digest}`);
    expect(created.words).to.have.length(8);

    expect((await approve(caOwner, 'ca-owner', created)).state).to.equal('OPEN');
    expect(await codeOf(json(caOwner, 'POST', `${PATH}/${created.id}/executions`, {}))).to.equal('E_QUORUM');
    expect((await approve(securityOne, 'security-administrator', created)).state).to.equal('QUORUM');

    const shown = (await json(caOwner, 'GET', `${PATH}/${created.id}`)) as Record<string, unknown>;
    expect(shown).to.deep.include({ state: 'QUORUM', digest: created.digest, canonical: created.canonical });
    expect(shown['decisions']).to.have.length(2);

    const done = await json(caOperatorOne, 'POST', `${PATH}/${created.id}/executions`, {});
    expect(done).to.deep.equal({ id: created.id, digest: created.digest, result: { registered: 'app-1' } });
    expect(await codeOf(json(caOwner, 'POST', `${PATH}/${created.id}/executions`, {}))).to.equal('E_STATE');

    const file = await live().client(caOwner).send('GET', `${PATH}/${created.id}/file`);
    const trust = { anchors: [test().estate.administratorCa.certificate.der] };
    expect(verifyApprovalFile(file.body.toString('utf8'), trust).requestDigest).to.equal(created.digest);
  });

  it('refuses the proposer, and the same person twice', async () => {
    const { caOwner, caOperatorOne } = test().people;
    const created = await create(caOperatorOne);
    expect(await codeOf(approve(caOperatorOne, 'ca-operator', created))).to.equal('E_SAME_PERSON');
    await approve(caOwner, 'ca-owner', created);
    expect(await codeOf(approve(caOwner, 'ca-owner', created))).to.equal('E_SAME_PERSON');
  });

  it('refuses a decision that was changed after it was signed', async () => {
    const { caOwner, caOperatorOne } = test().people;
    const created = await create(caOperatorOne);
    const signed = (await decision(caOwner, 'ca-owner', created)) as { body: DecisionBody };
    const changed = { ...signed, body: { ...signed.body, decision: 'REJECT' } };
    const answer = await live().call(
      handSigner(test().instance.engine, caOwner),
      'POST',
      `${PATH}/${created.id}/approvals`,
      changed,
    );
    expect([answer.status, answer.json['code']]).to.deep.equal([400, 'E_SIGNATURE']);
  });

  it('lists for me what waits for my decision, and not what I proposed or decided', async () => {
    const { caOwner, caOperatorOne, auditor } = test().people;
    const created = await create(caOperatorOne);
    const waiting = async (person: CastMember): Promise<unknown> => {
      const { items } = (await json(person, 'GET', `${PATH}?for=me`)) as { items: { id: string }[] };
      return items.map(({ id }) => id);
    };
    expect(await waiting(caOwner)).to.deep.equal([created.id]);
    expect(await waiting(caOperatorOne)).to.deep.equal([]);
    expect(await waiting(auditor)).to.deep.equal([]);
    await approve(caOwner, 'ca-owner', created);
    expect(await waiting(caOwner)).to.deep.equal([]);
    const open = (await json(auditor, 'GET', `${PATH}?state=OPEN&op=application.register`)) as { items: unknown[] };
    expect(open.items).to.have.length(1);
  });

  it('shows a request of one region to that region and the centre, and says 404 to another region', async () => {
    const { raOne, raTwo, raElsewhere, caOwner } = test().people;
    const regional = {
      op: 'device.decommission',
      targetId: 'gw-1',
      params: { region: '110000' },
      reason: 'it is broken',
    };
    const { id } = await create(raOne, regional);
    const read = (person: CastMember): Promise<string> => codeOf(json(person, 'GET', `${PATH}/${id}`));
    const codes = [await read(raTwo), await read(caOwner), await read(raElsewhere)];
    expect(codes).to.deep.equal(['done', 'done', 'E_NOT_FOUND']);
    expect(await codeOf(json(raElsewhere, 'GET', `${PATH}/${id}/file`))).to.equal('E_NOT_FOUND');
    expect(await codeOf(json(raElsewhere, 'POST', `${PATH}/${id}/withdrawal`, {}))).to.equal('E_NOT_FOUND');
    expect(await json(raElsewhere, 'GET', PATH)).to.deep.equal({ items: [] });
  });

  it('are taken back by their proposer alone', async () => {
    const { caOwner, caOperatorOne } = test().people;
    const { id } = await create(caOperatorOne);
    expect(await codeOf(json(caOwner, 'POST', `${PATH}/${id}/withdrawal`, {}))).to.equal('E_FORBIDDEN');
    const answer = await json(caOperatorOne, 'POST', `${PATH}/${id}/withdrawal`, {});
    expect(answer).to.deep.equal({ id, state: 'WITHDRAWN' });
  });

  it('refuses what does not fit: an unknown act, a number in the parameters, an act that nobody here does', async () => {
    const { caOperatorOne, auditor } = test().people;
    expect(await codeOf(create(caOperatorOne, { ...ASKED, op: 'no.such-act' }))).to.equal('E_SCHEMA');
    expect(await codeOf(create(caOperatorOne, { ...ASKED, params: { count: 3 } }))).to.equal('E_SCHEMA');
    expect(await codeOf(create(caOperatorOne, { ...ASKED, op: 'key.suspend' }))).to.equal('E_USAGE');
    expect(await codeOf(create(auditor))).to.equal('E_FORBIDDEN');
  });
});
