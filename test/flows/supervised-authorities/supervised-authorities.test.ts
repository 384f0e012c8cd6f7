import { expect } from 'chai';
import type { KmcError } from '../../../src/errors.ts';
import { createRepositoryClient } from '../../../src/http/repository-client.ts';
import { fetchDueAuthorities } from '../../../src/flows/supervised-authorities/fetch-due-authorities.ts';
import { fetchSupervisedAuthority } from '../../../src/flows/supervised-authorities/fetch-supervised-authority.ts';
import { importSupervisedCertificates } from '../../../src/flows/supervised-authorities/import-supervised-certificates.ts';
import { importSupervisedCrl } from '../../../src/flows/supervised-authorities/import-supervised-crl.ts';
import { showSupervisedAuthority } from '../../../src/flows/supervised-authorities/show-supervised-authority.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { carryOut } from '../people/people-acts.ts';
import { LEAVES, published, Repository } from './openssl-estate.ts';

const ID = 'ca-anhui';

forEachDatabase('supervised authorities', (fixture) => {
  const test = testInstance(fixture);
  let repository: Repository;
  const leaf = (name: string): Buffer => published().leaves.get(name) ?? Buffer.alloc(0);

  before(function makeEstate() {
    this.timeout(60_000);
    published();
  });
  beforeEach(async () => void (repository = await Repository.start()));
  afterEach(() => repository.close());

  const params = (more: object = {}) => ({
    region: '340000',
    name: 'Anhui CA',
    certificate: published().certificate.toString('base64'),
    crlUrl: repository.url('/anhui.crl'),
    certificatesUrl: repository.url('/anhui.p7c'),
    ...more,
  });
  const register = (more: object = {}) =>
    carryOut(test(), { op: 'supervised-authority.register', targetId: ID, params: params(more) });
  const importAll = (certificates: readonly Buffer[]) =>
    importSupervisedCertificates(test().instance, SYSTEM, { authorityId: ID, certificates, take: 'all' });
  const importCrl = (crl: Buffer) => importSupervisedCrl(test().instance, SYSTEM, { authorityId: ID, crl });
  const ports = () => ({
    ...test().instance,
    repositories: createRepositoryClient({ loopback: true, timeout: 1_000 }),
  });
  const standings = async (): Promise<Record<string, string>> => {
    const filter = { authorityId: ID };
    const rows = await test().database.read((reader) =>
      reader.supervisedAuthorities.certificates(filter, { limit: 100 }),
    );
    const nameOf = (certificate: Buffer): string =>
      [...published().leaves].find(([, der]) => der.equals(certificate))?.[0] ?? '';
    return Object.fromEntries(rows.map(({ certificate, status }) => [nameOf(certificate), status]));
  };

  it('are registered by three, with plain addresses, once for a key, and end', async () => {
    for (const crlUrl of [
      'ftp://ca.example/x',
      'http://u:p@ca.example/x',
      'http://ca.example/x#y',
      'http:ca.example',
      '',
    ]) {
      await refusal('E_SCHEMA', () => register({ crlUrl }));
    }
    await refusal('E_NOT_FOUND', () => register({ region: '999999' }));
    await refusal('E_CERT', () => register({ certificate: leaf('one').toString('base64') }));
    await register({ crlUrl: 'http://ca.example/first.crl' });
    await refusal('E_CONFLICT', () =>
      carryOut(test(), { op: 'supervised-authority.register', targetId: 'ca-twin', params: params() }),
    );
    await importAll([leaf('one')]);
    await register({ name: 'Anhui CA, renamed' });
    const { row, counts } = await showSupervisedAuthority(test().instance, ID);
    expect(row).to.include({ name: 'Anhui CA, renamed', crlUrl: repository.url('/anhui.crl'), version: 3 });
    expect(counts).to.have.length(1);
    await carryOut(test(), { op: 'supervised-authority.end', targetId: ID, params: {} });
    await refusal('E_STATE', () => importAll([leaf('two')]));
    await refusal('E_STATE', () => register());
    const history = await test().history('supervised-authority', ID);
    expect(history.map(({ act }) => act.split('.')[1])).to.deep.equal([
      'register',
      'import-certificates',
      'register',
      'end',
    ]);
  });

  it('take certificates once, and count what is weak or breaks a rule', async () => {
    await register();
    expect(await importAll(LEAVES.map(leaf))).to.deep.equal({ imported: 5, known: 0, refused: [] });
    const { counts } = await showSupervisedAuthority(test().instance, ID);
    expect(counts.map(({ algorithm, valid, weak }) => [algorithm, valid, weak])).to.deep.equal([
      ['RSA-1024', 1, 1],
      ['RSA-2048', 4, 1],
    ]);
    const rows = await test().database.read((reader) =>
      reader.supervisedAuthorities.certificates({ authorityId: ID }, { limit: 10 }),
    );
    const weaknesses = rows.map(({ certificate, weaknesses: found }) => [
      LEAVES.find((name) => leaf(name).equals(certificate)),
      found,
    ]);
    expect(Object.fromEntries(weaknesses)).to.deep.equal({
      one: [],
      two: [],
      three: [],
      weak: ['rsa-below-2048'],
      sha1: ['sha-1'],
    });
    const again = await refusal('E_CONFLICT', () => importAll([leaf('one')]));
    expect(again.pointers[0]?.pointer).to.equal('/certificates/0');
    test().clock.advance(366 * 86_400);
    const later = await showSupervisedAuthority(test().instance, ID);
    expect(later.counts.map(({ valid, expired }) => [valid, expired])).to.deep.equal([
      [0, 1],
      [0, 4],
    ]);
  });

  it('refuse what is forged, of another issuer, not strict DER, or twice, and leave nothing behind', async () => {
    await register();
    const forged = Buffer.from(leaf('two'));
    forged.writeUInt8(forged.readUInt8(forged.length - 5) ^ 1, forged.length - 5);
    const { namesake, stranger, sameSerial } = published();
    const cases: readonly (readonly [string, Buffer[]])[] = [
      ['E_SIGNATURE', [leaf('one'), forged]],
      ['E_SIGNATURE', [leaf('one'), namesake.leaf]],
      ['E_CERT', [leaf('one'), stranger.leaf]],
      ['E_DER', [leaf('one'), Buffer.concat([leaf('two'), Buffer.from([0])])]],
      ['E_CONFLICT', [leaf('one'), leaf('one')]],
      ['E_CERT', [leaf('one'), sameSerial]],
    ];
    for (const [code, certificates] of cases) {
      const error = await refusal(code as KmcError['code'], () => importAll(certificates));
      expect(error.pointers[0]?.pointer).to.equal('/certificates/1');
    }
    expect(await standings()).to.deep.equal({});
    await importAll([leaf('one')]);
    expect((await refusal('E_CERT', () => importAll([sameSerial]))).rule).to.equal('serial-twice');
  });

  it('take CRLs forward only, and follow them', async () => {
    const { crls, namesake, stranger } = published();
    await register();
    await importAll([leaf('one'), leaf('two')]);
    expect(await importCrl(crls.second)).to.deep.equal({ number: 2n, entries: 3, revoked: 2, released: 0 });
    expect(await standings()).to.deep.equal({ one: 'revoked', two: 'on-hold' });
    // What comes later is held against the CRL that stands.
    await importAll([leaf('three')]);
    expect((await standings())['three']).to.equal('revoked');
    await refusal('E_CONFLICT', () => importCrl(crls.second));
    expect((await refusal('E_CRL', () => importCrl(crls.first))).rule).to.equal('older');
    expect((await refusal('E_CRL', () => importCrl(crls.again))).rule).to.equal('number-twice');
    await refusal('E_SIGNATURE', () => importCrl(namesake.crl));
    expect((await refusal('E_CRL', () => importCrl(stranger.crl))).rule).to.equal('issuer');
    await refusal('E_DER', () => importCrl(Buffer.concat([crls.forgetful, Buffer.from([0])])));
    // Off hold by the next one; what was revoked for good stays so although it leaves it out.
    expect(await importCrl(crls.forgetful)).to.deep.equal({ number: 5n, entries: 0, revoked: 0, released: 1 });
    expect(await standings()).to.deep.equal({ one: 'revoked', two: 'good', three: 'revoked' });
    const { newest } = await showSupervisedAuthority(test().instance, ID);
    expect(newest).to.include({ number: 5n, entries: 0 });
  });

  it('import two at once without losing a revocation: one of them is told to try again', async () => {
    await register();
    await importAll([leaf('one')]);
    const both = await Promise.allSettled([importAll([leaf('two')]), importCrl(published().crls.first)]);
    const failed = both.flatMap((one) => (one.status === 'rejected' ? [(one.reason as KmcError).code] : []));
    expect(failed).to.deep.equal(['E_STALE']);
  });

  it('are fetched from their addresses and nowhere else, and what they publish badly is known', async () => {
    await register();
    repository.paths.set('/anhui.crl', published().crls.first);
    repository.paths.set('/anhui.p7c', published().message);
    const fetched = await fetchSupervisedAuthority(ports(), SYSTEM, ID);
    expect(fetched.certificates).to.deep.equal({ imported: 5, known: 0, refused: [] });
    const again = await fetchSupervisedAuthority(ports(), SYSTEM, ID);
    expect(again).to.deep.equal({ crl: 'unchanged', certificates: { imported: 0, known: 5, refused: [] } });
    expect(repository.asked).to.deep.equal(['/anhui.crl', '/anhui.p7c', '/anhui.crl', '/anhui.p7c']);
    const fetch = async () => (await showSupervisedAuthority(test().instance, ID)).fetched;
    expect(await fetch()).to.include({ failures: 0, failure: undefined });
    repository.paths.set('/anhui.crl', { status: 302, headers: { location: repository.url('/elsewhere') } });
    await refusal('E_STORAGE', () => fetchSupervisedAuthority(ports(), SYSTEM, ID));
    expect(repository.asked).not.to.include('/elsewhere');
    repository.paths.set('/anhui.crl', Buffer.alloc(17 * 1024 * 1024));
    await refusal('E_SIZE', () => fetchSupervisedAuthority(ports(), SYSTEM, ID));
    repository.paths.set('/anhui.crl', Buffer.from('<html>'));
    await refusal('E_DER', () => fetchSupervisedAuthority(ports(), SYSTEM, ID));
    repository.paths.set('/anhui.crl', published().crls.second);
    repository.delay = 1_500;
    await refusal('E_STORAGE', () => fetchSupervisedAuthority(ports(), SYSTEM, ID));
    repository.delay = 0;
    expect((await fetch())?.failures).to.equal(4);
    expect((await fetch())?.failure).to.match(/^E_STORAGE: /);
    const policies = { ...test().instance.policies };
    expect(await fetchDueAuthorities({ ...ports(), policies }, SYSTEM)).to.deep.equal({ fetched: 0, failed: 0 });
    test().clock.advance(policies.supervision.fetchIntervalSeconds);
    expect(await fetchDueAuthorities({ ...ports(), policies }, SYSTEM)).to.deep.equal({ fetched: 1, failed: 0 });
    expect(await fetch()).to.include({ failures: 0, failure: undefined });
  });
});
