/** The linter for files: whatever certificates, requests and CRLs are in them, each by the rules of its type and kind. */
import { children, decodeDer } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../certificate.ts';
import { parseCertificateList, type CertificateList } from '../crl.ts';
import { parseCsr } from '../csr.ts';
import { isSelfIssued } from '../path/path-reason.ts';
import { isTlcpFile, SIGNED_RULES, TLCP_FILE_RULES } from './chain-rules.ts';
import type { CertificateKind } from './certificate-kinds.ts';
import { certificateFindings } from './lint-tbs-certificate.ts';
import { crlFindings } from './lint-tbs-cert-list.ts';
import { PAIR_RULES } from './lint-pair.ts';
import { REQUEST_RULES } from './request-rules.ts';
import { runRules, type Finding } from './rule.ts';

export type LintedType = 'certificate' | 'request' | 'crl' | 'pair';

export interface ObjectReport {
  readonly type: LintedType;
  /** The kind of certificate whose rules were applied. */
  readonly kind?: CertificateKind;
  /** Subject of a certificate or request, issuer of a CRL; absent when it cannot be read. */
  readonly name?: string;
  readonly findings: readonly Finding[];
}

export interface LintObjectsOptions {
  /** For every certificate; without it the kind is told by what the certificate says. */
  readonly kind?: CertificateKind;
  /** Certificates of issuers, besides those among the objects. */
  readonly issuers?: readonly Certificate[];
}

const TIME_TAGS: readonly number[] = [0x17, 0x18];
const READ: Readonly<Record<Exclude<LintedType, 'pair'>, Pick<Finding, 'id' | 'cites'>>> = {
  certificate: { id: 'e_certificate_form', cites: 'RFC 5280 §4.1, GM/T 0015-2012 (basic certificate), X.690 (DER)' },
  request: { id: 'e_request_form', cites: 'RFC 2986 §4, X.690 (DER)' },
  crl: { id: 'e_crl_form', cites: 'RFC 5280 §5.1, GM/T 0015-2012 (CRL), X.690 (DER)' },
};

/** What an object is, by the shape of its signed part; what has none of the shapes is taken for a certificate. */
function typeOf(der: Buffer): Exclude<LintedType, 'pair'> {
  try {
    const [tbs] = children(decodeDer(der, { maxBytes: der.length }));
    const tags = tbs === undefined ? [] : children(tbs).map(({ tag }) => tag);
    if (tags.some((tag) => TIME_TAGS.includes(tag))) return 'crl';
    return tags[0] !== 0xa0 && tags.at(-1) === 0xa0 && tags.length === 4 ? 'request' : 'certificate';
  } catch (error) {
    if (error instanceof KmcError) return 'certificate';
    throw error;
  }
}

/** What a certificate is for, as it says itself. */
export function kindOf(certificate: Certificate): CertificateKind {
  const { basicConstraints, keyAlgorithm, keyUsage = [], extendedKeyUsage = [] } = certificate;
  const isRsa = keyAlgorithm === 'RSA';
  if (basicConstraints?.ca === true) {
    if (!isSelfIssued(certificate)) return isRsa ? 'legacy-issuing' : 'issuing';
    return isRsa ? 'legacy-root' : keyAlgorithm === 'EC-P256' ? 'transport-root' : 'root';
  }
  if (extendedKeyUsage.includes(OID.ocspSigning)) return 'ocsp';
  if (keyAlgorithm === 'EC-P256') return 'transport';
  if (isRsa) return 'legacy';
  const isForTls = extendedKeyUsage.includes(OID.serverAuth);
  if (keyUsage.includes('digitalSignature')) return isForTls ? 'gateway-sign' : 'application';
  return isForTls || extendedKeyUsage.length === 0 ? 'gateway-enc' : 'evidence';
}

class ObjectLinter {
  readonly #options: LintObjectsOptions;
  readonly #certificates: Certificate[] = [];

  constructor(options: LintObjectsOptions) {
    this.#options = options;
  }

  lint(objects: readonly Buffer[]): ObjectReport[] {
    // All are read before any is looked at: one may be the issuer of another.
    const reports = objects.map((der) => this.#read(der)).map((report) => report());
    return [...reports, ...this.#pairReport()];
  }

  #read(der: Buffer): () => ObjectReport {
    const type = typeOf(der);
    try {
      if (type === 'request') return this.#requestReport(der);
      if (type === 'crl') return this.#crlReport(parseCertificateList(der));
      const certificate = parseCertificate(der);
      this.#certificates.push(certificate);
      return () => this.#certificateReport(certificate);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      const finding = { ...READ[type], severity: 'error' as const, text: error.message };
      return () => ({ type, findings: [finding] });
    }
  }

  /** By name; where several have it, by key identifier. */
  #issuerOf({ issuer, akid }: Certificate | CertificateList): Certificate | undefined {
    const known = [...this.#certificates, ...(this.#options.issuers ?? [])];
    const named = known.filter((certificate) => certificate.subject.der.equals(issuer.der));
    return named.find(({ skid }) => akid !== undefined && skid?.equals(akid) === true) ?? named[0];
  }

  #certificateReport(certificate: Certificate): ObjectReport {
    const kind = this.#options.kind ?? kindOf(certificate);
    const issuer = this.#issuerOf(certificate);
    const compared = issuer === undefined || isSelfIssued(certificate) ? {} : { issuer };
    const findings = [
      ...certificateFindings(certificate, kind, compared),
      ...runRules(SIGNED_RULES, { object: certificate, issuer }),
    ];
    return { type: 'certificate', kind, name: certificate.subject.text, findings };
  }

  #requestReport(der: Buffer): () => ObjectReport {
    const request = parseCsr(der);
    return () => ({ type: 'request', name: request.subject.text, findings: runRules(REQUEST_RULES, request) });
  }

  #crlReport(crl: CertificateList): () => ObjectReport {
    return () => {
      const issuer = this.#issuerOf(crl);
      const findings = [
        ...crlFindings(crl, issuer === undefined ? {} : { issuer }),
        ...runRules(SIGNED_RULES, { object: crl, issuer }),
      ];
      return { type: 'crl', name: crl.issuer.text, findings };
    };
  }

  #pairReport(): ObjectReport[] {
    const certificates = this.#certificates;
    if (!isTlcpFile(certificates)) return [];
    const [sign, enc] = certificates.filter(({ basicConstraints }) => basicConstraints?.ca !== true);
    const pair = sign === undefined || enc === undefined ? [] : runRules(PAIR_RULES, { sign, enc });
    return [{ type: 'pair', findings: [...runRules(TLCP_FILE_RULES, { certificates }), ...pair] }];
  }
}

/**
 * Lints the objects (DER) of a file, in their order: certificates by the rules of RFC 5280 and GM/T 0015 for their kind,
 * requests, CRLs, and the pair of a TLCP file as a whole. What cannot be read is a finding too. Never throws for what the
 * objects hold.
 */
export function lintObjects(objects: readonly Buffer[], options: LintObjectsOptions = {}): ObjectReport[] {
  return new ObjectLinter(options).lint(objects);
}
