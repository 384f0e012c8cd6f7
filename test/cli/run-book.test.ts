/** Every line of the run-book for administrators (scripts/README.md), run as it stands there. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import type { KeyHandle } from '../../src/crypto/engine.ts';
import type { RoleGrant } from '../../src/domain/person.ts';
import type { SealedAccountId } from '../../src/domain/break-glass.ts';
import type { NamedPerson } from '../../src/flows/people/personal-certificate.ts';
import { makeRoot } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { sealing } from '../flows/break-glass/sealed-accounts.ts';
import { addPerson, appointment, approved, bring, execute } from '../flows/people/people-acts.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { servedCommands } from './served-commands.ts';
import { shellLines, shellOf } from './shell-lines.ts';

const README = readFileSync(join(import.meta.dirname, '../../scripts/README.md'), 'utf8');
const LINES = shellLines(shellOf(README, 'Run-book for administrators'));
const PASSPHRASE = 'a passphrase';
const NAMES = {
  'security-1': 'securityOne',
  'security-2': 'securityTwo',
  'owner-1': 'caOwner',
  'system-1': 'systemOne',
  'auditor-1': 'auditor',
} as const;

forEachDatabase('the run-book for administrators', (fixture) => {
  // The flows behind the commands run on both databases in their own tests; a hundred commands are run once.
  if (fixture.engine !== 'sqlite') return;
  const test = testInstance(fixture);
  const kmc = servedCommands(test);
  const home = process.cwd();
  afterEach(() => process.chdir(home));

  const path = (...names: string[]): string => join(kmc().files.folder, ...names);

  async function folderOf(name: string, key: KeyHandle, certificate: Buffer): Promise<void> {
    mkdirSync(path('people', name), { recursive: true });
    const encrypted = await test().instance.engine.exportPkcs8(key, Buffer.from(PASSPHRASE), 'gmssl');
    writeFileSync(path('people', name, 'key.pem'), encodePem('ENCRYPTED PRIVATE KEY', encrypted));
    writeFileSync(path('people', name, 'crt.pem'), encodePem('CERTIFICATE', certificate));
    writeFileSync(path('people', name, 'passphrase.txt'), `${PASSPHRASE}\n`);
  }

  /** Somebody who is in office with a key of their own before the first line runs. */
  async function inOffice(name: string, person: NamedPerson, role: RoleGrant): Promise<KeyHandle> {
    const { key, certificate } = await bring(test(), person);
    const op = role.role === 'auditor' ? 'person.appoint-auditor' : 'person.appoint';
    const { caOwner, securityOne, securityTwo, auditAdministrator } = test().people;
    const by = op === 'person.appoint' ? [caOwner, securityOne, securityTwo] : [auditAdministrator, securityOne];
    const created = await approved(test(), appointment({ certificate }, [role], person, op), by);
    const { result } = await execute(test(), created);
    await folderOf(name, key, Buffer.from(String(result['certificate']), 'base64'));
    return key;
  }

  async function bagOf(account: SealedAccountId, bag: string): Promise<void> {
    const { asked, key, certificate } = await sealing(test(), account, bag);
    await execute(test(), await approved(test(), asked));
    await folderOf(account, key, certificate);
  }

  async function prepare(): Promise<void> {
    for (const [name, member] of Object.entries(NAMES)) {
      const { key, certificate } = test().people[member];
      await folderOf(name, key, certificate.der);
    }
    const owner = { id: 'p-owner-2', name: 'Owner 2', unit: 'pki', organisation: 'kmc' };
    const key = await inOffice('owner-2', owner, { role: 'ca-owner' });
    const readable = await test().instance.engine.exportPkcs8(key, Buffer.from(PASSPHRASE), 'openssl');
    writeFileSync(path('owner-2.key.pem'), encodePem('ENCRYPTED PRIVATE KEY', readable));
    const auditor = { id: 'p-auditor-2', name: 'Auditor 2', unit: 'audit', organisation: 'kmc' };
    await inOffice('auditor-2', auditor, { role: 'auditor' });
    await addPerson(test(), { ...owner, id: 'p-spare', name: 'Spare' }, { role: 'ca-owner' });
    await bagOf('sealed-2', 'A-0018');
    await bagOf('sealed-3', 'A-0019');
    for (const name of ['owner-3', 'sealed-1']) writeFileSync(path(`${name}.passphrase`), `${PASSPHRASE}\n`);
    writeFileSync(path('none.json'), '{}');
    kmc().files.pem('admin-ca.pem', test().estate.administratorCa.certificate.der);
    const province = await makeRoot(test().instance.engine, 'province', 'root', 'Provincial CA');
    kmc().files.pem('province-ca.pem', province.certificate.der);
    cpSync(join(home, 'policies'), path('new-policies'), { recursive: true });
    const quorums = readFileSync(path('new-policies', 'quorums.yaml'), 'utf8');
    writeFileSync(path('new-policies', 'quorums.yaml'), quorums.replace('version: "1"', 'version: "2"'));
  }

  /** What keygen made gets its passphrase beside it, as whoever keeps the folder does. */
  function keepPassphrase(words: readonly string[]): void {
    const at = words.indexOf('--out');
    if (words[1] === 'keygen') writeFileSync(path(words[at + 1] ?? '', 'passphrase.txt'), `${PASSPHRASE}\n`);
  }

  it('runs line by line', async () => {
    await prepare();
    process.chdir(kmc().files.folder);
    const variables: Record<string, string> = {};
    for (const line of LINES) {
      const [program = '', ...words] = line.words(variables);
      if (program === 'openssl') {
        execFileSync(program, words, { stdio: 'pipe' });
        continue;
      }
      expect(program, line.text).to.equal('kmc');
      const ran = await runKmc([...words, '--url', kmc().service.url, '--json']);
      expect(ran.code, `${line.text}\n${ran.err}${ran.out}`).to.equal(0);
      keepPassphrase(words);
      const { id, session } = ran.json();
      if (typeof id === 'string' && id.startsWith('rq-')) variables['REQUEST'] = id;
      if (typeof session === 'string') variables['SESSION'] = session;
      if (words[0] === 'status') expect(ran.err).to.contain('BREAK-GLASS');
    }
    expect(LINES.length).to.be.greaterThan(90);
    const people = await test().database.read((reader) => reader.people.list({ limit: 100 }));
    const states = Object.fromEntries(people.map(({ id, status }) => [id, status]));
    expect(states).to.include({ 'p-owner-3': 'left', 'p-ca-operator-two': 'active', 'p-ra-one': 'disabled' });
    expect(kmc().service.faults).to.deep.equal([]);
  }).timeout(240_000);
});
