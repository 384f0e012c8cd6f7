import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { grant, managedKey, registeredApplication } from '../fixtures/applications.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc, type Ran } from './run-kmc.ts';
import { servedCommands } from './served-commands.ts';

forEachDatabase('kmc application, cert issue, key and crypto', (fixture) => {
  const test = testInstance(fixture);
  const served = servedCommands(test);

  /** What people decide of a request that a command opened, and its execution. */
  async function decide(proposer: CastMember, ...args: string[]): Promise<string> {
    const { people } = test();
    const { id } = await served().json(proposer, ...args);
    const isL1 = args[1] === 'withdraw-grant';
    await served().approve(String(id), isL1 ? [people.securityOne] : [people.securityOne, people.caOperatorTwo]);
    await served().json(proposer, 'request', 'execute', String(id));
    return String(id);
  }

  it('take an application from its key to encrypted files, and a rotated key through rewrap', async function () {
    this.timeout(60_000);
    const { people } = test();
    const { files, service } = served();
    const operator = people.caOperatorOne;
    const secret = files.path('app.pass');
    writeFileSync(secret, 'a passphrase of the application');
    const folder = files.path('app');
    const names = ['--name', 'Tax records', '--unit', 'Tax office', '--organisation', 'Extranet'];
    const made = await runKmc([
      'application',
      'keygen',
      '--id',
      'app-1',
      ...names,
      '--out',
      folder,
      '--passphrase-file',
      secret,
    ]);
    expect(made.code, made.err).to.equal(0);

    const issued = await decide(
      operator,
      'cert',
      'issue',
      `${folder}/csr.pem`,
      '--application',
      'app-1',
      '--reason',
      'a test',
    );
    const certificate = `${folder}/crt.pem`;
    const collected = await served().json(operator, 'cert', 'collect', issued, '--out', certificate);
    expect(String(collected['subject'])).to.include('CN=Tax records').and.to.include('app-1');
    expect((await served().json(operator, 'application', 'show', 'app-1'))['unit']).to.equal('Tax office');

    const { id: key } = await served().json(operator, 'key', 'create', '--name', 'records', '--kind', 'sm4');
    const operations = ['encrypt', 'decrypt', 'rewrap', 'data-key'].flatMap((name) => ['--operation', name]);
    await decide(
      operator,
      'application',
      'grant',
      'app-1',
      '--key-id',
      String(key),
      ...operations,
      '--reason',
      'a test',
    );

    const asApplication = (...args: string[]): Promise<Ran> =>
      runKmc([
        ...args,
        '--url',
        service.url,
        '--key',
        `${folder}/key.pem`,
        '--cert',
        certificate,
        '--passphrase-file',
        secret,
      ]);
    const [plain, sealed, again, opened] = ['plain', 'sealed', 'again', 'opened'].map((name) => files.path(name)) as [
      string,
      string,
      string,
      string,
    ];
    const content = Buffer.alloc(1_200_000, 'report ');
    writeFileSync(plain, content);
    const encrypted = await asApplication(
      'crypto',
      'encrypt',
      plain,
      '--key-id',
      String(key),
      '--context',
      'case=7',
      '--out',
      sealed,
    );
    expect(encrypted.code, encrypted.err).to.equal(0);
    const rotated = await served().json(operator, 'key', 'rotate', String(key), '--reason', 'yearly');
    expect(rotated['currentVersion']).to.equal('2');
    const rewrapped = await asApplication('crypto', 'rewrap', sealed, '--out', again);
    expect(rewrapped.code, rewrapped.err).to.equal(0);
    const decrypted = await asApplication('crypto', 'decrypt', again, '--out', opened);
    expect(decrypted.code, decrypted.err).to.equal(0);
    expect(readFileSync(opened).equals(content)).to.equal(true);
    expect((await asApplication('crypto', 'decrypt', again, '--out', opened)).code).to.equal(7);

    await decide(
      operator,
      'application',
      'withdraw-grant',
      'app-1',
      '--key-id',
      String(key),
      '--operation',
      'decrypt',
      '--reason',
      'over',
    );
    expect((await asApplication('crypto', 'decrypt', again, '--out', files.path('no'))).code).to.equal(6);
    expect(
      (await asApplication('crypto', 'encrypt', plain, '--key-id', 'mk-none', '--out', files.path('no'))).code,
    ).to.equal(5);
    const listed = await served().run(operator, 'key', 'list', '--managed');
    expect(listed.out).to.include(String(key)).and.to.include('records');
    expect((await served().run(operator, 'application', 'list')).out).to.include('in-service');
  });

  it('sign, compute MACs and verify, and say no with exit code 4', async () => {
    const { files, service } = served();
    const application = await registeredApplication(test());
    const identity = await files.identity(test().instance.engine, {
      ...test().people.caOperatorOne,
      // Key files are kept by id for the whole run.
      id: `app-${fixture.engine}`,
      key: application.key,
      certificate: { ...test().people.caOperatorOne.certificate, der: application.certificate },
    });
    const message = files.path('order');
    writeFileSync(message, 'an order');
    for (const [kind, verb, option] of [
      ['sm2-sign', 'sign', '--signature'],
      ['hmac-sm3', 'mac', '--mac'],
    ] as const) {
      const key = await managedKey(test(), { kind });
      await grant(test(), application, key, verb, 'verify');
      const proof = files.path(`order.${verb}`);
      const run = (...args: string[]): Promise<Ran> =>
        runKmc([...args, '--key-id', key.id, '--url', service.url, ...identity]);
      const made = await run('crypto', verb, message, '--out', proof);
      expect(made.code, made.err).to.equal(0);
      expect((await run('crypto', 'verify', message, option, proof)).out).to.include('valid');
      expect((await run('crypto', 'verify', proof, option, proof)).code).to.equal(4);
    }
  });
});
