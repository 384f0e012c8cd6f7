/** The files of a signature over the closing: the signature itself, and what `openssl` needs to verify it. */
import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { encodePem } from '../../crypto/asn1/pem.ts';
import { signatureFile } from './bundle-files.ts';
import { encodeSeatSignature, seatSignatureBytes, type SeatSignature } from './seat-signature.ts';

/**
 * Names and contents: `json` (the signature file), `bin` (the octets that are signed), `sig` (DER), `pem` (certificate).
 * @throws KmcError E_DER, E_POINT for a signature that cannot be one.
 */
export function signatureFiles(signature: SeatSignature): { readonly name: string; readonly bytes: Buffer }[] {
  const { seat, certSm3 } = signature.body;
  const contents = {
    json: encodeSeatSignature(signature),
    bin: seatSignatureBytes(signature.body),
    sig: SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(signature.signature, 'base64')),
    pem: Buffer.from(encodePem('CERTIFICATE', Buffer.from(signature.certificate, 'base64')), 'utf8'),
  };
  return Object.entries(contents).map(([ending, bytes]) => ({ name: signatureFile(seat, certSm3, ending), bytes }));
}
