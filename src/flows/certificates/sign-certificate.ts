import { CERTIFICATE_KINDS } from '../../x509/lint/certificate-kinds.ts';
import type { LintedTbs } from '../../x509/lint/lint-tbs-certificate.ts';
import { assembleCertificate } from '../../x509/certificate.ts';
import { signChecked, type ObjectSigner } from './sign-checked.ts';

/**
 * Signs a certificate that passed its lint; nothing else can be given to it. The signature over a CA certificate is
 * checked by a second implementation before it leaves.
 * @returns the certificate, DER.
 * @throws KmcError E_LINT when the linted object was spent before; E_INTEGRITY from the second check.
 */
export async function signCertificate(signer: ObjectSigner, linted: LintedTbs): Promise<Buffer> {
  const tbs = linted.redeem();
  const signature = CERTIFICATE_KINDS[linted.kind].ca
    ? await signChecked(signer, tbs)
    : await signer.engine.sign(signer.key, signer.algorithm, tbs);
  return assembleCertificate(tbs, signer.algorithm, signature);
}
