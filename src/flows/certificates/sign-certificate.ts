import { randomBytes } from '../../crypto/random.ts';
import type { IssuanceLimits, SignatureCheck } from '../../domain/policy.ts';
import { CERTIFICATE_KINDS } from '../../x509/lint/certificate-kinds.ts';
import type { LintedTbs } from '../../x509/lint/lint-tbs-certificate.ts';
import { assembleCertificate } from '../../x509/certificate.ts';
import { signChecked, type ObjectSigner } from './sign-checked.ts';

/** Whether this signature over an end-entity certificate is checked. */
const IS_CHECKED: Readonly<Record<SignatureCheck, (sampleOneIn: number) => boolean>> = {
  all: () => true,
  sampled: (sampleOneIn) => randomBytes(4).readUInt32BE() % sampleOneIn === 0,
  none: () => false,
};

/**
 * Signs a certificate that passed its lint; nothing else can be given to it. A second implementation checks the signature
 * before it leaves: over a CA certificate always, over another one as `limits` say, and always without them.
 * @returns the certificate, DER.
 * @throws KmcError E_LINT when the linted object was spent before; E_INTEGRITY from the second check.
 */
export async function signCertificate(
  signer: ObjectSigner,
  linted: LintedTbs,
  limits: IssuanceLimits = { signatureCheck: 'all', sampleOneIn: 1 },
): Promise<Buffer> {
  const tbs = linted.redeem();
  const checked = CERTIFICATE_KINDS[linted.kind].ca || IS_CHECKED[limits.signatureCheck](limits.sampleOneIn);
  const signature = checked
    ? await signChecked(signer, tbs)
    : await signer.engine.sign(signer.key, signer.algorithm, tbs);
  return assembleCertificate(tbs, signer.algorithm, signature);
}
