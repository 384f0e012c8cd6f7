import { expect } from 'chai';
import { integer, nullValue, oid, sequence, time } from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { encodeTbsCertList, parseTbsCertList } from '../../../src/x509/crl.ts';
import type { CrlPlan, RevokedCertificate } from '../../../src/x509/crl.ts';
import { distributionPointsOf } from '../../../src/x509/extensions/access.ts';
import { encodeExtensions, extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import { CRL_RULES } from '../../../src/x509/lint/crl-rules.ts';
import { crlFindings, LintedCrl, lintTbsCertList } from '../../../src/x509/lint/lint-tbs-cert-list.ts';
import type { CrlLintOptions } from '../../../src/x509/lint/lint-tbs-cert-list.ts';
import { refusal } from '../../crypto/refusal.ts';
import { CA_CERTIFICATES, CA_NAME, SUBJECT_NAME, withFields } from '../sample-plans.ts';

const ISSUER = CA_CERTIFICATES.SM2;
const DATE = new Date('2026-02-01T00:00:00Z');
const entry = (serialNumber: string, changes: Partial<RevokedCertificate> = {}): RevokedCertificate => ({
  serialNumber,
  revocationDate: DATE,
  ...changes,
});

const SCOPE = {
  distributionPoint: { fullName: [{ type: 'uniformResourceIdentifier', value: 'http://kmc/crl/11.crl' } as const] },
};

function planWith(changes: Partial<CrlPlan> = {}, extensions: readonly Extension[] = []): Buffer {
  const fixed = [
    extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: ISSUER.skid ?? Buffer.alloc(0) }),
    extensionOf(EXTENSIONS.crlNumber, 42n),
  ];
  const kept = fixed.filter(({ oid: dotted }) => !extensions.some((extension) => extension.oid === dotted));
  return encodeTbsCertList({
    signatureAlgorithm: 'SM2-SM3',
    issuer: CA_NAME,
    thisUpdate: new Date('2026-03-01T00:00:00Z'),
    nextUpdate: new Date('2026-03-08T00:00:00Z'),
    entries: [entry('0102030405060708'), entry('80ffffffffffffff', { reason: 'keyCompromise' })],
    extensions: [...kept, ...extensions],
    ...changes,
  });
}

const good = planWith();
const rawEntry = (...parts: Buffer[]): Buffer => withFields(good, { 5: sequence(sequence(...parts)) });

const BAD_CASES: Readonly<Record<string, readonly [Buffer, CrlLintOptions?]>> = {
  e_crl_signature_algorithm: [withFields(good, { 1: sequence(oid(OID.sm2SignWithSm3), nullValue()) })],
  e_crl_next_update: [withFields(good, { 4: undefined })],
  w_crl_period: [planWith({ nextUpdate: new Date('2026-04-02T00:00:01Z') })],
  e_crl_number: [
    planWith({
      extensions: [extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: ISSUER.skid ?? Buffer.alloc(0) })],
    }),
  ],
  e_crl_number_rises: [good, { previousNumber: 42n }],
  e_crl_authority_key_identifier: [
    planWith({}, [extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: Buffer.alloc(20) })]),
  ],
  e_crl_issuer: [planWith({ issuer: SUBJECT_NAME })],
  e_crl_extensions: [planWith({}, [extensionOf(EXTENSIONS.crlNumber, 43n, true)])],
  e_crl_scope: [planWith({}, [extensionOf(EXTENSIONS.issuingDistributionPoint, { indirectCRL: true })])],
  e_crl_delta: [planWith({}, [extensionOf(EXTENSIONS.deltaCrlIndicator, 42n)])],
  e_crl_entry_serial: [rawEntry(integer(0), time(DATE))],
  e_crl_entry_order: [planWith({ entries: [entry('0203'), entry('0102')] })],
  e_crl_entry_date: [planWith({ entries: [entry('01', { revocationDate: new Date('2026-03-01T00:00:01Z') })] })],
  e_crl_entry_reason: [planWith({ entries: [entry('01', { reason: 'removeFromCRL' })] })],
  e_crl_entry_extensions: [
    rawEntry(
      integer(5),
      time(DATE),
      encodeExtensions([{ oid: '1.2.3', critical: true, value: Buffer.from('0500', 'hex') }]),
    ),
  ],
};

function idsOf(tbs: Buffer, options: CrlLintOptions = {}): string[] {
  return crlFindings(parseTbsCertList(tbs), { issuer: ISSUER, ...options }).map(({ id }) => id);
}

describe('the rules for CRLs', () => {
  for (const [what, tbs] of [
    ['a complete CRL', good],
    ['an empty CRL', planWith({ entries: [] })],
    [
      'the shard of a province',
      planWith({}, [extensionOf(EXTENSIONS.issuingDistributionPoint, { ...SCOPE, onlyContainsUserCerts: true })]),
    ],
    [
      'a complete CRL with a freshestCRL',
      planWith({}, [extensionOf(EXTENSIONS.freshestCrl, distributionPointsOf(['http://kmc/delta.crl']))]),
    ],
    [
      'a delta CRL',
      planWith({ entries: [entry('01', { reason: 'removeFromCRL' })] }, [
        extensionOf(EXTENSIONS.deltaCrlIndicator, 41n),
      ]),
    ],
  ] as const) {
    it(`find nothing in ${what}`, () => expect(idsOf(tbs, { previousNumber: 41n })).to.deep.equal([]));
  }

  for (const { id, severity, cites } of CRL_RULES) {
    it(`${id} finds its bad case, and says where the rule is from`, () => {
      const bad = BAD_CASES[id];
      if (bad === undefined) throw new Error(`no bad case for ${id}`);
      expect(cites).to.match(/RFC|GM\/T|CA\/B/);
      expect(id.startsWith(severity === 'error' ? 'e_' : 'w_')).to.equal(true);
      expect(idsOf(...bad)).to.include(id);
    });
  }

  it('have different ids, and every bad case belongs to one', () => {
    const ids = CRL_RULES.map(({ id }) => id);
    expect(Object.keys(BAD_CASES)).to.have.members(ids);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it('refuse more than one bad case each', () => {
    expect(idsOf(planWith({ entries: [entry('01'), entry('01')] }))).to.include('e_crl_entry_order');
    expect(idsOf(planWith({ entries: [entry('ff'), entry('0100')] }))).not.to.include('e_crl_entry_order');
    expect(idsOf(planWith({ entries: [entry('01', { reason: 'unspecified' })] }))).to.include('e_crl_entry_reason');
    expect(idsOf(planWith({}, [extensionOf(EXTENSIONS.issuingDistributionPoint, {})]))).to.include('e_crl_scope');
    const both = { onlyContainsUserCerts: true, onlyContainsCACerts: true } as const;
    expect(idsOf(planWith({}, [extensionOf(EXTENSIONS.issuingDistributionPoint, both)]))).to.include('e_crl_scope');
    const deltaWithFreshest = [
      extensionOf(EXTENSIONS.deltaCrlIndicator, 41n),
      extensionOf(EXTENSIONS.freshestCrl, distributionPointsOf(['http://kmc/d'])),
    ];
    expect(idsOf(planWith({}, deltaWithFreshest))).to.include('e_crl_delta');
    expect(idsOf(planWith({}, [extensionOf(EXTENSIONS.issuingDistributionPoint, SCOPE, false)]))).to.include(
      'e_crl_extensions',
    );
    expect(idsOf(planWith({ signatureAlgorithm: 'RSA-SHA1' }), { issuer: CA_CERTIFICATES.RSA })).to.include(
      'e_crl_signature_algorithm',
    );
    expect(idsOf(good, { issuer: CA_CERTIFICATES.RSA })).to.include('e_crl_signature_algorithm');
    expect(idsOf(good, { issuer: { ...ISSUER, keyUsage: ['keyCertSign'] } })).to.include('e_crl_issuer');
  });
});

describe('lintTbsCertList', () => {
  it('gives the octets to sign exactly once', async () => {
    const linted = lintTbsCertList(good, { issuer: ISSUER, previousNumber: 41n });
    expect(linted).to.be.instanceOf(LintedCrl);
    expect(linted.warnings).to.deep.equal([]);
    expect(linted.redeem().equals(good)).to.equal(true);
    await refusal('E_LINT', () => linted.redeem());
  });

  it('names the broken rule in E_LINT', async () => {
    const error = await refusal('E_LINT', () => lintTbsCertList(good, { previousNumber: 42n }));
    expect(error.message).to.include('e_crl_number_rises');
  });

  it('refuses octets that are no TBSCertList with E_LINT', async () => {
    await refusal('E_LINT', () => lintTbsCertList(Buffer.from('hello')));
    await refusal('E_LINT', () => lintTbsCertList(withFields(good, { 5: sequence() })));
  });

  it('skips the rules that are exempted by name, and refuses a name that is no rule', async () => {
    expect(() => lintTbsCertList(good, { previousNumber: 42n, skip: ['e_crl_number_rises'] })).not.to.throw();
    await refusal('E_LINT', () => lintTbsCertList(good, { skip: ['e_crl_numbers'] }));
  });
});
