import { expect } from 'chai';
import { createServiceAuthority } from '../../../src/flows/authorities/create-service-authority.ts';
import { issueServiceTls } from '../../../src/flows/certificates/issue-service-tls.ts';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { verifySignedBy } from '../../../src/x509/path/issuer-signature.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { wrongSigner } from '../../fixtures/wrong-signer.ts';
import { forEachDatabase } from '../../store/databases.ts';

const SUBJECT = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'O', value: 'KMC test' },
  { type: 'CN', value: 'Transport CA' },
]);

forEachDatabase('createServiceAuthority', (fixture) => {
  const test = testInstance(fixture);
  const create = (kind: 'administrator' | 'transport', id = `${kind}-2`) =>
    createServiceAuthority(test().instance, SYSTEM, { id, kind, subject: SUBJECT });

  for (const [kind, algorithm] of [
    ['administrator', 'SM2'],
    ['transport', 'EC-P256'],
  ] as const) {
    it(`makes a self-signed ${kind} CA that publishes CRLs`, async () => {
      const row = await create(kind);
      const certificate = parseCertificate(row.certificate);
      expect(row).to.include({ kind, algorithm, state: 'active', keyId: row.id });
      expect(verifySignedBy(certificate, certificate)).to.equal(true);
      expect((await publishCrl(test().instance, SYSTEM, row.id)).number).to.equal(1n);
      expect((await test().history('authority', row.id))[0]?.act).to.equal('authority.create');
    });
  }

  it('gives the service a TLS certificate from the transport CA, and refuses without one', async () => {
    await refusal('E_NOT_FOUND', () => issueServiceTls(test().instance, ['localhost']));
    await create('transport');
    const { cert, key, notAfter } = await issueServiceTls(test().instance, ['localhost', '127.0.0.1']);
    expect(cert.match(/BEGIN CERTIFICATE/g)).to.have.length(2);
    expect(key).to.contain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(notAfter > test().clock.now()).to.equal(true);
  });

  it('refuses an id that is taken, a sealed keystore, and an engine that signs wrongly', async () => {
    const { instance, database } = test();
    await refusal('E_CONFLICT', () => create('administrator', 'admin-ca'));
    const faulty = { ...instance, engine: wrongSigner(instance.engine) };
    const input = { id: 'second', kind: 'administrator', subject: SUBJECT } as const;
    await refusal('E_INTEGRITY', () => createServiceAuthority(faulty, SYSTEM, input));
    instance.keystore.seal();
    await refusal('E_SEALED', () => create('transport'));
    expect(await database.read((reader) => reader.authorities.list({ kind: 'transport' }))).to.deep.equal([]);
    expect(await database.read((reader) => reader.authorities.find('second'))).to.equal(undefined);
  });
});
