/** The first ceremony from the command line, with the exit codes of the contract. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commands as admin } from '../../src/cli/admin.ts';
import { commands as ceremony } from '../../src/cli/ceremony.ts';
import type { Noun } from '../../src/cli/run-command.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { makePersonalCertificate } from '../../src/flows/ceremonies/make-personal-certificate.ts';
import { firstPeople, TEMPLATES } from '../flows/ceremonies/workshop.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

const NOUNS: Readonly<Record<string, Noun>> = {
  admin: { summary: 'people', load: () => Promise.resolve(admin) },
  ceremony: { summary: 'ceremonies', load: () => Promise.resolve(ceremony) },
};
const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-3'];
/** The lead of kmc-init, k custodians, witness, auditor: the others bring a certificate and stay out. */
const PRESENT = ['security-1', ...CUSTODIANS, 'witness-1', 'auditor-1'];
/** Everybody who gets a share must be there before it ends. */
const SEATED = [...PRESENT, 'custodian-4', 'custodian-5'];

describe('kmc ceremony', function ceremonyCommands() {
  this.timeout(120_000);
  const files = new ScratchFiles();
  const home = files.path('home');
  const people = files.path('people');
  const dir = files.path('ceremony');
  const file = files.path('kmc-init.yaml');
  after(() => files.remove());

  const kmc = (...args: string[]) => runKmc([...args, '--home', home, '--json'], NOUNS);
  const participants = (names: readonly string[]): string[] =>
    names.flatMap((name) => ['--participant', `${name}=${join(people, name)}`]);
  const inputs = ['--inputs', files.path('inputs')];

  before(async () => {
    mkdirSync(people);
    const engine = createSoftwareEngine();
    const passphrase = files.write('passphrase', 'a long passphrase\n');
    for (const person of firstPeople()) {
      const name = person.id.slice('p-'.length);
      const folder = join(people, name);
      if (SEATED.includes(name)) {
        const { id, unit, organisation } = person;
        const about = ['--id', id, '--name', person.name, '--unit', unit, '--organisation', organisation];
        const made = await kmc('admin', 'keygen', ...about, '--out', folder, '--passphrase-file', passphrase);
        expect(made.code, made.err).to.equal(0);
        writeFileSync(join(folder, 'passphrase.txt'), 'a long passphrase\n', { mode: 0o600 });
      } else {
        mkdirSync(folder);
        const key = await engine.generateKeyPair('SM2');
        const certificate = await makePersonalCertificate(engine, key, person, new Date());
        writeFileSync(join(folder, 'crt.pem'), encodePem('CERTIFICATE', certificate));
      }
    }
  });

  it('keygen writes a private folder and refuses to overwrite it', async () => {
    const folder = join(people, 'custodian-1');
    expect(statSync(join(folder, 'key.pem')).mode & 0o777).to.equal(0o600);
    expect(readFileSync(join(folder, 'key.pem'), 'utf8')).to.match(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    const about = ['--id', 'p-x', '--name', 'X', '--unit', 'U', '--organisation', 'O', '--out', folder];
    const again = await kmc('admin', 'keygen', ...about, '--passphrase-file', files.path('passphrase'));
    expect(again.code).to.equal(7);
  });

  it('convert-key writes the key so that openssl reads it, under the same passphrase', async () => {
    const folder = join(people, 'custodian-1');
    const own = join(folder, 'key.pem');
    const converted = files.path('converted.pem');
    const source = ['--key', own, '--passphrase-file', files.path('passphrase')];
    const made = await kmc('admin', 'convert-key', ...source, '--shape', 'openssl', '--out', converted);
    expect(made.code, made.err).to.equal(0);
    const options = ['pkey', '-passin', `file:${files.path('passphrase')}`, '-pubout', '-in', converted];
    const certificate = ['x509', '-pubkey', '-noout', '-in', join(folder, 'crt.pem')];
    expect(execFileSync('openssl', options)).to.deep.equal(execFileSync('openssl', certificate));
    expect((await kmc('admin', 'convert-key', ...source, '--shape', 'jks', '--out', files.path('x'))).code).to.equal(1);
    expect((await kmc('admin', 'convert-key', ...source, '--shape', 'gmssl', '--out', converted)).code).to.equal(7);
  });

  it('prepare fills the template in, and what it writes has no fault', async () => {
    const template = join(TEMPLATES, 'kmc-init.template.yaml');
    const made = await kmc('ceremony', 'prepare', '--template', template, '--people', people, ...inputs, '--out', file);
    expect(made.code, made.err).to.equal(0);
    expect(made.json()).to.include({ id: 'kmc-init', type: 'kmc-init' });
    expect((await kmc('ceremony', 'lint', file)).json()).to.deep.equal({ ok: true, findings: [] });
  });

  it('lint ends with 4 and names line and rule', async () => {
    const bad = files.write('bad.yaml', readFileSync(file, 'utf8').replace('k: 3', 'k: 1'));
    const { code, json } = await kmc('ceremony', 'lint', bad);
    expect(code).to.equal(4);
    const [finding] = json()['findings'] as Record<string, unknown>[];
    expect(finding).to.include({ rule: 'quorum/threshold' });
  });

  it('plan prints the same twice and makes no folder; run without approvals waits for them with 5', async () => {
    const first = await kmc('ceremony', 'plan', file, ...inputs);
    const second = await kmc('ceremony', 'plan', file, ...inputs);
    expect(first.code, first.err).to.equal(0);
    expect(first.out).to.equal(second.out);
    expect(existsSync(dir)).to.equal(false);
    expect((await kmc('ceremony', 'run', dir, ...inputs, ...participants(['witness-1']))).code).to.equal(5);
  });

  it('approve, run and close end with 0, and hand over certificates and shares', async () => {
    const few = await kmc('ceremony', 'approve', file, '--dir', dir, ...inputs, ...participants(['custodian-1']));
    expect(few.code, few.err).to.equal(0);
    // Approvals are looked at before inputs.
    expect((await kmc('ceremony', 'run', dir, ...participants(['witness-1']))).code).to.equal(3);
    const rest = participants(['custodian-2', 'custodian-3']);
    const approved = await kmc('ceremony', 'approve', file, '--dir', dir, ...inputs, ...rest);
    expect(approved.json()).to.include({ approvals: 3, needed: 3 });
    const unfed = await kmc('ceremony', 'run', dir, ...participants(PRESENT));
    expect(unfed.code).to.equal(5);
    expect(unfed.err).to.contain(join(dir, 'inputs')).and.to.contain('--inputs');
    cpSync(files.path('inputs'), join(dir, 'inputs'), { recursive: true });
    const ran = await kmc('ceremony', 'run', dir, ...participants(PRESENT));
    expect(ran.code, ran.err).to.equal(8);
    const absent = ['service', 'ceremony'].flatMap((one) => [`p-custodian-4: ${one}`, `p-custodian-5: ${one}`]);
    expect(ran.json()['awaited']).to.have.members(absent);
    expect((await kmc('ceremony', 'close', dir, ...participants(PRESENT))).code).to.equal(7);
    const resumed = await kmc('ceremony', 'resume', dir, ...participants(SEATED));
    expect(resumed.json()['awaited'], resumed.err).to.deep.equal([]);
    expect((await kmc('ceremony', 'run', dir, ...inputs, ...participants(['witness-1']))).code).to.equal(7);
    expect((await kmc('ceremony', 'close', dir, ...participants(['witness-1']))).code).to.equal(3);
    const recipients = PRESENT.flatMap((name) => ['--recipient', `p-${name}=${join(people, name)}`]);
    const closed = await kmc('ceremony', 'close', dir, ...participants(PRESENT), ...recipients);
    expect(closed.code, closed.err).to.equal(0);
    expect(closed.json()['bundle']).to.match(/^sm3:[0-9a-f]{64}$/);
    const custodian = join(people, 'custodian-1');
    for (const name of ['service.share.json', 'ceremony.share.json', 'self-signed.crt.pem', 'crt.pem']) {
      expect(existsSync(join(custodian, name)), name).to.equal(true);
    }
    expect(existsSync(join(people, 'auditor-1', 'service.share.json'))).to.equal(false);
  });

  it('a hand-over that was cut goes on with the same command, whatever was there by then', async () => {
    const folders = ['owner-1', 'custodian-1'].map((name) => join(people, name));
    const state = () =>
      folders.map((folder) => readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
    const recipients = PRESENT.flatMap((name) => ['--recipient', `p-${name}=${join(people, name)}`]);
    const whole = state();
    const close = () => kmc('ceremony', 'close', dir, ...participants(['witness-1']), ...recipients);
    const [, custodian = ''] = folders;
    for (const cut of ['crt.pem', 'service.share.json', 'ceremony.share.json']) {
      rmSync(join(custodian, cut));
      const again = await close();
      expect(again.code, again.err).to.equal(0);
      expect(again.json()['remaining']).to.include.members([
        'signatures/closing.json',
        'hashes.txt',
        'transcript.jsonl',
      ]);
      expect(state(), cut).to.deep.equal(whole);
    }
    expect((await kmc('ceremony', 'close', dir, ...participants(['witness-1']))).code).to.equal(7);
  });

  it('verify ends with 0, and with 4 after one octet was changed', async () => {
    const anchor = join(dir, 'outputs', 'admin-ca.cer');
    const unpinned = await kmc('ceremony', 'verify', dir);
    expect(unpinned.json()).to.include({ ok: true, ceremony: 'kmc-init', anchored: 'nothing' });
    // The people of the first ceremony signed with certificates that they had made themselves.
    const pinned = await kmc('ceremony', 'verify', dir, '--anchor', anchor);
    expect(pinned.json(), pinned.err).to.include({ ok: true, anchored: 'authority' });
    const text = await runKmc(['ceremony', 'verify', dir, '--anchor', anchor, '--home', home], NOUNS);
    expect(text.out).to.contain('the administrator CA that this ceremony made');
    for (const other of [join(dir, 'outputs', 'transport-ca.cer'), join(people, 'custodian-1', 'crt.pem')]) {
      const foreign = await kmc('ceremony', 'verify', dir, '--anchor', other);
      expect(foreign.code).to.equal(4);
      const [finding] = foreign.json()['findings'] as Record<string, unknown>[];
      expect(finding).to.include({ file: 'outputs/admin-ca.cer' });
    }
    const transcript = readFileSync(join(dir, 'transcript.jsonl'));
    transcript[200] = (transcript[200] ?? 0) ^ 1;
    writeFileSync(join(dir, 'transcript.jsonl'), transcript);
    const { code, json } = await kmc('ceremony', 'verify', dir);
    expect(code).to.equal(4);
    expect((json()['findings'] as Record<string, unknown>[])[0]).to.include({ file: 'transcript.jsonl', record: 0 });
    transcript[200] = (transcript[200] ?? 0) ^ 1;
    writeFileSync(join(dir, 'transcript.jsonl'), transcript);
  });

  it('import takes the bundle into the service once, and admin list shows the people', async () => {
    const custodians = participants(CUSTODIANS);
    const imported = await runKmc(['ceremony', 'import', dir, ...custodians, '--home', home], NOUNS);
    expect(imported.code, imported.err).to.equal(0);
    expect(imported.out).to.contain('done in the service when the ceremony was held:');
    expect(imported.out).to.contain('administrator CA admin-ca').and.not.to.contain('none');
    expect((await kmc('ceremony', 'import', dir, ...custodians)).code).to.equal(7);
    const { items } = (await kmc('admin', 'list')).json() as { items: { id: string; roles: string[] }[] };
    expect(items).to.have.length(33);
    expect(items.find((item) => item.id === 'p-ra-110000-1')?.roles).to.deep.equal(['ra-operator@110000']);
  });

  it('a share on paper is typed in again; a wrong group is named, and nothing is opened', async () => {
    const folder = join(people, 'custodian-2');
    const own = ['--key', join(folder, 'key.pem'), '--cert', join(folder, 'crt.pem')];
    const out = files.path('share.txt');
    const share = join(folder, 'service.share.json');
    const secret = ['--passphrase-file', join(folder, 'passphrase.txt')];
    const printed = await kmc('ceremony', 'print-share', share, ...own, ...secret, '--out', out);
    expect(printed.code, printed.err).to.equal(0);
    const text = readFileSync(out, 'utf8');
    expect(printed.out).not.to.contain(text.slice(0, 11));
    renameSync(share, `${share}.aside`);
    const typed = join(folder, 'service.share.txt');
    writeFileSync(
      typed,
      text.replace(/^.{5} (.)/, (found, first) => found.slice(0, 6) + (first === 'A' ? 'B' : 'A')),
    );
    const custodians = participants(CUSTODIANS);
    const wrong = await kmc('ceremony', 'import', dir, ...custodians);
    expect(wrong.code).to.equal(4);
    expect(wrong.err).to.contain('Group 2 ');
    writeFileSync(typed, text.toLowerCase());
    // It opens, and only then the bundle is found to be in the service.
    expect((await kmc('ceremony', 'import', dir, ...custodians)).code).to.equal(7);
  });
});
