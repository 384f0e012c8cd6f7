import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import { deviceDetail } from './device-row.ts';

async function requireOfRegion(reader: Reader, id: string, region: unknown): Promise<DeviceRow> {
  const device = await reader.devices.find(id);
  if (device !== undefined && device.region === region) return device;
  throw new KmcError('E_NOT_FOUND', 'There is no device of that id in the region of the request.', {
    concealed: device !== undefined,
  });
}

/** True for a device that was registered and waits for its approval: suspended before it ever enrolled. */
export function waitsForApproval(device: DeviceRow): boolean {
  return device.status === 'suspended' && device.spkiSm3 === undefined;
}

/**
 * The act `device.register-marked`: lets a device enrol whose profile is marked in policy. Target `device/<id>`;
 * parameters `region` and `profile`, as registered.
 */
export function registerMarkedDevice(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const device = await reader.devices.find(targetId);
      return device === undefined ? ABSENT : { state: device.status, version: String(device.version) };
    },
    async check(reader, targetId, params) {
      const device = await requireOfRegion(reader, targetId, params['region']);
      if (device.profile !== params['profile']) {
        throw new KmcError('E_SCHEMA', 'params.profile is not the profile that the device was registered with.');
      }
      if (!waitsForApproval(device)) throw new KmcError('E_STATE', 'The device does not wait for an approval.');
    },
    async prepare(act: ApprovedAct) {
      const id = act.request.target.split('/')[1] ?? '';
      const event = newId('ev', act.at);
      return async (tx) => {
        const device = await requireOfRegion(tx, id, act.request.params['region']);
        const approved = await tx.devices.setStatus(id, device.version, 'registered', act.at);
        if (!approved) throw new KmcError('E_STALE', 'The device changed at the same time. Make a new request.');
        await tx.audit.append(
          {
            id: event,
            action: 'device.update',
            outcome: 'success',
            subjects: [{ type: 'device', id, version: device.version + 1 }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: { ...deviceDetail(device), from: device.status, request: act.request.id, to: 'registered' },
          },
          act.at,
        );
        return { device: id };
      };
    },
  };
}
