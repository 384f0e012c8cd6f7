/** The one-time token in Authorization: Basic with the serial number as user, or Bearer. Over HTTPS only. */
import { KmcError } from '../errors.ts';
import type { TokenCredential } from '../flows/enrolments/enrol-by-token-credential.ts';

const BASIC = /^Basic +([A-Za-z0-9+/]{1,400}={0,2})$/i;
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,200})$/i;
const COLON = 0x3a;

/**
 * Reads the field; undefined when there is none.
 * @throws KmcError E_UNAUTHENTICATED for a scheme or a form that is not known.
 */
export function readCredential(field: string | undefined): TokenCredential | undefined {
  if (field === undefined) return undefined;
  const basic = BASIC.exec(field)?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, 'base64');
    const colon = pair.indexOf(COLON);
    if (colon > 0) return { serial: pair.toString('utf8', 0, colon), token: pair.subarray(colon + 1) };
  }
  const bearer = BEARER.exec(field)?.[1];
  if (bearer !== undefined) return { serial: undefined, token: Buffer.from(bearer, 'ascii') };
  throw new KmcError('E_UNAUTHENTICATED', 'Send Basic with serial number and token, or Bearer with the token.');
}
