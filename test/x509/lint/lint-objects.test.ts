import { expect } from 'chai';
import { signMessage } from '../../../src/crypto/algorithms.ts';
import { bitString, oid, sequence } from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import type { PrivateKey } from '../../../src/crypto/private-key.ts';
import { encodeRsaSpki } from '../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { encodeTbsCertList } from '../../../src/x509/crl.ts';
import {
  assembleCsr,
  encodeCertificationRequestInfo,
  parseCsr,
  type CertificationRequestPlan,
} from '../../../src/x509/csr.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import { SIGNED_RULES, TLCP_FILE_RULES } from '../../../src/x509/lint/chain-rules.ts';
import { ALL_KINDS } from '../../../src/x509/lint/certificate-kinds.ts';
import { kindOf, lintObjects } from '../../../src/x509/lint/lint-objects.ts';
import { REQUEST_RULES } from '../../../src/x509/lint/request-rules.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { assembleCertificateList } from '../../../src/x509/crl.ts';
import { derOf, GM_CERTIFICATES, GM_CRLS } from '../gm-certificates.ts';
import { CA_CERTIFICATES, issue, KEYS, samplePlan, SIGNATURE_OF, SUBJECT_NAME, withFields } from '../sample-plans.ts';

const CA = CA_CERTIFICATES.SM2;
const SIGN = issue(samplePlan('gateway-sign'), KEYS.ca.SM2);
const ENC = issue(samplePlan('gateway-enc'), KEYS.ca.SM2);

function ids(objects: readonly Buffer[], options = {}): string[] {
  return lintObjects(objects, options).flatMap(({ findings }) => findings.map(({ id }) => id));
}

/** What the samples of the issuer lack is not what these tests are about. */
function ofFile(objects: readonly Buffer[]): string[] {
  const rules = [...SIGNED_RULES, ...TLCP_FILE_RULES].map(({ id }) => id);
  return ids(objects).filter((id) => rules.includes(id));
}

function request(
  plan: Partial<CertificationRequestPlan> = {},
  key: PrivateKey = KEYS.subject.SM2,
  sha1 = false,
): Buffer {
  const subject = SUBJECT_NAME;
  const info = encodeCertificationRequestInfo({ subject, spki: key.spki, ...plan });
  const algorithm = SIGNATURE_OF[key.algorithm];
  return assembleCsr(info, sha1 ? 'RSA-SHA1' : algorithm, signMessage(algorithm, key, info));
}

const smallRsa = encodeRsaSpki({ n: Buffer.alloc(128, 0xff), e: Buffer.from([1, 0, 1]) });
const sm2ByCurve = withFields(KEYS.subject.SM2.spki, { 0: sequence(oid(OID.sm2p256v1), oid(OID.sm2p256v1)) });

const BAD_REQUESTS: Readonly<Record<string, Buffer>> = {
  e_request_signature_algorithm: request({}, KEYS.subject.RSA, true),
  e_request_proof_of_possession: request({ spki: KEYS.encryption.spki }),
  e_request_key_form: request({ spki: sm2ByCurve }),
  e_request_rsa_key_size: request({ spki: smallRsa }, KEYS.subject.RSA),
  w_request_key_algorithm: request({}, KEYS.subject.RSA),
  e_request_subject_country: request({
    subject: encodeName([
      { type: 'C', value: 'cn' },
      { type: 'CN', value: 'x' },
    ]),
  }),
  e_request_subject_common_name: request({ subject: encodeName([{ type: 'C', value: 'CN' }]) }),
  e_request_ca: request({ extensions: [extensionOf(EXTENSIONS.basicConstraints, { ca: true })] }),
  e_request_dns_name_syntax: request({
    extensions: [extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: '*.example.cn' }])],
  }),
  w_request_challenge_password: request({ challengePassword: 'secret' }),
};

describe('lintObjects', () => {
  it('finds nothing wrong in a good request', () => {
    const names = [extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'gw.example.cn' }])];
    expect(lintObjects([request({ extensions: names })])).to.deep.equal([
      { type: 'request', name: parseCsr(request()).subject.text, findings: [] },
    ]);
  });

  for (const { id, cites, severity } of REQUEST_RULES) {
    it(`${id} finds its bad request, and says where the rule is from`, () => {
      const bad = BAD_REQUESTS[id];
      if (bad === undefined) throw new Error(`no bad case for ${id}`);
      expect(ids([bad])).to.include(id);
      expect(cites).to.match(/RFC|GM\/T/);
      expect(id.startsWith('e_') ? 'error' : 'warning').to.equal(severity);
    });
  }

  it('finds a key of 1024 bits and a refused signature without throwing', () => {
    expect(ids([BAD_REQUESTS['e_request_rsa_key_size'] ?? Buffer.alloc(0)])).to.include(
      'e_request_proof_of_possession',
    );
  });

  it('verifies a certificate under its issuer, in the file or given besides', () => {
    expect(ofFile([SIGN.der, CA.der])).to.deep.equal([]);
    expect(ids([SIGN.der], { issuers: [CA] })).to.deep.equal([]);
    expect(ids([SIGN.der])).to.deep.equal(['w_issuer_not_given']);
    const forged = issue(samplePlan('gateway-sign'), KEYS.subject.SM2);
    expect(ids([forged.der], { issuers: [CA] })).to.deep.equal(['e_signature_verifies']);
  });

  it('verifies a CRL under its issuer, and lints it', () => {
    const tbs = encodeTbsCertList({
      signatureAlgorithm: 'SM2-SM3',
      issuer: CA.subject.der,
      thisUpdate: new Date('2026-06-01T00:00:00Z'),
      nextUpdate: new Date('2026-06-08T00:00:00Z'),
      entries: [],
      extensions: [
        extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: CA.skid ?? Buffer.alloc(0) }),
        extensionOf(EXTENSIONS.crlNumber, 7n),
      ],
    });
    const signed = (key: PrivateKey) => assembleCertificateList(tbs, 'SM2-SM3', signMessage('SM2-SM3', key, tbs));
    expect(ids([signed(KEYS.ca.SM2)], { issuers: [CA] })).to.deep.equal([]);
    expect(ids([signed(KEYS.subject.SM2)], { issuers: [CA] })).to.deep.equal(['e_signature_verifies']);
    const [foreign] = GM_CRLS;
    const [report] = foreign === undefined ? [] : lintObjects([derOf(foreign)]);
    expect(report?.type).to.equal('crl');
  });

  it('wants the order of TLCP: signing, encryption, then the chain', () => {
    expect(ofFile([SIGN.der, ENC.der, CA.der])).to.deep.equal([]);
    expect(ofFile([ENC.der, SIGN.der, CA.der])).to.deep.equal(['e_tlcp_order']);
    expect(ofFile([SIGN.der, CA.der, ENC.der])).to.deep.equal(['e_tlcp_order']);
    const third = issue(
      { ...samplePlan('gateway-sign'), serialNumber: Buffer.from('5566778899aabbcc', 'hex') },
      KEYS.ca.SM2,
    );
    expect(ofFile([SIGN.der, ENC.der, third.der, CA.der])).to.include('e_tlcp_two_end_entities');
    const other = CA_CERTIFICATES.RSA;
    expect(ofFile([SIGN.der, ENC.der, CA.der, other.der])).to.include('e_tlcp_all_sm2');
    const stranger = parseCertificate(issue(samplePlan('issuing'), KEYS.ca.SM2).der);
    expect(ofFile([SIGN.der, ENC.der, stranger.der])).to.include('e_tlcp_chain');
  });

  it('reports on the pair of a TLCP file as a whole', () => {
    const plan = { ...samplePlan('gateway-enc'), notAfter: new Date('2026-07-01T00:00:00Z') };
    const reports = lintObjects([SIGN.der, issue(plan, KEYS.ca.SM2).der], { issuers: [CA] });
    expect(reports.map(({ type }) => type)).to.deep.equal(['certificate', 'certificate', 'pair']);
    expect(reports[2]?.findings.map(({ id }) => id)).to.deep.equal(['e_pair_validity']);
  });

  it('tells the kind of a certificate by what it says', () => {
    const told = ALL_KINDS.filter((kind) => {
      const plan = samplePlan(kind);
      const signer = Object.values(KEYS.ca).find(
        ({ algorithm }) => SIGNATURE_OF[algorithm] === plan.signatureAlgorithm,
      );
      return signer !== undefined && kindOf(issue(plan, signer)) === kind;
    });
    expect(told).to.include.members(['root', 'issuing', 'gateway-sign', 'gateway-enc', 'ocsp', 'transport', 'legacy']);
  });

  it('makes a finding of what cannot be read, with its clause', () => {
    const cut = SIGN.der.subarray(0, 100);
    const twice = sequence(sequence(), sequence(), bitString(Buffer.alloc(8)));
    for (const bad of [cut, twice, Buffer.alloc(0), Buffer.from('text')]) {
      const [report] = lintObjects([bad]);
      expect(report?.findings.map(({ id }) => id)).to.deep.equal(['e_certificate_form']);
    }
    const badRequest = withFields(request(), { 1: sequence(oid('1.2.3.4')) });
    expect(ids([badRequest])).to.deep.equal(['e_request_form']);
  });

  it('reads what GmSSL and others made, and never throws', () => {
    for (const sample of GM_CERTIFICATES) {
      const [report] = lintObjects([derOf(sample)]);
      expect(report?.type).to.equal('certificate');
      for (const { id, cites, text } of report?.findings ?? []) {
        expect(id).to.match(/^[ew]_/);
        expect(cites.length * text.length).to.be.above(0);
      }
    }
  });
});
