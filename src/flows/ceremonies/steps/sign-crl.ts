import { createDigests } from '../../../crypto/digests.ts';
import { outputFile } from '../../../domain/ceremony/bundle-files.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { readSignedTime } from '../../../domain/signed-body.ts';
import { KmcError } from '../../../errors.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { encodeTbsCertList, parseCertificateList } from '../../../x509/crl.ts';
import { EXTENSIONS, extensionOf } from '../../../x509/extensions.ts';
import { lintTbsCertList } from '../../../x509/lint/lint-tbs-cert-list.ts';
import { verifySignedBy } from '../../../x509/path/issuer-signature.ts';
import { certificateIssuerOf } from '../../authorities/issuing-authority.ts';
import { signCertificateList } from '../../certificates/sign-certificate-list.ts';
import { plannedIssuer, windowStart } from '../ceremony-certificate.ts';
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
    const tbs = tbsOf(run.facts, step, issuer);
    const key = await run.ceremonyKeystore().rootKey(stepText(step, 'issuer'));
    if (!key.spki.equals(issuer.spki)) throw new KmcError('E_KEY', 'The root key is not that of the certificate.');
    const algorithm = certificateIssuerOf(stepText(step, 'issuer'), issuer).signatureAlgorithm;
    const name = stepText(step, 'out');
    const linted = lintTbsCertList(tbs, { issuer });
    const crl = run.leftover(step, name) ?? (await signCertificateList({ engine: run.engine, key, algorithm }, linted));
    const { tbs: signed, ...list } = parseCertificateList(crl);
    if (!signed.equals(tbs) || !verifySignedBy({ tbs: signed, ...list }, issuer)) {
      throw new KmcError('E_INTEGRITY', 'The CRL that was just signed does not hold. Stop the ceremony.');
    }
    const file = run.write(name, crl);
    return {
      text: `signed ${outputFile(name)}`,
      files: [file],
      facts: { number: stepText(step, 'number'), digest: createDigests(crl).sm3 },
    };
  },
};

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
