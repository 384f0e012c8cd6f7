import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { readApprovalRequest } from '../../src/domain/approval/request.ts';
import { answerText } from '../../src/cli/answer-table.ts';
import { approve, ask } from '../fixtures/approvals.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { enrolled } from '../flows/recoveries/enrolled.ts';
import { LiveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

forEachDatabase('kmc key', (fixture) => {
  const test = testInstance(fixture);
  let files: ScratchFiles;
  let service: LiveService;
  beforeEach(async () => {
    files = new ScratchFiles();
    const log = test().people.auditor;
    service = await LiveService.start(test(), { log, handlers: actionHandlers(test().instance) });
  });
  afterEach(async () => {
    await service.close();
    files.remove();
  });

  async function run(member: CastMember | undefined, ...args: string[]) {
    const identity = member === undefined ? [] : await files.identity(test().instance.engine, member);
    return await runKmc([...args, '--url', service.url, ...identity]);
  }

  it('lists, shows and archives keys, and proposes what two people decide', async () => {
    const { people } = test();
    const device = await enrolled(test());
    const id = device.key.id;
    const listed = await run(people.caOperatorOne, 'key', 'list', '--store', 'in-use');
    expect(listed.out, listed.err).to.contain(id);
    expect((await run(people.caOperatorOne, 'key', 'list', '--store', 'history')).out).not.to.contain(id);
    const suspend = ['key', 'suspend', id, '--reason', 'a doubt', '--json'];
    expect((await run(people.caOperatorOne, ...suspend)).json()).to.have.property('digest');
    expect((await run(people.raOne, ...suspend)).code).to.equal(6);
    const archived = await run(people.caOperatorOne, 'key', 'archive', id, '--reason', 'replaced', '--json');
    expect(archived.json(), archived.err).to.include({ state: 'deactivated', store: 'history' });
    expect((await run(people.caOperatorOne, 'key', 'archive', id, '--reason', 'again')).code).to.equal(7);
    const destroy = await run(people.caOperatorOne, 'key', 'destroy', id, '--reason', 'over', '--json');
    const request = answerText(destroy.json(), 'id');
    const row = await test().database.read((reader) => reader.requests.find(request));
    const asked = readApprovalRequest(JSON.parse(row?.canonical.toString('utf8') ?? ''));
    await approve(test(), { request: asked, digest: row?.digest ?? '' }, [people.securityOne, people.caOperatorTwo]);
    const answer = await service
      .client(people.caOperatorOne)
      .json('POST', `/api/v1/requests/${request}/executions`, {});
    expect(answer).to.have.nested.property('result.state', 'destroy-pending');
    const shown = await run(people.caOperatorOne, 'key', 'show', id);
    expect(shown.out).to.contain('destroy-pending').and.to.contain('destroyAfter');
    const cancelled = await run(people.securityOne, 'key', 'cancel-destroy', id, '--reason', 'needed', '--json');
    expect(cancelled.json(), cancelled.err).to.include({ state: 'deactivated' });
  }).timeout(60_000);

  it('recovers for a case, with evidence that verifies from files alone, and the recipient opens the key', async () => {
    const { people, estate, instance } = test();
    const device = await enrolled(test());
    // The recipient makes its own key; a self-made certificate over it is named in the request.
    const recipient = people.securityTwo;
    const evidence = await enrolled(test(), 'evidence-box');
    const params = {
      caseNumber: '17/2026',
      legalBasis: 'article 54',
      legalDocument: `sm3:${sm3(Buffer.from('order')).toString('hex')}`,
      applicant: 'Court',
      key: device.key.id,
      evidenceCertificate: evidence.enc.der.toString('base64'),
    };
    const expiresAt = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);
    const asked = { op: 'recovery.judicial', targetId: 'case-17', params, expiresAt } as const;
    const created = await ask(test(), actionHandlers(instance), asked, people.recoveryOfficer.caller);
    const out = files.path('case-17');
    const recover = ['key', 'recover', '--request', created.request.id, '--out', out, '--json'];
    expect((await run(people.recoveryOfficer, ...recover)).code).to.equal(3);
    await approve(test(), created, [people.recoveryOfficerTwo, people.recoveryOfficerOfCourt]);
    const running = run(people.recoveryOfficer, ...recover);
    // The log goes on by itself in a service; here it is told to, once the recovery is done.
    while ((await test().database.read((reader) => reader.recoveries.list({}, { limit: 1 }))).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await service.advanceLog();
    const recovered = await running;
    expect(recovered.code, recovered.err).to.equal(0);
    expect(recovered.json()).to.deep.include({
      key: device.key.id,
      files: ['recovered-key.der', 'evidence.json', 'evidence.crt.pem'],
    });
    expect(readFileSync(`${out}/evidence.crt.pem`, 'utf8')).to.equal(encodePem('CERTIFICATE', evidence.enc.der));
    expect((await run(recipient, ...recover)).code, 'an existing output').to.equal(6);
    const anchors = ['--anchor', files.pem('admin-ca.pem', estate.administratorCa.certificate.der)];
    const roots = ['--root', files.pem('root.pem', estate.root.certificate.der)];
    const verify = ['key', 'verify-evidence', `${out}/evidence.json`, ...anchors, ...roots, '--json'];
    const verified = await run(undefined, ...verify);
    expect(verified.json(), verified.out).to.deep.include({ ok: true, case: 'case-17' });
    const text = readFileSync(`${out}/evidence.json`, 'utf8');
    writeFileSync(`${out}/evidence.json`, text.replace('case-17', 'case-18'));
    const refused = await run(undefined, ...verify);
    expect(refused.code).to.equal(4);
    expect(refused.json()).to.deep.include({ ok: false, code: 'E_APPROVAL' });
  }).timeout(60_000);

  it('recovers for a user at once, and the user opens the key; for a stranger it waits for people', async () => {
    const { people, instance } = test();
    const device = await enrolled(test());
    const sign = files.pem('sign.crt.pem', device.sign.der);
    const asked = ['--authority', 'sm2-issuing', '--serial', device.enc.serialNumber];
    const recovered = await run(
      people.caOperatorOne,
      'key',
      'recover',
      ...asked,
      '--recipient',
      sign,
      '--out',
      files.path('user'),
    );
    expect(recovered.code, recovered.err).to.equal(0);
    const passphrase = files.write('device.passphrase', 'a passphrase\n');
    const pkcs8 = await instance.engine.exportPkcs8(device.signKey, Buffer.from('a passphrase'), 'gmssl');
    const keyFile = files.write('sign.key.pem', encodePem('ENCRYPTED PRIVATE KEY', pkcs8));
    const identity = ['--key', keyFile, '--cert', sign, '--passphrase-file', passphrase];
    const opened = await runKmc([
      'key',
      'open-recovered',
      files.path('user/recovered-key.der'),
      '--out',
      files.path('enc.key.pem'),
      ...identity,
      '--json',
    ]);
    expect(opened.json(), opened.err).to.deep.include({ kid: device.key.spkiSm3 });
    expect(readFileSync(files.path('enc.key.pem'), 'utf8')).to.match(/^-----BEGIN ENCRYPTED PRIVATE KEY/);
    const stranger = files.pem('stranger.pem', people.raOne.certificate.der);
    const waits = await run(
      people.caOperatorOne,
      'key',
      'recover',
      ...asked,
      '--recipient',
      stranger,
      '--out',
      files.path('no'),
      '--json',
    );
    expect(waits.code).to.equal(3);
    expect(waits.json()).to.have.property('approvalRequest');
    expect(
      (await run(people.raOne, 'key', 'recover', ...asked, '--recipient', sign, '--out', files.path('no'))).code,
    ).to.equal(6);
  }).timeout(60_000);
});
