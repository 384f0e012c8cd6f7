import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { decodePem } from '../../../src/crypto/asn1/pem.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { importLegacyAuthority, type LegacyAuthority } from '../../../src/flows/authorities/import-legacy-authority.ts';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { requireCertifiable } from '../../../src/flows/certificates/require-certifiable.ts';
import {
  assembleCertificateList,
  encodeTbsCertList,
  parseCertificateList,
  type RevokedCertificate,
} from '../../../src/x509/crl.ts';
import { EXTENSIONS, extensionOf, type Extension } from '../../../src/x509/extensions.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { withOpenssl } from '../../crypto/openssl.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { expectationOf, legacyEstate, legacyIssuing, legacyKey, legacyRoot } from './legacy-estate.ts';

forEachDatabase('importLegacyAuthority', (fixture) => {
  const test = testInstance(fixture);
  before(function makeEstate() {
    this.timeout(120_000);
    legacyEstate();
  });

  const bringIn = (authority: LegacyAuthority) => importLegacyAuthority(test().instance, SYSTEM, authority);
  async function issuing(): Promise<LegacyAuthority> {
    return { ...legacyIssuing(), key: await legacyKey(test().instance.engine, 'issuing') };
  }
  async function bringInBoth(): Promise<void> {
    await bringIn(legacyRoot());
    await bringIn(await issuing());
  }

  async function expectNothingOf(id: string): Promise<void> {
    await test().database.read(async (reader) => {
      expect(await reader.authorities.find(id)).to.equal(undefined);
      expect(await reader.certificates.list({ authorityId: id }, { limit: 10 })).to.deep.equal([]);
      expect(await reader.crls.latest(id, 'complete')).to.equal(undefined);
      expect(await reader.keystoreRows.caKey(id)).to.equal(undefined);
    });
    expect(await test().history('authority', id)).to.deep.equal([]);
  }

  /** Refused with the code, and nothing of it is stored. */
  async function refused(code: ErrorCode, authority: LegacyAuthority): Promise<void> {
    await refusal(code, () => bringIn(authority));
    await expectNothingOf(authority.id);
  }

  /** Another last CRL of the issuing CA, signed with its key, with an inventory that the test may alter. */
  async function withCrl(
    entries: readonly RevokedCertificate[],
    extensions: readonly Extension[] = [extensionOf(EXTENSIONS.crlNumber, 43n)],
    thisUpdate = new Date(Math.floor(Date.now() / 1000) * 1000),
  ): Promise<LegacyAuthority> {
    const authority = await issuing();
    const tbs = encodeTbsCertList({
      signatureAlgorithm: 'RSA-SHA256',
      issuer: parseCertificate(authority.certificate).subject.der,
      thisUpdate,
      nextUpdate: new Date(thisUpdate.getTime() + 86_400_000),
      entries,
      extensions,
    });
    const { engine } = test().instance;
    if (authority.key === undefined) throw new Error('the key is missing');
    const crl = assembleCertificateList(tbs, 'RSA-SHA256', await engine.sign(authority.key, 'RSA-SHA256', tbs));
    return {
      ...authority,
      crl,
      expected: {
        ...authority.expected,
        ...expectationOf({ crl, inventory: authority.inventory }, authority.expected),
      },
    };
  }
  const oldEntries = () => parseCertificateList(legacyIssuing().crl).entries;

  /** The inventory with its revoked line changed, and the expectation that fits it. */
  function withInventory(
    authority: LegacyAuthority,
    change: (line: Record<string, string>) => void,
    counts = authority.expected,
  ): LegacyAuthority {
    const lines = authority.inventory
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    for (const line of lines) if (line['status'] === 'revoked') change(line);
    const inventory = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return { ...authority, inventory, expected: expectationOf({ crl: authority.crl, inventory }, counts) };
  }

  it('brings in root and issuing CA with inventory, last CRL and key', async () => {
    await bringInBoth();
    await test().database.read(async (reader) => {
      const row = await reader.authorities.find('rsa-issuing');
      expect(row).to.include({
        state: 'active',
        inventory: 'complete',
        crlNumber: 42n,
        keyId: 'rsa-issuing',
        issuerId: 'rsa-root',
      });
      expect(await reader.authorities.find('rsa-root')).to.include({ keyId: undefined });
      const rows = await reader.certificates.list({ authorityId: 'rsa-issuing' }, { limit: 10 });
      expect(rows.map(({ status }) => status).sort()).to.deep.equal(['good', 'good', 'revoked']);
      expect(await reader.crls.latest('rsa-issuing', 'complete')).to.include({ number: 42n, source: 'imported' });
    });
    expect((await test().history('authority', 'rsa-issuing')).map(({ act }) => act)).to.deep.equal([
      'authority.import',
      'certificate.import',
      'certificate.import',
    ]);
    expect((await test().history('crl', 'rsa-issuing')).map(({ act }) => act)).to.deep.equal(['crl.import']);
  });

  it('continues the CRL number by one, and old entries stay with date and reason', async () => {
    await bringInBoth();
    const { number, crl } = await publishCrl(test().instance, SYSTEM, 'rsa-issuing');
    expect(number).to.equal(43n);
    const [old] = oldEntries();
    const [entry] = parseCertificateList(crl).entries;
    expect(entry).to.deep.include({
      serialNumber: old?.serialNumber,
      revocationDate: old?.revocationDate,
      reason: 'cessationOfOperation',
    });
    withOpenssl((folder) => {
      folder.write('next.crl', crl);
      const args = [
        'crl',
        '-inform',
        'DER',
        '-in',
        folder.path('next.crl'),
        '-noout',
        '-CAfile',
        legacyEstate().issuingCertificate,
      ];
      expect(spawnSync('openssl', args, { encoding: 'utf8' }).stderr).to.contain('verify OK');
    });
  });

  it('knows the keys and serial numbers of the inventory from then on', async () => {
    await bringInBoth();
    const gateway = parseCertificate(
      decodePem(readFileSync(legacyEstate().certificateOf('one'), 'utf8'), 'CERTIFICATE'),
    );
    await test().database.read(async (reader) => {
      await refusal('E_KEY_BLOCKED', () => requireCertifiable(reader, spkiSm3(gateway.spki)));
      const row = await reader.certificates.findBySerial('rsa-issuing', gateway.serialNumber);
      expect(row).to.include({ source: 'imported', status: 'good', certificate: undefined });
    });
  });

  it('refuses other counts than the ceremony file states', async () => {
    const authority = legacyRoot();
    for (const counts of [{ valid: 3 }, { revoked: 1 }]) {
      await refused('E_STALE', { ...authority, expected: { ...authority.expected, ...counts } });
    }
  });

  it('refuses another CRL or inventory than the ceremony file states', async () => {
    const authority = legacyRoot();
    for (const member of ['crl', 'inventory'] as const) {
      await refused('E_STALE', {
        ...authority,
        expected: { ...authority.expected, [member]: `sm3:${'00'.repeat(32)}` },
      });
    }
  });

  it('refuses an inventory in which a revoked entry is missing, valid, or revoked otherwise', async () => {
    await bringIn(legacyRoot());
    const authority = await issuing();
    const { inventory } = authority;
    const kept = Buffer.from(
      inventory
        .toString()
        .split('\n')
        .filter((line) => !line.includes('"revoked"'))
        .join('\n'),
    );
    const counts = { valid: 2, revoked: 0 };
    await refused('E_CRL', {
      ...authority,
      inventory: kept,
      expected: expectationOf({ crl: authority.crl, inventory: kept }, counts),
    });
    const asValid = (line: Record<string, string>) => {
      line['status'] = 'valid';
      delete line['revokedAt'];
      delete line['reason'];
    };
    await refused('E_CRL', withInventory(authority, asValid, { ...authority.expected, valid: 3, revoked: 0 }));
    await refused(
      'E_CRL',
      withInventory(authority, (line) => (line['revokedAt'] = '2020-01-01T00:00:00Z')),
    );
    await refused(
      'E_CRL',
      withInventory(authority, (line) => (line['reason'] = 'superseded')),
    );
    await refused(
      'E_CRL',
      withInventory(authority, (line) => delete line['reason']),
    );
  });

  it('refuses the CRL of another authority, and one with a wrong signature', async () => {
    await bringIn(legacyRoot());
    const authority = await issuing();
    const { crl } = legacyRoot();
    await refused('E_CRL', {
      ...authority,
      crl,
      expected: {
        ...authority.expected,
        ...expectationOf({ crl, inventory: authority.inventory }, authority.expected),
      },
    });
    const broken = Buffer.from(authority.crl);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    await refused('E_CRL', { ...authority, crl: broken });
  });

  it('refuses a CRL without number, of a part, or from the future', async () => {
    await bringIn(legacyRoot());
    const number = extensionOf(EXTENSIONS.crlNumber, 43n);
    const keyIdentifier = Buffer.alloc(20, 1);
    const unnumbered = [extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier })];
    await refused('E_CRL', await withCrl(oldEntries(), unnumbered));
    await refused(
      'E_CRL',
      await withCrl(oldEntries(), [
        number,
        extensionOf(EXTENSIONS.issuingDistributionPoint, { onlyContainsUserCerts: true }),
      ]),
    );
    await refused(
      'E_CRL',
      await withCrl(oldEntries(), [number], new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000)),
    );
  });

  it('refuses a private key that is not that of the certificate', async () => {
    await bringIn(legacyRoot());
    await refused('E_KEY', { ...legacyIssuing(), key: await legacyKey(test().instance.engine, 'root') });
  });

  it('refuses an issuer that is not there or did not sign, and a root that is called issuing', async () => {
    await refused('E_NOT_FOUND', await issuing());
    await refused('E_CERT', { ...(await issuing()), issuerId: 'sm2-root' });
    await refused('E_CERT', { ...legacyRoot(), kind: 'issuing', issuerId: 'sm2-root' });
    const { issuerId, ...rootless } = await issuing();
    expect(issuerId).to.equal('rsa-root');
    await refused('E_CERT', { ...rootless, kind: 'root' });
  });

  it('refuses a certificate that is not that of a CA', async () => {
    const gateway = decodePem(readFileSync(legacyEstate().certificateOf('one'), 'utf8'), 'CERTIFICATE');
    await refused('E_CERT', { ...(await issuing()), certificate: gateway });
  });

  it('refuses to be done twice', async () => {
    await bringInBoth();
    await refusal('E_CONFLICT', () => bringIn(legacyRoot()));
    const { database } = test();
    expect(
      await database.read((reader) => reader.certificates.list({ authorityId: 'rsa-root' }, { limit: 10 })),
    ).to.have.length(2);
  });

  it('takes in a certificate that was on hold as on hold, with its date of invalidity', async () => {
    await bringIn(legacyRoot());
    const [old] = oldEntries();
    if (old === undefined) throw new Error('the CRL has no entry');
    const invalidityDate = new Date('2026-01-02T03:04:05Z');
    const { serialNumber, revocationDate } = old;
    const held = await withCrl([{ serialNumber, revocationDate, reason: 'certificateHold', invalidityDate }]);
    await bringIn(withInventory(held, (line) => (line['reason'] = 'certificateHold')));
    const find = () => test().database.read((reader) => reader.certificates.findBySerial('rsa-issuing', serialNumber));
    const row = await find();
    expect(row).to.deep.include({ status: 'on-hold', reason: 'certificateHold', invalidityDate });
    await releaseCertificate(test().instance, SYSTEM, { certificateId: row?.id ?? '' });
    const { crl, number } = await publishCrl(test().instance, SYSTEM, 'rsa-issuing');
    expect([number, parseCertificateList(crl).entries]).to.deep.equal([44n, []]);
  });

  it('continues a CRL number that is too large for a count', async () => {
    await bringIn(legacyRoot());
    const large = 2n ** 80n;
    await bringIn(await withCrl(oldEntries(), [extensionOf(EXTENSIONS.crlNumber, large)]));
    expect((await publishCrl(test().instance, SYSTEM, 'rsa-issuing')).number).to.equal(large + 1n);
  });
});
