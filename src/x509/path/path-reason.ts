import type { Certificate } from '../certificate.ts';

interface PathRuleFacts {
  /** Where the rule stands. */
  readonly cites: string;
  /** True for rules on how certificates are to be made, which estates from before them may break (`legacy`). */
  readonly profile?: true;
}

/** Every rule a path can break. */
export const PATH_RULES = {
  'no-path': { cites: 'RFC 5280 6.1' },
  'search-limit': { cites: 'RFC 4158' },
  signature: { cites: 'RFC 5280 6.1.3 (a)(1)' },
  'weak-signature': { cites: 'RFC 6194', profile: true },
  'chain-algorithm': { cites: 'GM/T 0024' },
  'not-yet-valid': { cites: 'RFC 5280 6.1.3 (a)(2)' },
  expired: { cites: 'RFC 5280 6.1.3 (a)(2)' },
  'serial-number': { cites: 'RFC 5280 4.1.2.2' },
  'not-a-ca': { cites: 'RFC 5280 6.1.4 (k)' },
  'path-length': { cites: 'RFC 5280 6.1.4 (l)' },
  'key-cert-sign': { cites: 'RFC 5280 6.1.4 (n)' },
  'ca-inconsistent': { cites: 'RFC 5280 4.2.1.9' },
  'unknown-critical': { cites: 'RFC 5280 6.1.4 (o)' },
  'name-constraints': { cites: 'RFC 5280 6.1.3 (b)(c)' },
  'name-constraints-unsupported': { cites: 'RFC 5280 4.2.1.10' },
  'name-constraints-place': { cites: 'RFC 5280 4.2.1.10', profile: true },
  'wrong-criticality': { cites: 'RFC 5280 4.2', profile: true },
  'authority-key-identifier': { cites: 'RFC 5280 4.2.1.1', profile: true },
  'subject-key-identifier': { cites: 'RFC 5280 4.2.1.2', profile: true },
  'purpose-ca': { cites: 'RFC 5280 4.2.1.9' },
  'purpose-key-usage': { cites: 'RFC 5280 4.2.1.3' },
  'purpose-extended-key-usage': { cites: 'RFC 5280 4.2.1.12' },
  revoked: { cites: 'RFC 5280 6.3.3' },
  'crl-missing': { cites: 'RFC 5280 6.3.3' },
  'crl-scope': { cites: 'RFC 5280 6.3.3 (b)' },
  'crl-signature': { cites: 'RFC 5280 6.3.3 (g)' },
  'crl-issuer': { cites: 'RFC 5280 6.3.3 (f)' },
  'crl-not-yet-valid': { cites: 'RFC 5280 5.1.2.4' },
  'crl-stale': { cites: 'RFC 5280 5.1.2.5' },
  'crl-number': { cites: 'RFC 5280 5.2.3' },
  'crl-unknown-critical': { cites: 'RFC 5280 5.2' },
} as const satisfies Readonly<Record<string, PathRuleFacts>>;
export type PathRule = keyof typeof PATH_RULES;

const FACTS: Readonly<Record<PathRule, PathRuleFacts>> = PATH_RULES;

/** One reason why a path is refused. */
export interface PathReason {
  readonly rule: PathRule;
  /** The clause of the rule. */
  readonly cites: string;
  /** Subject of the certificate concerned, RFC 4514. */
  readonly subject: string;
  /** Its serial number, lower-case hex. */
  readonly serialNumber: string;
  /** For people. */
  readonly detail: string;
}

/** The reason that `certificate` breaks `rule`. */
export function pathReason(rule: PathRule, certificate: Certificate, detail: string): PathReason {
  const { subject, serialNumber } = certificate;
  return { rule, cites: FACTS[rule].cites, subject: subject.text, serialNumber, detail };
}

/** True for a rule that binds only those who issue certificates now. */
export function isProfileRule(rule: PathRule): boolean {
  return FACTS[rule].profile === true;
}

/** True for a certificate whose issuer and subject are the same name (RFC 5280 3.2). */
export function isSelfIssued(certificate: Certificate): boolean {
  return certificate.subject.der.equals(certificate.issuer.der);
}
