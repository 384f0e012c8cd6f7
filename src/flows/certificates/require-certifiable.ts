import { KmcError } from '../../errors.ts';
import type { KeyUse } from '../ports/blocked-keys.ts';
import type { Reader, Transaction } from '../ports/database.ts';

/** Who already holds the key, as far as that is allowed to go on. */
export interface KnownHolder {
  /** The device whose own certificates may stand over the key. */
  readonly deviceId?: string;
}

/** A device's key may be certified for it again, unless a certificate over it was revoked. */
function isOwnUse({ kind, deviceId, status }: KeyUse, holder: KnownHolder): boolean {
  const isDevices = kind === 'certificate' || kind === 'device';
  return isDevices && status !== 'revoked' && deviceId !== undefined && deviceId === holder.deviceId;
}

/**
 * Refuses a public key that may not be certified for this holder: blocked for good, of a certification authority or of a
 * key of this service, escrowed (only the service gives those certificates), of a person, of another device, or of a
 * certificate that was revoked.
 * @param spki `sm3:<hex>` of the subjectPublicKeyInfo.
 * @throws KmcError E_KEY_BLOCKED, with one text for every reason.
 */
export async function requireCertifiable(reader: Reader, spki: string, holder: KnownHolder = {}): Promise<void> {
  await requireAllCertifiable(reader, new Map([[spki, holder]]));
}

function blocked(): KmcError {
  return new KmcError('E_KEY_BLOCKED', 'This public key may not be certified here: make a new key pair.');
}

/** As `requireCertifiable` for 1 to 50 keys, each with its holder, in one look. @throws KmcError E_KEY_BLOCKED. */
async function requireAllCertifiable(reader: Reader, keys: ReadonlyMap<string, KnownHolder>): Promise<void> {
  const uses = await reader.blockedKeys.usesOf(...keys.keys());
  if (uses.some((use) => !isOwnUse(use, keys.get(use.spkiSm3) ?? {}))) throw blocked();
}

/** Who is to hold a key: the device whose certificates stand over it, or the one certificate. */
export type KeyHolder = { readonly deviceId: string } | { readonly certificateId: string };

/**
 * Looks as `requireCertifiable` and claims the keys (1 to 50) for their holders, in the transaction that records their
 * certificates: of two at the same time, in whatever process, one gets the key.
 * @throws KmcError E_KEY_BLOCKED.
 */
export async function claimKeys(tx: Transaction, keys: ReadonlyMap<string, KeyHolder>): Promise<void> {
  const claims = [...keys].map(([spki, holder]) => ({
    spkiSm3: spki,
    holder: 'deviceId' in holder ? `device/${holder.deviceId}` : `certificate/${holder.certificateId}`,
  }));
  if (!(await tx.blockedKeys.claim(claims))) throw blocked();
  const known = [...keys].map(([spki, holder]) => [spki, 'deviceId' in holder ? holder : {}] as const);
  await requireAllCertifiable(tx, new Map<string, KnownHolder>(known));
}
