import type { Caller } from '../../domain/caller.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Database } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import { visibleDevice } from './device-access.ts';

export interface ShownDevice {
  readonly device: DeviceRow;
  /** Its certificates, oldest first, at most 100. */
  readonly certificates: readonly CertificateRow[];
}

/** A device with its certificates. @throws KmcError E_NOT_FOUND (absent, or of another region), E_FORBIDDEN. */
export async function showDevice(
  ports: { readonly database: Database },
  caller: Caller,
  deviceId: string,
): Promise<ShownDevice> {
  return await ports.database.read(async (reader) => {
    const device = await visibleDevice(reader, deviceId, caller);
    return { device, certificates: await reader.certificates.list({ deviceId }, { limit: 100 }) };
  });
}
