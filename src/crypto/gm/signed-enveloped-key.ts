/**
 * A private key as SignedAndEnvelopedData (GM/T 0010), in the shape of the packages that CAs hand out: the content is 32
 * zero octets and d under SM4-ECB without padding, and the key management centre signs these 64 octets.
 */
import { KmcError } from '../../errors.ts';
import { OID } from '../asn1/oids.ts';
import { wipe } from '../bytes.ts';
import { makeKeyEnvelope, openKeyEnvelope, paddedScalar, type KeyEnvelope, type Sm2KeyPair } from './key-envelope.ts';
import {
  encodeSignedAndEnveloped,
  parseSignedAndEnveloped,
  type ContentAlgorithm,
  type SignedAndEnvelopedData,
} from './signed-enveloped.ts';

/** Whom the key goes to. */
export interface PackageRecipient {
  /** 65 octets. */
  readonly point: Buffer;
  /** IssuerAndSerialNumber, DER. */
  readonly identifier: Buffer;
}

/** Who signs the package. */
export interface PackageSigner {
  /** DER SEQUENCE { r, s } over the content. */
  readonly sign: (content: Buffer) => Buffer;
  /** IssuerAndSerialNumber of the signer's certificate, DER. */
  readonly identifier: Buffer;
  /** Certificates to go with it, DER each. */
  readonly certificates: readonly Buffer[];
}

/**
 * The bare SignedAndEnvelopedData of a key pair.
 * @throws KmcError E_KEY (d out of range or not of this point), E_POINT (recipient).
 */
export function encodeSignedEnvelopedKey(
  pair: Sm2KeyPair,
  recipient: PackageRecipient,
  signer: PackageSigner,
  contentAlgorithm: ContentAlgorithm = OID.sm4,
): Buffer {
  const { wrappedKey, encryptedScalar } = makeKeyEnvelope(pair, recipient.point);
  const content = paddedScalar(pair.scalar);
  try {
    return encodeSignedAndEnveloped({
      recipient: { identifier: recipient.identifier, encryptedKey: wrappedKey },
      contentAlgorithm,
      encryptedContent: encryptedScalar,
      certificates: signer.certificates,
      signer: { identifier: signer.identifier, signature: signer.sign(content) },
    });
  } finally {
    wipe(content);
  }
}

/**
 * The envelope inside a package, with or without ContentInfo; a package does not say the public point (65 octets) itself.
 * @throws KmcError E_DER, E_SIZE.
 */
export function parseSignedEnvelopedKey(der: Buffer, point: Buffer): KeyEnvelope {
  return envelopeIn(parseSignedAndEnveloped(der), point);
}

/**
 * Opens a package with the recipient's d. `verify` says whether the signature is the key management centre's over the
 * content. The caller wipes `scalar`.
 * @throws KmcError E_SIGNATURE; E_DER, E_SIZE (structure), and what `openKeyEnvelope` throws.
 */
export function openSignedEnvelopedKey(
  recipientScalar: Buffer,
  der: Buffer,
  point: Buffer,
  verify: (content: Buffer, signature: Buffer) => boolean,
): Sm2KeyPair {
  const keyPackage = parseSignedAndEnveloped(der);
  return openKeyEnvelope(recipientScalar, envelopeIn(keyPackage, point), (content) => {
    if (verify(content, keyPackage.signer.signature)) return;
    throw new KmcError('E_SIGNATURE', 'The package with the private key is not signed by the key management centre.');
  });
}

function envelopeIn({ recipient, encryptedContent }: SignedAndEnvelopedData, point: Buffer): KeyEnvelope {
  return { point, wrappedKey: recipient.encryptedKey, encryptedScalar: encryptedContent };
}
