/** Nothing is signed that was not linted: a TBSCertificate becomes a `LintedTbs`, and only that goes to signing. */
import { KmcError } from '../../errors.ts';
import { parseTbsCertificate } from '../tbs-certificate.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import { ACCESS_RULES } from './access-rules.ts';
import { ALL_KINDS, CERTIFICATE_KINDS } from './certificate-kinds.ts';
import type { CertificateKind } from './certificate-kinds.ts';
import type { CertificateRule } from './certificate-rule.ts';
import { FIELD_RULES } from './field-rules.ts';
import { IDENTIFIER_RULES } from './identifier-rules.ts';
import { ISSUER_RULES } from './issuer-rules.ts';
import { LintedObject } from './linted-object.ts';
import { refuseErrors, requireKnownRules, runRules } from './rule.ts';
import type { Finding } from './rule.ts';
import { USAGE_RULES } from './usage-rules.ts';

/** Every rule for certificates. */
export const CERTIFICATE_RULES: readonly CertificateRule[] = [
  ...FIELD_RULES,
  ...USAGE_RULES,
  ...IDENTIFIER_RULES,
  ...ACCESS_RULES,
  ...ISSUER_RULES,
];

const RULES_BY_KIND: ReadonlyMap<CertificateKind, readonly CertificateRule[]> = new Map(
  ALL_KINDS.map((kind) => [kind, CERTIFICATE_RULES.filter(({ kinds }) => kinds.includes(kind))]),
);

export interface CertificateLintOptions {
  /** The issuer's certificate; without it the rules that compare with it find nothing. */
  readonly issuer?: TbsCertificate;
  /** Ids of rules that the ceremony file exempts, with its reasons. */
  readonly skip?: readonly string[];
}

/**
 * What the rules for `kind` find in a certificate, errors and warnings. Throws `E_LINT` for an id in `skip` that is no
 * rule.
 */
export function certificateFindings(
  certificate: TbsCertificate,
  kind: CertificateKind,
  { issuer, skip = [] }: CertificateLintOptions = {},
): Finding[] {
  requireKnownRules(skip, CERTIFICATE_RULES);
  const view = { certificate, kind, facts: CERTIFICATE_KINDS[kind], issuer };
  return runRules(RULES_BY_KIND.get(kind) ?? [], view, skip);
}

/** A TBSCertificate that passed the lint for its kind. Only `lintTbsCertificate` makes one. */
export class LintedTbs extends LintedObject {
  readonly kind: CertificateKind;
  /** The fields that were linted. */
  readonly certificate: TbsCertificate;

  private constructor(certificate: TbsCertificate, kind: CertificateKind, warnings: readonly Finding[]) {
    super(certificate.tbs, warnings);
    this.kind = kind;
    this.certificate = certificate;
  }

  /** See `lintTbsCertificate`. */
  static lint(tbs: Buffer, kind: CertificateKind, options: CertificateLintOptions): LintedTbs {
    const certificate = parsedForLint(tbs);
    const warnings = refuseErrors(certificateFindings(certificate, kind, options), `${kind} certificate`);
    return new LintedTbs(certificate, kind, warnings);
  }
}

function parsedForLint(tbs: Buffer): TbsCertificate {
  try {
    return parseTbsCertificate(tbs);
  } catch (cause) {
    if (!(cause instanceof KmcError)) throw cause;
    throw new KmcError('E_LINT', `The certificate to be signed is not well-formed. ${cause.message}`, { cause });
  }
}

/**
 * Lints the DER of a TBSCertificate that is about to be signed as a `kind` certificate. Throws `E_LINT` with the ids of
 * the rules it breaks; gives what signing takes otherwise.
 */
export function lintTbsCertificate(
  tbs: Buffer,
  kind: CertificateKind,
  options: CertificateLintOptions = {},
): LintedTbs {
  return LintedTbs.lint(tbs, kind, options);
}
