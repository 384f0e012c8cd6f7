import type { KeyAlgorithmName } from '../../crypto/algorithms.ts';
import { TRUST_BUNDLE } from '../../domain/trust/manifest.ts';
import { KmcError } from '../../errors.ts';
import {
  maySign,
  openAuthority,
  requireSigningAuthority,
  type IssuingAuthority,
  type SigningAuthorityRow,
} from '../authorities/issuing-authority.ts';
import { rootKeyOf } from '../authorities/authority-line.ts';
import { requireIssuingPeriod } from '../authorities/require-issuing-period.ts';
import type { Instance } from '../instance.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { Reader } from '../ports/database.ts';
import { authorityChain } from './enrolment-answer.ts';

export type DeviceAuthorityPorts = Pick<Instance, 'clock' | 'database' | 'engine' | 'keystore' | 'policies'>;

/** The authority that issues to devices now, with the certificates (DER) from it up to its root. */
export interface DeviceAuthority {
  readonly row: SigningAuthorityRow;
  readonly chain: readonly Buffer[];
  /** `sm3:<hex>` of the key of its root. */
  readonly rootSm3: string;
  /** Version of the trust bundle that is the newest; 0 while none was published. */
  readonly bundleVersion: number;
  /** It speaks GM/T 0014: keys may have been applied for before their devices enrol. */
  readonly appliesForKeys: boolean;
}

/** For so long a newer authority may be passed over. Whether the one in use is in service is looked at in each transaction. */
const REMEMBERED_MS = 5_000;

interface Remembered {
  readonly authority: Promise<DeviceAuthority>;
  readonly until: number;
}

/**
 * The authority of each hierarchy that was last looked for with each keystore; one look serves all who come at the same
 * time.
 */
const REMEMBERED = new WeakMap<ServiceKeystore, Map<KeyAlgorithmName, Remembered>>();
/** What was opened of an authority, but for its key. */
const OPENED = new WeakMap<DeviceAuthority, IssuingAuthority>();

function rememberedOf(keystore: ServiceKeystore): Map<KeyAlgorithmName, Remembered> {
  const known = REMEMBERED.get(keystore) ?? new Map<KeyAlgorithmName, Remembered>();
  REMEMBERED.set(keystore, known);
  return known;
}

/**
 * The issuing CA of a hierarchy in service; of several the newest, as after a root upgrade. Remembered for a short time:
 * what is issued in its name is recorded together with `requireStillIssuing`.
 * @param hierarchy the kind of key that its authorities sign with: see `hierarchyOf`.
 * @throws KmcError E_STATE when there is none, E_INTEGRITY.
 */
export async function findDeviceAuthority(
  { clock, database, keystore }: DeviceAuthorityPorts,
  hierarchy: KeyAlgorithmName = 'SM2',
): Promise<DeviceAuthority> {
  const now = clock.now().getTime();
  const remembered = rememberedOf(keystore);
  const known = remembered.get(hierarchy);
  if (known !== undefined && now < known.until) return await known.authority;
  const authority = database.read((reader) => newestAuthority(reader, hierarchy));
  remembered.set(hierarchy, { authority, until: now + REMEMBERED_MS });
  try {
    return await authority;
  } catch (error) {
    remembered.delete(hierarchy);
    throw error;
  }
}

async function newestAuthority(reader: Reader, hierarchy: KeyAlgorithmName): Promise<DeviceAuthority> {
  const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
  const [newest] = rows
    .filter(({ algorithm, keyId }) => algorithm === hierarchy && keyId !== undefined)
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (newest === undefined) throw new KmcError('E_STATE', `No ${hierarchy} issuing CA is in service yet.`);
  const row = await requireSigningAuthority(reader, newest.id, 'certificates');
  return {
    row,
    chain: await authorityChain(reader, newest.id),
    rootSm3: await rootKeyOf(reader, newest.id),
    bundleVersion: (await reader.trustBundles.latest(TRUST_BUNDLE))?.version ?? 0,
    // Registering it raises the version of the authority, so that this does not stay unseen.
    appliesForKeys: (await reader.communicationCertificates.activeOf(newest.id)) !== undefined,
  };
}

/**
 * Refuses what was issued in the name of an authority that was revoked, restricted to its CRLs or renewed since it was
 * found; it is not remembered any longer then.
 * @param reader of the transaction that records what was issued.
 * @throws KmcError E_STATE; E_KEY_TAKEN when it applies for keys since, so that there may be another key for the device.
 */
export async function requireStillIssuing(
  keystore: ServiceKeystore,
  reader: Reader,
  { row, appliesForKeys }: DeviceAuthority,
): Promise<void> {
  const present = await reader.authorities.find(row.id);
  if (present?.version === row.version) return;
  rememberedOf(keystore).delete(row.algorithm);
  const isSame =
    present !== undefined &&
    maySign(present, 'certificates') &&
    present.keyId === row.keyId &&
    present.certificate.equals(row.certificate);
  if (isSame) {
    const applies = (await reader.communicationCertificates.activeOf(row.id)) !== undefined;
    if (applies === appliesForKeys) return;
    throw new KmcError('E_KEY_TAKEN', 'The authority may have applied for the key of this device. Choose again.');
  }
  throw new KmcError('E_STATE', 'The certification authority went out of service. Send the same request again.');
}

/**
 * The authority with its key, which comes from the keystore each time: that may be sealed by now. Called outside of any
 * `read` or `transaction`, as `openAuthority`.
 * @throws KmcError E_SEALED, E_NOT_FOUND, E_INTEGRITY; E_PERIOD when its key issues no longer.
 */
export async function openDeviceAuthority(
  ports: DeviceAuthorityPorts,
  found: DeviceAuthority,
): Promise<IssuingAuthority> {
  requireIssuingPeriod(ports, found.row, ports.clock.now());
  const opened = OPENED.get(found);
  if (opened !== undefined) {
    const key = await ports.keystore.caKey(found.row.keyId);
    return { ...opened, signer: { ...opened.signer, key } };
  }
  const authority = await openAuthority(ports, found.row);
  OPENED.set(found, authority);
  return authority;
}
