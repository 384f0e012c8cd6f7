import { KmcError } from '../../errors.ts';
import {
  maySign,
  openAuthority,
  requireSigningAuthority,
  type IssuingAuthority,
  type SigningAuthorityRow,
} from '../authorities/issuing-authority.ts';
import type { Instance } from '../instance.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { Reader } from '../ports/database.ts';
import { authorityChain } from './enrolment-answer.ts';

export type DeviceAuthorityPorts = Pick<Instance, 'clock' | 'database' | 'engine' | 'keystore'>;

/** The authority that issues to devices now, with the certificates (DER) from it up to its root. */
export interface DeviceAuthority {
  readonly row: SigningAuthorityRow;
  readonly chain: readonly Buffer[];
}

/** For so long a newer authority may be passed over. Whether the one in use is in service is looked at in each transaction. */
const REMEMBERED_MS = 5_000;

interface Remembered {
  readonly authority: Promise<DeviceAuthority>;
  readonly until: number;
}

/** The authority that was last looked for with each keystore; one look serves all who come at the same time. */
const REMEMBERED = new WeakMap<ServiceKeystore, Remembered>();
/** What was opened of an authority, but for its key. */
const OPENED = new WeakMap<DeviceAuthority, IssuingAuthority>();

/**
 * The SM2 issuing CA in service; of several the newest, as after a root upgrade. Remembered for a short time: what is
 * issued in its name is recorded together with `requireStillIssuing`.
 * @throws KmcError E_STATE when there is none, E_INTEGRITY.
 */
export async function findDeviceAuthority(ports: DeviceAuthorityPorts): Promise<DeviceAuthority> {
  const { clock, database, keystore } = ports;
  const now = clock.now().getTime();
  const known = REMEMBERED.get(keystore);
  if (known !== undefined && now < known.until) return await known.authority;
  const authority = database.read(newestAuthority);
  REMEMBERED.set(keystore, { authority, until: now + REMEMBERED_MS });
  try {
    return await authority;
  } catch (error) {
    REMEMBERED.delete(keystore);
    throw error;
  }
}

async function newestAuthority(reader: Reader): Promise<DeviceAuthority> {
  const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
  const [newest] = rows
    .filter(({ algorithm }) => algorithm === 'SM2')
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (newest === undefined) throw new KmcError('E_STATE', 'No SM2 issuing CA is in service yet.');
  const row = await requireSigningAuthority(reader, newest.id, 'certificates');
  return { row, chain: await authorityChain(reader, newest.id) };
}

/**
 * Refuses what was issued in the name of an authority that was revoked, restricted to its CRLs or renewed since it was
 * found; it is not remembered any longer then.
 * @param reader of the transaction that records what was issued.
 * @throws KmcError E_STATE.
 */
export async function requireStillIssuing(
  keystore: ServiceKeystore,
  reader: Reader,
  { row }: DeviceAuthority,
): Promise<void> {
  const present = await reader.authorities.find(row.id);
  if (present?.version === row.version) return;
  REMEMBERED.delete(keystore);
  const isSame =
    present !== undefined &&
    maySign(present, 'certificates') &&
    present.keyId === row.keyId &&
    present.certificate.equals(row.certificate);
  if (isSame) return;
  throw new KmcError('E_STATE', 'The certification authority went out of service. Send the same request again.');
}

/**
 * The authority with its key, which comes from the keystore each time: that may be sealed by now. Called outside of any
 * `read` or `transaction`, as `openAuthority`.
 * @throws KmcError E_SEALED, E_NOT_FOUND, E_INTEGRITY.
 */
export async function openDeviceAuthority(
  ports: DeviceAuthorityPorts,
  found: DeviceAuthority,
): Promise<IssuingAuthority> {
  const opened = OPENED.get(found);
  if (opened !== undefined) {
    const key = await ports.keystore.caKey(found.row.keyId);
    return { ...opened, signer: { ...opened.signer, key } };
  }
  const authority = await openAuthority(ports, found.row);
  OPENED.set(found, authority);
  return authority;
}
