import { createDigests } from '../../../crypto/digests.ts';
import { outputFile } from '../../../domain/ceremony/bundle-files.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { readSignedTime } from '../../../domain/signed-body.ts';
import { KmcError } from '../../../errors.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { encodeTbsCertList, parseCertificateList } from '../../../x509/crl.ts';
import { EXTENSIONS, extensionOf } from '../../../x509/extensions.ts';
import { crlFindings, lintTbsCertList } from '../../../x509/lint/lint-tbs-cert-list.ts';
import { verifySignedBy } from '../../../x509/path/issuer-signature.ts';
import { certificateIssuerOf } from '../../authorities/issuing-authority.ts';
import type { ObjectSigner } from '../../certificates/sign-checked.ts';
import { signCertificateList } from '../../certificates/sign-certificate-list.ts';
import { plannedIssuer, windowStart } from '../ceremony-certificate.ts';
import { requireSigned, signProven } from '../sign-proven.ts';
import type { Planning, StepAct } from '../step-act.ts';

/** Signs a CRL of a root that holds no entry. A restricted key may do this too. */
export const signCrl: StepAct = {
  plan(planning, step) {
    const issuer = plannedIssuer(planning, stepText(step, 'issuer-certificate'));
    return {
      number: stepText(step, 'number'),
      nextUpdate: stepText(step, 'next-update'),
      ...(issuer === undefined ? {} : { tbs: tbsOf(planning, step, issuer).toString('base64') }),
    };
  },
  async act(run, step) {
    const issuer = run.certificate(stepText(step, 'issuer-certificate'));
    const key = await run.ceremonyKeystore().rootKey(stepText(step, 'issuer'));
    if (!key.spki.equals(issuer.spki)) throw new KmcError('E_KEY', 'The root key is not that of the certificate.');
    const { signatureAlgorithm } = certificateIssuerOf(stepText(step, 'issuer'), issuer);
    const build = () => {
      const tbs = tbsOf(run.facts, step, issuer);
      const linted = lintTbsCertList(tbs, { issuer });
      return { tbs, sign: (signer: ObjectSigner) => signCertificateList(signer, linted) };
    };
    const name = stepText(step, 'out');
    const before = run.leftover(step, name);
    if (before !== undefined) requireSigned(before, build().tbs, key.spki, { look: lookAt(issuer) });
    const crl = before ?? (await signProven(run, key, signatureAlgorithm, { build, look: lookAt(issuer) }));
    const file = run.write(name, crl);
    return {
      text: `signed ${outputFile(name)}`,
      files: [file],
      facts: { number: stepText(step, 'number'), digest: createDigests(crl).sm3 },
    };
  },
};

/** Reads a signed CRL again: its lint, and its signature under a key. */
function lookAt(issuer: Certificate) {
  return (der: Buffer, spki: Buffer): Buffer => {
    const list = parseCertificateList(der);
    const isSound = !crlFindings(list, { issuer }).some(({ severity }) => severity === 'error');
    if (isSound && verifySignedBy(list, { spki })) return list.tbs;
    throw new KmcError('E_INTEGRITY', 'A CRL that was just signed does not hold. Stop the ceremony.');
  };
}

function tbsOf(planning: Planning, step: CeremonyStep, issuer: Certificate): Buffer {
  const nextUpdate = readSignedTime(stepText(step, 'next-update'));
  if (nextUpdate === undefined) throw new KmcError('E_LINT', 'The CRL states no next update.');
  const { name, keyIdentifier, signatureAlgorithm } = certificateIssuerOf(stepText(step, 'issuer'), issuer);
  return encodeTbsCertList({
    signatureAlgorithm,
    issuer: name,
    thisUpdate: windowStart(planning),
    nextUpdate,
    entries: [],
    extensions: [
      extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier }),
      extensionOf(EXTENSIONS.crlNumber, BigInt(stepText(step, 'number'))),
    ],
  });
}
