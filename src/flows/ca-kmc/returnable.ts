/** What requests of GM/T 0014 must state so that a private key can be returned as asked. */
import type { ContentAlgorithm } from '../../crypto/engine.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { CONTENT_ALGORITHMS } from '../../crypto/gm/signed-enveloped.ts';
import { sm2PointFromSpki, spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import type { ReturnAlgorithms } from '../../x509/ca-kmc/request.ts';
import type { KeyUse } from '../ports/blocked-keys.ts';
import type { Reader } from '../ports/database.ts';

/** The name of SM4-ECB to return a key under; nothing when one of the algorithms is not served. */
export function returnedUnder({ asymmetric, symmetric, hash }: ReturnAlgorithms): ContentAlgorithm | undefined {
  if (asymmetric !== OID.sm2Encrypt || hash !== OID.sm3) return undefined;
  return CONTENT_ALGORITHMS.find((name) => name === symmetric);
}

/** Keys that no user has: nobody's private key is enveloped to them. */
const NO_USERS: readonly KeyUse['kind'][] = ['blocked', 'authority', 'ca-key', 'escrowed', 'person'];

/** True for an SM2 key (SPKI, DER) that a user may have. */
export async function isUserKey(reader: Reader, spki: Buffer): Promise<boolean> {
  try {
    sm2PointFromSpki(spki);
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
  const uses = await reader.blockedKeys.usesOf(spkiSm3(spki));
  return !uses.some(({ kind }) => NO_USERS.includes(kind));
}
