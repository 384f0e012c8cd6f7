import { expect } from 'chai';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { importAuthority, type ImportedAuthority } from '../../../src/flows/authorities/import-authority.ts';
import { newSerialNumber } from '../../../src/domain/serial-number.ts';
import { certificateIssuerOf } from '../../../src/flows/authorities/issuing-authority.ts';
import { prepareCertificate } from '../../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../../src/flows/certificates/sign-certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('importAuthority', (fixture) => {
  const test = testInstance(fixture);
  const bringIn = (input: ImportedAuthority) => importAuthority(test().instance, SYSTEM, input);

  /** A second issuing CA under the SM2 root; its key is in the keystore when `withKey`. */
  async function secondIssuing(withKey: boolean): Promise<ImportedAuthority> {
    const { instance, estate, database, clock } = test();
    const { engine, keystore, policies } = instance;
    const key = await engine.generateKeyPair('SM2');
    const subject = encodeName([
      { type: 'C', value: 'CN' },
      { type: 'O', value: 'KMC test' },
      { type: 'CN', value: 'Issuing CA 2' },
    ]);
    const facts = {
      serialNumber: newSerialNumber(),
      issuer: certificateIssuerOf('sm2-root', estate.root.certificate),
      subject,
      spki: key.spki,
      notBefore: clock.now(),
    };
    const { linted } = prepareCertificate(policies, 'issuing', facts, estate.root.certificate);
    const certificate = await signCertificate({ engine, key: estate.root.key, algorithm: 'SM2-SM3' }, linted);
    if (withKey) {
      const sealed = await keystore.sealCaKey('sm2-issuing-2', 'sign', key);
      const row = {
        keyId: 'sm2-issuing-2',
        version: 1,
        algorithm: 'SM2',
        usage: 'sign',
        createdAt: clock.now(),
      } as const;
      const addition = { ...row, ...sealed, spki: key.spki, spkiSm3: spkiSm3(key.spki) };
      await database.transaction((tx) => tx.keystoreRows.addCaKey(addition, keystore.epoch));
    }
    const named = { id: 'sm2-issuing-2', kind: 'issuing', generation: 'G2', issuerId: 'sm2-root' } as const;
    return { ...named, certificate, ceremony: 'cer-2' };
  }

  it('puts an issuing CA into service whose key is here', async () => {
    const row = await bringIn(await secondIssuing(true));
    expect(row).to.include({ state: 'active', keyId: 'sm2-issuing-2', issuerId: 'sm2-root', crlNumber: 0n });
    const [event] = await test().history('authority', 'sm2-issuing-2');
    expect(event?.act).to.equal('authority.import');
  });

  it('refuses an issuing CA whose key is not here', async () => {
    await refusal('E_NOT_FOUND', async () => bringIn(await secondIssuing(false)));
  });

  it('refuses an issuer that is not there, or did not sign', async () => {
    const input = await secondIssuing(true);
    await refusal('E_NOT_FOUND', () => bringIn({ ...input, issuerId: 'no-root' }));
    await refusal('E_CERT', () => bringIn({ ...input, issuerId: 'admin-ca' }));
    const broken = Buffer.from(input.certificate);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    await refusal('E_CERT', () => bringIn({ ...input, certificate: broken }));
  });

  it('refuses a root that names an issuer, an issuing CA without one, and either in the place of the other', async () => {
    const { issuerId, ...issuing } = await secondIssuing(true);
    expect(issuerId).to.equal('sm2-root');
    const { root } = test().estate;
    const asRoot = { id: 'root-2', kind: 'root', generation: 'G3', ceremony: 'cer-2' } as const;
    await refusal('E_CERT', () => bringIn(issuing));
    await refusal('E_CERT', () => bringIn({ ...issuing, kind: 'root' }));
    await refusal('E_CERT', () => bringIn({ ...asRoot, certificate: root.certificate.der, issuerId: 'sm2-root' }));
    await refusal('E_CERT', () => bringIn({ ...issuing, certificate: root.certificate.der, issuerId: 'sm2-root' }));
  });

  it('refuses a root whose signature over itself is wrong', async () => {
    const certificate = Buffer.from(test().estate.root.certificate.der);
    certificate[certificate.length - 1] = (certificate.at(-1) ?? 0) ^ 1;
    const root = { id: 'root-2', kind: 'root', generation: 'G3', ceremony: 'cer-2' } as const;
    await refusal('E_CERT', () => bringIn({ ...root, certificate }));
  });

  it('refuses a certificate that has ended, and one that is not of a CA', async () => {
    const input = await secondIssuing(true);
    const person = test().people.raOne.certificate.der;
    await refusal('E_CERT', () => bringIn({ ...input, certificate: person }));
    test().clock.advance(60 * 366 * 86_400);
    await refusal('E_CERT', () => bringIn(input));
  });

  it('refuses what is in service already, and a bad id', async () => {
    const input = await secondIssuing(true);
    await bringIn(input);
    await refusal('E_CONFLICT', () => bringIn(input));
    await refusal('E_CONFLICT', () => bringIn({ ...input, id: 'other-id' }));
    await refusal('E_ID', () => bringIn({ ...input, id: '../x' }));
  });
});
