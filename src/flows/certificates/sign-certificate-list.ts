import { assembleCertificateList } from '../../x509/crl.ts';
import type { LintedCrl } from '../../x509/lint/lint-tbs-cert-list.ts';
import { signChecked, type ObjectSigner } from './sign-checked.ts';

/**
 * Signs a CRL that passed its lint. Its signature is checked by a second implementation before it leaves.
 * @returns the CRL, DER.
 * @throws KmcError E_LINT when the linted object was spent before; E_INTEGRITY from the second check.
 */
export async function signCertificateList(signer: ObjectSigner, linted: LintedCrl): Promise<Buffer> {
  const tbs = linted.redeem();
  return assembleCertificateList(tbs, signer.algorithm, await signChecked(signer, tbs));
}
