import { decodeDer } from '../../crypto/asn1/der.ts';
import { KmcError } from '../../errors.ts';
import type { ApplyKeyRequest } from '../../x509/ca-kmc/request.ts';
import { encodeName, parseName } from '../../x509/name.ts';

const SEQUENCE_TAG = 0x30;

/**
 * The Name (DER) of the user behind an ApplyKeyReq: userName where it is a Name in DER, a commonName where it is a short
 * text in UTF-8, and one made of userCertNo where there is none. Nothing for octets that are neither.
 */
export function userSubject({ userName, certificateSerial }: ApplyKeyRequest): Buffer | undefined {
  try {
    if (userName === undefined) return encodeName([{ type: 'CN', value: `certificate ${certificateSerial}` }]);
    if (userName[0] === SEQUENCE_TAG && isDer(userName)) return Buffer.from(parseName(userName, 'E_CERT').der);
    const text = userName.toString('utf8');
    return Buffer.from(text, 'utf8').equals(userName) ? encodeName([{ type: 'CN', value: text }]) : undefined;
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

function isDer(bytes: Buffer): boolean {
  try {
    decodeDer(bytes);
    return true;
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
}
