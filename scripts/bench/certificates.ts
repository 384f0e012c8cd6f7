/** Certificates on one core without a database, and the CRL of a large estate. */
import { randomBytes } from 'node:crypto';
import { EXTENSIONS, extensionOf } from '../../src/x509/extensions.ts';
import { certificateIssuerOf } from '../../src/flows/authorities/issuing-authority.ts';
import { prepareCertificate } from '../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../src/flows/certificates/sign-certificate.ts';
import { signCertificateList } from '../../src/flows/certificates/sign-certificate-list.ts';
import type { SignatureCheck } from '../../src/domain/policy.ts';
import { newSerialNumber } from '../../src/domain/serial-number.ts';
import { encodeTbsCertList, type RevokedCertificate } from '../../src/x509/crl.ts';
import { encodeName } from '../../src/x509/name.ts';
import { lintTbsCertList } from '../../src/x509/lint/lint-tbs-cert-list.ts';
import { compareSerialNumbers } from '../../src/x509/serial-number.ts';
import { POLICIES, theEstate, type Estate } from '../../test/fixtures/estate.ts';
import { compare, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';
import { bouncyCastle } from './programs.ts';

const REVOKED = 100_000;

async function issuing(): Promise<{
  issue: (signatureCheck: SignatureCheck) => Promise<Buffer>;
  sign: () => Promise<Buffer>;
}> {
  const { engine, issuing: ca } = await theEstate();
  const issuer = certificateIssuerOf('sm2-issuing', ca.certificate);
  const { spki } = await engine.generateKeyPair('SM2');
  const name = 'gw1.beijing.extranet.example';
  const subject = encodeName([
    { type: 'C', value: 'CN' },
    { type: 'O', value: 'Government Extranet' },
    { type: 'CN', value: name },
  ]);
  const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
  const signer = { engine, key: ca.key, algorithm: 'SM2-SM3' } as const;
  const facts = { issuer, subject, spki, notBefore, subjectAltName: [{ type: 'dNSName', value: name }] } as const;
  const prepare = () =>
    prepareCertificate(
      POLICIES,
      'gateway-sign',
      { ...facts, shard: '110000', serialNumber: newSerialNumber() },
      ca.certificate,
    ).linted;
  const tbs = prepare().redeem();
  return {
    issue: (signatureCheck) => signCertificate(signer, prepare(), { ...POLICIES.issuance, signatureCheck }),
    sign: () => engine.sign(ca.key, 'SM2-SM3', tbs),
  };
}

/** Entries as they come from the database, in the order of their serial numbers. */
function revokedCertificates(): RevokedCertificate[] {
  const end = Math.floor(Date.now() / 1000) * 1000;
  return Array.from({ length: REVOKED }, (_, index) => ({
    serialNumber: `5${randomBytes(15).toString('hex').slice(0, 29)}0`.padEnd(32, '0'),
    revocationDate: new Date(end - index * 1000),
    reason: index % 3 === 0 ? ('keyCompromise' as const) : ('superseded' as const),
  }));
}

/** Sorts, encodes, lints and signs; the signature is verified by both implementations. */
async function buildCrl({ engine, issuing: ca }: Estate, revoked: readonly RevokedCertificate[]): Promise<Buffer> {
  const thisUpdate = new Date(Math.floor(Date.now() / 1000) * 1000);
  const tbs = encodeTbsCertList({
    signatureAlgorithm: 'SM2-SM3',
    issuer: ca.certificate.subject.der,
    thisUpdate,
    nextUpdate: new Date(thisUpdate.getTime() + POLICIES.revocation.crlValiditySeconds * 1000),
    entries: [...revoked].sort((a, b) => compareSerialNumbers(a.serialNumber, b.serialNumber)),
    extensions: [
      extensionOf(EXTENSIONS.authorityKeyIdentifier, {
        keyIdentifier: certificateIssuerOf('sm2-issuing', ca.certificate).keyIdentifier,
      }),
      extensionOf(EXTENSIONS.crlNumber, 1n),
    ],
  });
  const linted = lintTbsCertList(tbs, { issuer: ca.certificate });
  return signCertificateList({ engine, key: ca.key, algorithm: 'SM2-SM3' }, linted);
}

async function largeCrl({ quick }: BenchOptions): Promise<Measurement> {
  const estate = await theEstate();
  const revoked = revokedCertificates();
  const rounds = quick ? 2 : 5;
  const seconds: number[] = [];
  let octets = 0;
  await buildCrl(estate, revoked.slice(0, REVOKED / 10));
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    octets = (await buildCrl(estate, revoked)).length;
    seconds.push((performance.now() - start) / 1000);
  }
  return { ...summarize(seconds, 's', rounds, {}, false), entries: REVOKED, octets };
}

export const certificateBenchmarks: readonly Benchmark[] = [
  {
    name: 'cert.issue',
    what: 'plan, TBSCertificate, lint, signature, assembly, on one core without a database; second check of signatures as policy says, of all, of none; "signature alone" = engine.sign of the same octets',
    async run(options) {
      const { issue, sign } = await issuing();
      const peers = {
        'signature alone': sign,
        'all checked': () => issue('all'),
        'none checked': () => issue('none'),
        ...(await bouncyCastle('certificate')),
      };
      const measured = await compare(() => issue(POLICIES.issuance.signatureCheck), peers, options);
      return { ...measured, unit: 'certificates/s' };
    },
  },
  {
    name: 'crl.build.100k',
    what: 'a CRL of 100,000 entries from its revoked certificates in memory: sorted, encoded, linted, signed, signature checked twice',
    run: largeCrl,
  },
];
