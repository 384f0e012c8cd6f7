/** Rules over what only the signed whole shows: signatures, and the order of the certificates of a TLCP file. */
import type { Certificate } from '../certificate.ts';
import type { CertificateList } from '../crl.ts';
import { verifySignedBy } from '../path/issuer-signature.ts';
import type { Rule } from './rule.ts';

export interface SignedView {
  readonly object: Certificate | CertificateList;
  /** Whose key must have signed it; absent when that certificate is not given. */
  readonly issuer: Certificate | undefined;
}

/** Rules over one signed certificate or CRL and its issuer. */
export const SIGNED_RULES: readonly Rule<SignedView>[] = [
  {
    id: 'e_signature_verifies',
    severity: 'error',
    cites: 'RFC 5280 §6.1.3 (a)(1) and §6.3.3 (g), GM/T 0009 (SM2 with the ID 1234567812345678)',
    check: ({ object, issuer }) =>
      issuer === undefined || verifySignedBy(object, issuer)
        ? undefined
        : 'the signature does not verify under the key of the issuer',
  },
  {
    id: 'w_issuer_not_given',
    severity: 'warning',
    cites: 'RFC 5280 §6.1',
    check: ({ object, issuer }) =>
      issuer === undefined
        ? `its issuer ${object.issuer.text} is not given: what compares with it was left out`
        : undefined,
  },
];

/** The certificates of a TLCP file in their order, with an encryption certificate among them. */
export interface TlcpFileView {
  readonly certificates: readonly Certificate[];
}

function isEncryption({ keyUsage }: Certificate): boolean {
  return keyUsage?.includes('keyEncipherment') === true && !keyUsage.includes('digitalSignature');
}

function isCa({ basicConstraints }: Certificate): boolean {
  return basicConstraints?.ca === true;
}

/** True for a file that holds an SM2 pair: the rules of TLCP are for it. */
export function isTlcpFile(certificates: readonly Certificate[]): boolean {
  const ends = certificates.filter((certificate) => !isCa(certificate) && certificate.keyAlgorithm === 'SM2');
  return ends.length >= 2 && ends.some(isEncryption);
}

/** Rules over the whole of a TLCP file. */
export const TLCP_FILE_RULES: readonly Rule<TlcpFileView>[] = [
  {
    id: 'e_tlcp_two_end_entities',
    severity: 'error',
    cites: 'GB/T 38636 (certificate message), GM/T 0024',
    check: ({ certificates }) =>
      certificates.filter((certificate) => !isCa(certificate)).length === 2
        ? undefined
        : 'there must be one signing and one encryption certificate',
  },
  {
    id: 'e_tlcp_order',
    severity: 'error',
    cites: 'GB/T 38636 (certificate message: signing, encryption, then the CA chain)',
    check({ certificates }) {
      const [sign, enc, ...chain] = certificates;
      const ordered =
        sign !== undefined && enc !== undefined && !isCa(sign) && !isEncryption(sign) && isEncryption(enc);
      return ordered && chain.every(isCa)
        ? undefined
        : 'the signing certificate must come first, then the encryption certificate, then the CA certificates';
    },
  },
  {
    id: 'e_tlcp_chain',
    severity: 'error',
    cites: 'GB/T 38636 (certificate message), RFC 5246 §7.4.2 (each certifies the one before)',
    check({ certificates }) {
      const [leaf] = certificates;
      const chain = certificates.filter(isCa);
      const broken = chain.some((issuer, depth) => {
        const below = depth === 0 ? leaf : chain[depth - 1];
        return below !== undefined && !issuer.subject.der.equals(below.issuer.der);
      });
      return broken ? 'each CA certificate must be the issuer of the one before it' : undefined;
    },
  },
  {
    id: 'e_tlcp_all_sm2',
    severity: 'error',
    cites: 'GM/T 0024 (TLCP peers refuse other algorithms)',
    check: ({ certificates }) =>
      certificates.every(
        ({ keyAlgorithm, signatureAlgorithm }) => keyAlgorithm === 'SM2' && signatureAlgorithm === 'SM2-SM3',
      )
        ? undefined
        : 'every key and signature must be SM2',
  },
];
