/** Nothing is signed that was not linted: a TBSCertList becomes a `LintedCrl`, and only that goes to signing. */
import { KmcError } from '../../errors.ts';
import { parseTbsCertList } from '../crl.ts';
import type { TbsCertList } from '../crl.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import { CRL_RULES } from './crl-rules.ts';
import { LintedObject } from './linted-object.ts';
import { refuseErrors, requireKnownRules, runRules } from './rule.ts';
import type { Finding } from './rule.ts';

export interface CrlLintOptions {
  /** The certificate of the CRL's issuer; without it the rules that compare with it find nothing. */
  readonly issuer?: TbsCertificate;
  /** The number of the last CRL of the same scope. */
  readonly previousNumber?: bigint;
  /** Ids of rules that the ceremony file exempts, with its reasons. */
  readonly skip?: readonly string[];
}

/** What the rules find in a CRL, errors and warnings. Throws `E_LINT` for an id in `skip` that is no rule. */
export function crlFindings(crl: TbsCertList, options: CrlLintOptions = {}): Finding[] {
  const { issuer, previousNumber, skip = [] } = options;
  requireKnownRules(skip, CRL_RULES);
  return runRules(CRL_RULES, { crl, issuer, previousNumber }, skip);
}

/** A TBSCertList that passed the lint. Only `lintTbsCertList` makes one. */
export class LintedCrl extends LintedObject {
  private constructor(tbs: Buffer, warnings: readonly Finding[]) {
    super(tbs, warnings);
  }

  /** See `lintTbsCertList`. */
  static lint(tbs: Buffer, options: CrlLintOptions): LintedCrl {
    return new LintedCrl(tbs, refuseErrors(crlFindings(parsedForLint(tbs), options), 'CRL'));
  }
}

function parsedForLint(tbs: Buffer): TbsCertList {
  try {
    return parseTbsCertList(tbs);
  } catch (cause) {
    if (!(cause instanceof KmcError)) throw cause;
    throw new KmcError('E_LINT', `The CRL to be signed is not well-formed. ${cause.message}`, { cause });
  }
}

/**
 * Lints the DER of a TBSCertList that is about to be signed. Throws `E_LINT` with the ids of the rules it breaks; gives
 * what signing takes otherwise.
 */
export function lintTbsCertList(tbs: Buffer, options: CrlLintOptions = {}): LintedCrl {
  return LintedCrl.lint(tbs, options);
}
