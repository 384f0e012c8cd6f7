/** Certificates on one core without a database. */
import { certificateIssuerOf } from '../../src/flows/authorities/issuing-authority.ts';
import { prepareCertificate } from '../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../src/flows/certificates/sign-certificate.ts';
import type { SignatureCheck } from '../../src/domain/policy.ts';
import { newSerialNumber } from '../../src/domain/serial-number.ts';
import { encodeName } from '../../src/x509/name.ts';
import { POLICIES, theEstate } from '../../test/fixtures/estate.ts';
import { compare, type Benchmark } from './harness.ts';
import { bouncyCastle } from './programs.ts';

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
      { ...facts, region: '110000', serialNumber: newSerialNumber() },
      ca.certificate,
    ).linted;
  const tbs = prepare().redeem();
  return {
    issue: (signatureCheck) => signCertificate(signer, prepare(), { ...POLICIES.issuance, signatureCheck }),
    sign: () => engine.sign(ca.key, 'SM2-SM3', tbs),
  };
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
];
