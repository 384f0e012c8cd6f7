import { expect } from 'chai';
import { CODE_TRIES } from '../../../src/domain/console-session.ts';
import type { CastName } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { handSigner, liveService, send, type Answer } from '../live-service.ts';

const APPROVALS = '/api/v1/console/approvals';
const CALLER = '/api/v1/console/caller';

forEachDatabase('the sessions of the console', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);

  const post = (target: string, body: object, headers: Record<string, string> = {}): Promise<Answer> =>
    send(service().url, 'POST', target, Buffer.from(JSON.stringify(body)), {
      'content-type': 'application/json',
      ...headers,
    });
  const get = (target: string, cookie: string): Promise<Answer> =>
    send(service().url, 'GET', target, undefined, { cookie });

  function call(name: CastName, target: string, body: unknown): Promise<Answer> {
    return service().call(handSigner(test().instance.engine, test().people[name]), 'POST', target, body);
  }

  function cookieOf({ headers }: Answer): { readonly cookie: string; readonly attributes: string } {
    const [field = ''] = [headers['set-cookie'] ?? ''].flat();
    const [cookie = '', ...attributes] = field.split('; ');
    return { cookie, attributes: attributes.join('; ') };
  }

  async function begin(): Promise<{ readonly cookie: string; readonly challenge: string }> {
    const answer = await post('/console/challenges', {});
    expect(answer.status).to.equal(201);
    return { cookie: cookieOf(answer).cookie, challenge: String(answer.json['challenge']) };
  }

  async function opened(name: CastName): Promise<string> {
    const { cookie, challenge } = await begin();
    const { json } = await call(name, APPROVALS, { challenge });
    return cookieOf(await post('/console/sessions', { code: json['code'] }, { cookie })).cookie;
  }

  it('open with the code of a signed approval, in the browser that asked, under a new secret', async () => {
    const { cookie, challenge } = await begin();
    expect((await get(CALLER, cookie)).status).to.equal(401);
    const approved = await call('auditor', APPROVALS, { challenge: challenge.toUpperCase() });
    expect(approved.status).to.equal(201);
    expect((await get(CALLER, cookie)).status, 'approved is not open').to.equal(401);
    const answer = await post('/console/sessions', { code: approved.json['code'] }, { cookie });
    expect(answer.status).to.equal(201);
    const { cookie: session, attributes } = cookieOf(answer);
    expect(attributes).to.equal('Path=/; HttpOnly; SameSite=Strict; Max-Age=1800');
    expect(session).to.not.equal(cookie);
    expect((await get(CALLER, session)).json['id']).to.equal(test().people.auditor.id);
    expect((await get(CALLER, cookie)).status, 'the old secret').to.equal(401);
    const acts = (await test().history('person', test().people.auditor.id)).map(({ act }) => act);
    expect(acts.slice(-2)).to.deep.equal(['console.approve', 'console.open']);
  });

  it('are of no use to whoever has the code without the browser, or the browser without the code', async () => {
    const [mine, other] = [await begin(), await begin()];
    const { json } = await call('auditor', APPROVALS, { challenge: mine.challenge });
    expect((await post('/console/sessions', { code: json['code'] }, { cookie: other.cookie })).status).to.equal(401);
    for (let tries = 0; tries < CODE_TRIES; tries += 1) {
      expect((await post('/console/sessions', { code: '00000-00000' }, { cookie: mine.cookie })).status).to.equal(401);
    }
    const late = await post('/console/sessions', { code: json['code'] }, { cookie: mine.cookie });
    expect(late.status, 'after five wrong codes').to.equal(401);
    expect((await call('auditor', APPROVALS, { challenge: mine.challenge })).status, 'twice').to.equal(404);
  });

  it('end by themselves, when they are ended, and with the account', async () => {
    const stale = await begin();
    test().clock.advance(301);
    expect((await call('auditor', APPROVALS, { challenge: stale.challenge })).status).to.be.oneOf([401, 404]);
    test().clock.advance(-301);
    const session = await opened('auditor');
    test().clock.advance(1_801);
    expect((await get(CALLER, session)).status, 'after half an hour').to.equal(401);
    test().clock.advance(-1_801);
    expect((await get(CALLER, session)).status).to.equal(200);
    expect((await post('/console/sign-out', {}, { cookie: session })).status).to.equal(204);
    expect((await get(CALLER, session)).status).to.equal(401);
    const next = await opened('raOne');
    await fixture.sql("update people set status = 'disabled' where id = ?", [test().people.raOne.id]);
    expect((await get(CALLER, next)).status, 'disabled').to.equal(401);
  });

  it('read what the console shows, with the roles of the person, and do nothing else', async () => {
    const session = await opened('raOne');
    expect((await get('/api/v1/supervision/figures', session)).status).to.equal(200);
    expect((await get('/api/v1/supervision/figures?region=310000', session)).status, 'another region').to.equal(404);
    expect((await get('/api/v1/audit/events', session)).status, 'not of the role').to.equal(403);
    expect((await get('/api/v1/devices', session)).status, 'not of the console').to.equal(401);
    const proposed = await post('/api/v1/requests', { op: 'device.decommission' }, { cookie: session });
    expect(proposed.status, 'a change').to.equal(401);
    const approval = await post(APPROVALS, { challenge: (await begin()).challenge }, { cookie: session });
    expect(approval.status, 'a session for somebody else').to.equal(401);
  });

  it('serve a page that loads nothing from elsewhere and runs nothing inline', async () => {
    const { status, headers, text } = await get('/console', '');
    expect(status).to.equal(200);
    expect(String(headers['content-security-policy'])).to.include("default-src 'none'").and.to.not.include('unsafe');
    expect(text).to.not.match(/<script(?![^>]* src=)|https?:|style=| on[a-z]+=/);
    expect((await get('/console/files/app.js', '')).status).to.equal(200);
    expect((await get('/console/files/secret.js', '')).status).to.equal(404);
  });
});
