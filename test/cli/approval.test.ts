import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { decideRequest } from '../../src/flows/approvals/decide-request.ts';
import { exportApproval } from '../../src/flows/approvals/export-approval.ts';
import { createIssuingKey } from '../../src/flows/authorities/create-issuing-key.ts';
import type { CreatedRequest } from '../../src/flows/approvals/create-request.ts';
import { ask } from '../fixtures/approvals.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

forEachDatabase('kmc approval, offline', (fixture) => {
  const test = testInstance(fixture);
  let files: ScratchFiles;
  beforeEach(() => {
    files = new ScratchFiles();
  });
  afterEach(() => files.remove());

  async function request(): Promise<{ created: CreatedRequest; file: string }> {
    const handlers = { 'authority.create-issuing': createIssuingKey(test().instance) };
    const params = { commonName: 'Issuing CA 2', organization: 'KMC test' };
    const created = await ask(
      test(),
      handlers,
      { op: 'authority.create-issuing', targetId: 'sm2-issuing-2', params },
      SYSTEM,
    );
    return { created, file: files.write('request.json', JSON.stringify(created.request)) };
  }

  async function sign(file: string, member: CastMember, ...more: string[]) {
    const role = member.roles[0]?.role ?? '';
    const out = files.path(`${member.id}.decision.json`);
    const identity = await files.identity(test().instance.engine, member);
    const ran = await runKmc(['approval', 'sign', file, '--role', role, '--out', out, ...identity, ...more]);
    return { ran, out };
  }

  it('shows a request with its digest as words, then signs it so that the service takes it, then proves it', async () => {
    const { created, file } = await request();
    const shown = await runKmc(['approval', 'show', file, '--json']);
    expect(shown.json()).to.deep.include({ digest: created.digest, words: created.words });
    expect((await runKmc(['approval', 'show', file])).out).to.contain('create an issuing certification authority');
    const { caOwner, securityOne, securityTwo } = test().people;
    for (const member of [caOwner, securityOne, securityTwo]) {
      const { ran, out } = await sign(file, member);
      expect(ran.code, ran.err).to.equal(0);
      const decision: unknown = JSON.parse(readFileSync(out, 'utf8'));
      const input = { requestId: created.request.id, decision, source: { node: 'node-1' } };
      await decideRequest(test().instance, input, member.caller);
    }
    const proof = await exportApproval(test().instance, created.request.id);
    const approvals = files.write('approvals.json', proof);
    const anchor = files.pem('admin-ca.pem', test().estate.administratorCa.certificate.der);
    const verified = await runKmc(['approval', 'verify', approvals, '--anchor', anchor, '--json']);
    expect(verified.code, verified.out).to.equal(0);
    expect(verified.json()).to.include({ ok: true, digest: created.digest, op: 'authority.create-issuing' });
    expect(verified.json()['counted']).to.have.length(3);

    const tampered: readonly (readonly [string, string, string])[] = [
      ['params', 'Issuing CA 2', 'Issuing CA 3'],
      ['decision', '"APPROVE"', '"REJECT"'],
      ['role', '"ca-owner"', '"auditor"'],
    ];
    for (const [what, from, to] of tampered) {
      expect(proof).to.contain(from);
      const altered = files.write(`altered-${what}.json`, proof.replace(from, to));
      const refused = await runKmc(['approval', 'verify', altered, '--anchor', anchor, '--json']);
      expect(refused.code, what).to.equal(4);
      expect(refused.json(), what).to.include({ ok: false });
    }
    const other = files.pem('other.pem', test().estate.root.certificate.der);
    expect((await runKmc(['approval', 'verify', approvals, '--anchor', other])).code).to.equal(4);
    expect((await runKmc(['approval', 'show', approvals])).code).to.equal(0);
  });

  it('signs a rejection, and refuses another word, a role that does not exist and an output that exists', async () => {
    const { file } = await request();
    const { caOwner } = test().people;
    const { ran, out } = await sign(file, caOwner, '--decision', 'reject', '--json');
    expect((ran.json()['body'] as Record<string, unknown>)['decision']).to.equal('REJECT');
    expect((await sign(file, caOwner)).ran.code).to.equal(7);
    expect((await sign(file, test().people.securityOne, '--decision', 'perhaps')).ran.code).to.equal(1);
    const identity = await files.identity(test().instance.engine, test().people.securityTwo);
    const wrong = ['approval', 'sign', file, '--role', 'king', '--out', files.path('x.json')];
    expect((await runKmc([...wrong, ...identity])).code).to.equal(4);
    expect(readFileSync(out, 'utf8')).to.contain('REJECT');
  });

  it('refuses a wrong passphrase and a key that is not that of the certificate', async () => {
    const { file } = await request();
    const { caOwner, securityOne } = test().people;
    const identity = await files.identity(test().instance.engine, caOwner);
    const other = await files.identity(test().instance.engine, securityOne);
    const command = ['approval', 'sign', file, '--role', 'ca-owner', '--out', files.path('x.json')];
    const bad = files.write('bad.passphrase', 'another passphrase\n');
    const passphrase = await runKmc([...command, ...identity.slice(0, 4), '--passphrase-file', bad]);
    expect(passphrase.code).to.equal(2);
    expect(passphrase.err).to.contain('E_PASSPHRASE');
    expect((await runKmc([...command, ...identity, ...other.slice(2, 4)])).err).to.contain('E_KEY');
    expect((await runKmc(command)).code).to.equal(1);
  });

  it('refuses a request that is none with exit code 4', async () => {
    const file = files.write('none.json', '{"schema": 1}');
    expect((await runKmc(['approval', 'show', file])).code).to.equal(4);
    expect((await runKmc(['approval', 'show', files.write('text.json', 'x')])).code).to.equal(4);
  });
});
