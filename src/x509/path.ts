/** Certification path building and validation (RFC 5280 6, RFC 4158) for SM2, RSA, ECDSA and mixed chains. */
import { KmcError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import type { CertificateList } from './crl.ts';
import { certificateReasons, pathLengthReasons } from './path/certificate-rules.ts';
import { verifySignedBy } from './path/issuer-signature.ts';
import { nameConstraintReasons } from './path/name-constraints.ts';
import { purposeReasons } from './path/path-purpose.ts';
import type { PathPurpose } from './path/path-purpose.ts';
import { isProfileRule, pathReason } from './path/path-reason.ts';
import type { PathReason } from './path/path-reason.ts';
import { revocationReasons } from './path/revocation.ts';

export { PATH_PURPOSES } from './path/path-purpose.ts';
export type { PathPurpose } from './path/path-purpose.ts';
export { PATH_RULES } from './path/path-reason.ts';
export type { PathReason, PathRule } from './path/path-reason.ts';

export interface PathRequest {
  readonly leaf: Certificate;
  /** Certificates that may stand between; they need not be trusted, in order, or of use. */
  readonly intermediates: readonly Certificate[];
  /** Trusted certificates. They must be valid CA certificates, but their own signature is not looked at. */
  readonly anchors: readonly Certificate[];
  /** The time for which the path must be valid. */
  readonly at: Date;
  readonly purpose: PathPurpose;
  /** With it, every certificate but the anchor must be cleared by one of these CRLs. */
  readonly crls?: readonly CertificateList[];
  /** `legacy` forgives what only binds those who issue now (rules with `profile`): for estates from before the upgrade. */
  readonly profile?: 'rfc5280' | 'legacy';
}

/** `path` runs from the leaf to the anchor; in a refusal it is the best one found and may end early. */
export type PathVerdict =
  | { readonly valid: true; readonly path: readonly Certificate[] }
  | { readonly valid: false; readonly path: readonly Certificate[]; readonly reasons: readonly PathReason[] };

interface Candidate {
  readonly chain: readonly Certificate[];
  readonly reachesAnchor: boolean;
  readonly reasons: readonly PathReason[];
}

/** A leaf, seven CAs and an anchor: twice what any estate here has. */
const MAX_CHAIN = 9;
const MAX_INTERMEDIATES = 128;
/** Signature checks while searching; the bound of the time a hostile set of certificates can cost. */
const MAX_SIGNATURE_CHECKS = 128;
const MAX_CANDIDATES = 64;

function isSameKeyHolder(left: Certificate, right: Certificate): boolean {
  return left.subject.der.equals(right.subject.der) && left.spki.equals(right.spki);
}

/** Issuers whose subjectKeyIdentifier fits come first; identifiers are a hint and exclude nobody (RFC 5280 4.2.1.1). */
function hintRank(certificate: Certificate, issuer: Certificate): number {
  if (certificate.akid === undefined || issuer.skid === undefined) return 1;
  return certificate.akid.equals(issuer.skid) ? 0 : 2;
}

class PathSearch {
  readonly #request: PathRequest;
  #signatureChecks = 0;
  #candidates = 0;
  #best: Candidate | undefined;

  constructor(request: PathRequest) {
    this.#request = request;
  }

  /** The first chain without any reason, else the best of those that were tried. */
  run(): Candidate {
    const { leaf, anchors } = this.#request;
    const isAnchor = anchors.some((anchor) => anchor.der.equals(leaf.der));
    const found = isAnchor ? this.#consider([leaf], true, []) : this.#extend([leaf]);
    return found ?? this.#best ?? this.#judge([leaf], false, [this.#limitReason(leaf)]);
  }

  #isExhausted(): boolean {
    return this.#signatureChecks >= MAX_SIGNATURE_CHECKS || this.#candidates >= MAX_CANDIDATES;
  }

  #limitReason(certificate: Certificate): PathReason {
    return pathReason(
      'search-limit',
      certificate,
      'has more possible paths than are searched; give fewer certificates',
    );
  }

  /** Tries every issuer of the last certificate of `chain`; returns the first complete chain without reasons. */
  #extend(chain: readonly Certificate[]): Candidate | undefined {
    const last = chain.at(-1) ?? this.#request.leaf;
    const { anchors, intermediates } = this.#request;
    const issuers = this.#issuersOf(last, anchors);
    for (const anchor of issuers.accepted) {
      const found = this.#consider([...chain, anchor], true, []);
      if (found !== undefined) return found;
    }
    const others = this.#issuersOf(last, intermediates);
    const next = others.accepted.filter((issuer) => !chain.some((certificate) => isSameKeyHolder(certificate, issuer)));
    if (issuers.accepted.length === 0 && next.length === 0) {
      const inCircles = others.accepted.length > 0;
      this.#consider(chain, false, [this.#deadEnd(last, inCircles, issuers.named + others.named)]);
    }
    for (const issuer of next) {
      if (chain.length + 2 > MAX_CHAIN || this.#isExhausted()) {
        this.#consider(chain, false, [this.#limitReason(last)]);
        return undefined;
      }
      const found = this.#extend([...chain, issuer]);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #issuersOf(certificate: Certificate, from: readonly Certificate[]): { accepted: Certificate[]; named: number } {
    const named = from
      .filter((issuer) => issuer.subject.der.equals(certificate.issuer.der))
      .toSorted((left, right) => hintRank(certificate, left) - hintRank(certificate, right));
    const accepted = named.filter((issuer) => {
      if (this.#signatureChecks >= MAX_SIGNATURE_CHECKS) return false;
      this.#signatureChecks += 1;
      return verifySignedBy(certificate, issuer);
    });
    return { accepted, named: named.length };
  }

  #deadEnd(last: Certificate, inCircles: boolean, namedIssuers: number): PathReason {
    if (this.#isExhausted()) return this.#limitReason(last);
    if (inCircles) return pathReason('no-path', last, 'its issuers certify only each other and lead to no trusted one');
    return namedIssuers > 0
      ? pathReason('signature', last, 'its signature does not verify under any certificate of its issuer')
      : pathReason('no-path', last, `its issuer ${last.issuer.text} is neither trusted nor given`);
  }

  #judge(chain: readonly Certificate[], reachesAnchor: boolean, found: readonly PathReason[]): Candidate {
    const { at, purpose, crls, profile } = this.#request;
    const counts = (reason: PathReason): boolean => profile !== 'legacy' || !isProfileRule(reason.rule);
    const reasons = [
      ...found,
      ...chain.flatMap((certificate, index) => {
        const position = { isIssuer: index > 0, isAnchor: reachesAnchor && index === chain.length - 1 };
        return certificateReasons(certificate, position, at);
      }),
      ...pathLengthReasons(chain),
      ...nameConstraintReasons(chain),
      ...purposeReasons(chain, purpose),
      ...(crls === undefined
        ? []
        : chain.flatMap((certificate, index) => {
            const issuer = chain[index + 1];
            return issuer === undefined ? [] : revocationReasons(certificate, issuer, crls, at, counts);
          })),
    ];
    return { chain, reachesAnchor, reasons: reasons.filter(counts) };
  }

  /** Judges a chain and keeps it if it is the best so far; returns it when nothing is wrong with it. */
  #consider(
    chain: readonly Certificate[],
    reachesAnchor: boolean,
    found: readonly PathReason[],
  ): Candidate | undefined {
    if (this.#candidates >= MAX_CANDIDATES) return undefined;
    this.#candidates += 1;
    const candidate = this.#judge(chain, reachesAnchor, found);
    if (this.#best === undefined || isBetter(candidate, this.#best)) this.#best = candidate;
    return reachesAnchor && candidate.reasons.length === 0 ? candidate : undefined;
  }
}

function isBetter(candidate: Candidate, best: Candidate): boolean {
  if (candidate.reachesAnchor !== best.reachesAnchor) return candidate.reachesAnchor;
  if (!candidate.reachesAnchor && candidate.chain.length !== best.chain.length) {
    return candidate.chain.length > best.chain.length;
  }
  return candidate.reasons.length < best.reasons.length;
}

/**
 * Looks for a path from `leaf` to one of `anchors` that breaks no rule at the time `at` and for `purpose`. Names are
 * compared octet by octet; SM2 signatures are verified with the default ID. When there is none, the verdict holds every
 * reason against the best path found. Bounds: 9 certificates a path, 128 intermediates, 128 signature checks. Never throws
 * for what certificates hold; `E_SIZE` for more intermediates.
 */
export function validatePath(request: PathRequest): PathVerdict {
  if (request.intermediates.length > MAX_INTERMEDIATES) {
    throw new KmcError('E_SIZE', `At most ${MAX_INTERMEDIATES} intermediate certificates are accepted.`);
  }
  const { chain, reachesAnchor, reasons } = new PathSearch(request).run();
  if (reachesAnchor && reasons.length === 0) return { valid: true, path: chain };
  return { valid: false, path: chain, reasons };
}

/** The path of `validatePath`. Throws `E_CERT` naming every reason when there is no valid one, `E_SIZE` likewise. */
export function requireValidPath(request: PathRequest): readonly Certificate[] {
  const verdict = validatePath(request);
  if (verdict.valid) return verdict.path;
  const texts = verdict.reasons.map(({ subject, detail, cites }) => `${subject} ${detail} (${cites})`);
  throw new KmcError('E_CERT', `The certificate chain is not acceptable: ${texts.join('; ')}.`);
}
