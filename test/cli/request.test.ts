import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { canonicalizeSigned } from '../../src/crypto/jcs.ts';
import { HANDLED_ACTS, actionHandlers } from '../../src/flows/action-handlers.ts';
import { requestDigest, readApprovalRequest } from '../../src/domain/approval/request.ts';
import { answeringServer } from './answering-server.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { ask } from '../fixtures/approvals.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { servedCommands } from './served-commands.ts';

forEachDatabase('kmc request, through the service', (fixture) => {
  const test = testInstance(fixture);
  const kmc = servedCommands(test);
  const run = (member: CastMember, ...args: string[]) => kmc().run(member, ...args);

  /** Proposed by the command line. */
  async function create(params: object = { commonName: 'Issuing CA 2', organization: 'KMC test' }) {
    const file = kmc().files.write('params.json', JSON.stringify(params));
    const about = ['--op', 'authority.create-issuing', '--target', 'sm2-issuing-2', '--reason', 'more devices'];
    return await run(test().people.caOwner, 'request', 'create', ...about, '--params', file, '--json');
  }

  it('brings a request to its approvers, their signed decisions back, and the proof out', async () => {
    const handlers = actionHandlers(test().instance);
    const params = { commonName: 'Issuing CA 2', organization: 'KMC test' };
    const asked = { op: 'authority.create-issuing', targetId: 'sm2-issuing-2', params } as const;
    const created = await ask(test(), handlers, asked, SYSTEM);
    const { id } = created.request;
    const { caOwner, securityOne, securityTwo } = test().people;
    const file = kmc().files.path('request.json');
    const shown = await run(securityOne, 'request', 'show', id, '--out', file);
    expect(shown.code, shown.err).to.equal(0);
    expect(shown.out).to.contain(created.digest).and.to.contain('Issuing CA 2');
    expect(shown.out).to.contain(created.words.join(' '));
    expect(shown.out)
      .to.contain('0 of 3 approvals')
      .and.to.match(/^who may approve: .*security-administrator/m);
    expect(requestDigest(readApprovalRequest(JSON.parse(readFileSync(file, 'utf8'))))).to.equal(created.digest);
    expect(readFileSync(file, 'utf8')).to.equal(canonicalizeSigned(created.request));
    const whole = (await run(securityOne, 'request', 'show', id, '--json')).json();
    expect(whole).to.deep.include({ id, digest: created.digest, request: created.request });
    expect((await run(securityOne, 'request', 'show', id, '--out', file)).code).to.equal(7);

    await kmc().approve(id, [caOwner, securityOne, securityTwo]);
    const decided = (await run(caOwner, 'request', 'show', id)).out;
    expect(decided).to.contain('APPROVE').and.to.not.contain('still waits');

    const proof = kmc().files.path('approvals.json');
    const written = await run(caOwner, 'request', 'file', id, '--out', proof, '--json');
    expect(written.json(), written.err).to.include({ id, digest: created.digest, approvals: 3 });
    expect((await run(caOwner, 'request', 'file', id, '--out', proof)).code).to.equal(7);
    const anchor = kmc().files.pem('admin-ca.pem', test().estate.administratorCa.certificate.der);
    const verified = await runKmc(['approval', 'verify', proof, '--anchor', anchor]);
    expect(verified.code, verified.out).to.equal(0);
  });

  it('approval show takes a file or an id', async () => {
    const created = (await create()).json();
    const { securityOne } = test().people;
    const byId = (await run(securityOne, 'approval', 'show', String(created['id']), '--json')).json();
    expect(byId).to.deep.include({ digest: created['digest'], words: created['words'] });
    const file = kmc().files.write('byid.json', JSON.stringify(byId));
    expect((await runKmc(['approval', 'show', file, '--json'])).json()).to.deep.equal(byId);
    expect((await run(securityOne, 'approval', 'show', 'rq-none')).code).to.equal(5);
    expect((await runKmc(['approval', 'show', 'none.json'])).err).to.contain('cannot be read: none.json');
  });

  it('ends with 5 for a request that is not there, and with 2 where the service refuses the form', async () => {
    const { securityOne } = test().people;
    for (const verb of ['show', 'file']) {
      const more = verb === 'file' ? ['--out', kmc().files.path('x.json')] : [];
      expect((await run(securityOne, 'request', verb, 'rq-none', ...more)).code, verb).to.equal(5);
    }
    const refused = await create({ commonName: 'Issuing CA 2' });
    expect(refused.json()).to.include({ code: 'E_SCHEMA' });
    expect(refused.code).to.equal(2);
    const notJson = kmc().files.write('bad.json', '{');
    const about = ['--op', 'authority.create-issuing', '--target', 'x', '--reason', 'y', '--params', notJson];
    expect((await run(securityOne, 'request', 'create', ...about)).code).to.equal(4);
  });
});

describe('kmc request', () => {
  it('refuses a request whose digest is not the one that the service states', async () => {
    const request = {
      schema: 'kmc.approval-request/1',
      id: 'rq-1',
      op: 'person.enable',
      target: 'person/p-1',
      preState: 'disabled',
      targetVersion: '1',
      params: {},
      attachments: [],
      policy: 'L2@1',
      policyDigest: `sm3:${'0'.repeat(64)}`,
      proposer: 'p-2',
      reason: 'back',
      createdAt: '2026-01-01T00:00:00Z',
      expiresAt: '2026-01-02T00:00:00Z',
      environment: 'development/kmc-test',
    };
    const digest = requestDigest(readApprovalRequest(request));
    for (const [answer, code] of [
      [{ request, digest }, 0],
      [{ request, digest: `sm3:${'1'.repeat(64)}` }, 4],
      [{ request: { ...request, reason: 'other' }, digest }, 4],
    ] as const) {
      const server = await answeringServer(JSON.stringify(answer));
      const { code: exit, err } = await runKmc(['request', 'show', 'rq-1', '--url', server.url]);
      await server.close();
      expect(exit, err).to.equal(code);
    }
  });

  it('lists in its help every act that the service does', async () => {
    const { out } = await runKmc(['request', 'create', '--help']);
    expect(HANDLED_ACTS.length).to.be.greaterThan(10);
    for (const { name, params } of HANDLED_ACTS) {
      expect(out)
        .to.match(new RegExp(`^  ${name.replace('.', '\\.')} .*`, 'm'))
        .and.to.contain(params);
    }
    expect(out).not.to.contain('  backup.restore ');
  });
});
