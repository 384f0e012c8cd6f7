/** A rule over one certificate to be signed. */
import type { TbsCertificate } from '../tbs-certificate.ts';
import type { CertificateKind, CertificateKindFacts } from './certificate-kinds.ts';
import type { Rule } from './rule.ts';

export interface CertificateView {
  readonly certificate: TbsCertificate;
  readonly kind: CertificateKind;
  readonly facts: CertificateKindFacts;
  /** The certificate of the issuer, where there is one besides this. */
  readonly issuer: TbsCertificate | undefined;
}

export interface CertificateRule extends Rule<CertificateView> {
  readonly kinds: readonly CertificateKind[];
}
