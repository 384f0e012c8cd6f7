import { planCertificate, type CertificateFacts } from '../../domain/profile.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { encodeTbsCertificate } from '../../x509/certificate.ts';
import { lintTbsCertificate, type LintedTbs } from '../../x509/lint/lint-tbs-certificate.ts';
import type { Certificate } from '../../x509/certificate.ts';

export interface PreparedCertificate {
  /** What signing takes, with the TBSCertificate and its fields as they were linted. */
  readonly linted: LintedTbs;
  readonly profile: string;
  readonly facts: CertificateFacts;
}

/** What is known of a certificate to be. `region` is that of its device: it fixes the CRL shard where the profile has shards. */
export type PreparationFacts = Omit<CertificateFacts, 'shard'> & { readonly region?: string };

/**
 * Plans a certificate under a profile of policy, writes its TBSCertificate and lints it.
 * @param issuer the issuer's certificate, for the rules that compare with it; absent for one that signs itself.
 * @param skip ids of rules that a ceremony file exempts, with its reasons.
 * @throws KmcError E_POLICY (no such profile, or the facts do not fit it), E_LINT naming the broken rules.
 */
export function prepareCertificate(
  policies: PolicySet,
  profile: string,
  { region, ...given }: PreparationFacts,
  issuer?: Certificate,
  skip: readonly string[] = [],
): PreparedCertificate {
  const rules = Object.hasOwn(policies.profiles, profile) ? policies.profiles[profile] : undefined;
  if (rules === undefined) throw new KmcError('E_POLICY', `Policy has no certificate profile ${profile}.`);
  const facts = rules.crlShards && region !== undefined ? { ...given, shard: region } : given;
  const plan = planCertificate(rules, policies.publication, facts);
  const linted = lintTbsCertificate(encodeTbsCertificate(plan), rules.kind, {
    skip,
    ...(issuer === undefined ? {} : { issuer }),
  });
  return { linted, profile, facts };
}
