import { KmcError } from '../../errors.ts';
import {
  openAuthority,
  requireSigningAuthority,
  type IssuingAuthority,
  type SigningAuthorityRow,
} from '../authorities/issuing-authority.ts';
import { requireIssuingPeriod } from '../authorities/require-issuing-period.ts';
import type { Instance } from '../instance.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { Reader } from '../ports/database.ts';
import { authorityChain } from './enrolment-answer.ts';

export type DeviceAuthorityPorts = Pick<Instance, 'clock' | 'engine' | 'keystore' | 'policies'>;

/** The authority that issues to devices now, with the certificates (DER) from it up to its root. */
export interface DeviceAuthority {
  readonly row: SigningAuthorityRow;
  readonly chain: readonly Buffer[];
  /** It speaks GM/T 0014: keys may have been applied for before their devices enrol. */
  readonly appliesForKeys: boolean;
}

/** For so long a newer authority may be passed over. That the one in use is still in service is looked at each time. */
const REMEMBERED_MS = 5_000;

interface Remembered extends DeviceAuthority {
  readonly until: number;
  /** Once it was opened. */
  opened?: IssuingAuthority;
}

/** The authority that was last found with each keystore; versions of rows tell whether it still is what it was. */
const REMEMBERED = new WeakMap<ServiceKeystore, Remembered>();

/**
 * The SM2 issuing CA in service; of several the newest, as after a root upgrade.
 * @throws KmcError E_STATE when there is none, E_INTEGRITY.
 */
export async function findDeviceAuthority(ports: DeviceAuthorityPorts, reader: Reader): Promise<DeviceAuthority> {
  const now = ports.clock.now().getTime();
  const known = REMEMBERED.get(ports.keystore);
  if (known !== undefined && now < known.until) {
    const present = await reader.authorities.find(known.row.id);
    if (present?.version === known.row.version) return known;
  }
  const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
  const [newest] = rows
    .filter(({ algorithm }) => algorithm === 'SM2')
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (newest === undefined) throw new KmcError('E_STATE', 'No SM2 issuing CA is in service yet.');
  const row = await requireSigningAuthority(reader, newest.id, 'certificates');
  const found = {
    row,
    chain: await authorityChain(reader, newest.id),
    // Registering it raises the version of the authority, so that this does not stay unseen.
    appliesForKeys: (await reader.communicationCertificates.activeOf(newest.id)) !== undefined,
    until: now + REMEMBERED_MS,
  };
  REMEMBERED.set(ports.keystore, found);
  return found;
}

/**
 * The authority with its key, which comes from the keystore each time: that may be sealed by now. Called outside of any
 * `read` or `transaction`, as `openAuthority`.
 * @throws KmcError E_SEALED, E_NOT_FOUND, E_INTEGRITY; E_PERIOD when its key issues no longer.
 */
export async function openDeviceAuthority(
  ports: DeviceAuthorityPorts,
  { row }: DeviceAuthority,
): Promise<IssuingAuthority> {
  requireIssuingPeriod(ports, row, ports.clock.now());
  const known = REMEMBERED.get(ports.keystore);
  const opened = known?.row === row ? known.opened : undefined;
  if (opened !== undefined) {
    const key = await ports.keystore.caKey(row.keyId);
    return { ...opened, signer: { ...opened.signer, key } };
  }
  const authority = await openAuthority(ports, row);
  if (known?.row === row) known.opened = authority;
  return authority;
}
