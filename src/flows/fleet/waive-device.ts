import { auditText } from '../../domain/audit/detail.ts';
import { newId, ID } from '../../domain/id.ts';
import {
  plainText,
  readSignedTime,
  requireMembers,
  signedTimeText,
  textLike,
  type SignedObject,
} from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';

interface WaiverParameters {
  readonly upgrade: string;
  readonly region: string;
  readonly until: string;
  readonly reason: string;
}

/** Days that a waiver lasts at most, and how many a device gets in one upgrade: one renewal (A.5). */
const LONGEST_DAYS = 90;
const MOST_WAIVERS = 2;
const DAY_MS = 86_400_000;

function readParameters(params: SignedObject): WaiverParameters {
  const checks = {
    upgrade: textLike(ID, 'the id of a root upgrade'),
    region: textLike(/^[0-9]{6}$/, 'the code of a region'),
    until: signedTimeText,
    reason: plainText(256),
  };
  requireMembers<WaiverParameters>(params, checks, 'waiver of a device');
  return params;
}

/** The device, when it may be waived; what is asked for may be granted again at the time of the execution. */
async function requireWaivable(
  reader: Reader,
  id: string,
  { upgrade, region }: WaiverParameters,
): Promise<{ readonly device: DeviceRow; readonly number: number }> {
  const device = await reader.devices.find(id);
  if (device?.region !== region) {
    throw new KmcError('E_NOT_FOUND', 'There is no device of that id in the region of the request.', {
      concealed: device !== undefined,
    });
  }
  if (!(await reader.fleet.isMember(upgrade, id)) || device.status === 'decommissioned') {
    throw new KmcError('E_STATE', 'The device is not counted in that upgrade: there is nothing to waive.');
  }
  const number = (await reader.fleet.waivers(upgrade, id)).length + 1;
  if (number <= MOST_WAIVERS) return { device, number };
  throw new KmcError('E_STATE', 'The waiver of this device was renewed once: fix the device or decommission it.');
}

/** @throws KmcError E_TIME for an end that is past, or more than 90 days from `at`. */
function requireEnd({ until }: WaiverParameters, at: Date): Date {
  const end = readSignedTime(until);
  if (end !== undefined && end > at && end.getTime() - at.getTime() <= LONGEST_DAYS * DAY_MS) return end;
  throw new KmcError('E_TIME', `A waiver ends at most ${LONGEST_DAYS} days after it is granted, and not before.`);
}

/**
 * The act `device.waive`: takes one device out of the denominator of an upgrade until a stated end, at most 90 days ahead;
 * it may be renewed once. Target `device/<id>`; parameters `upgrade`, `region`, `until`, `reason`.
 */
export function waiveDevice(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId, params) {
      const device = await reader.devices.find(targetId);
      if (device === undefined) return ABSENT;
      // Its firmware may change while people decide; another waiver must not.
      const { upgrade } = readParameters(params);
      return { state: device.status, version: String((await reader.fleet.waivers(upgrade, targetId)).length) };
    },
    async check(reader, targetId, params) {
      await requireWaivable(reader, targetId, readParameters(params));
    },
    async prepare({ request, actor, source, approvals, at }) {
      const parameters = readParameters(request.params);
      const { upgrade, reason, region } = parameters;
      const endsAt = requireEnd(parameters, at);
      const id = request.target.split('/')[1] ?? '';
      const [waiver, event] = [newId('waiv', at), newId('ev', at)];
      return async (tx) => {
        const { device, number } = await requireWaivable(tx, id, parameters);
        const inserted = await tx.fleet.insertWaiver({
          id: waiver,
          upgradeId: upgrade,
          deviceId: id,
          number,
          reason,
          requestId: request.id,
          grantedAt: at,
          endsAt,
          lastAuditEvent: event,
        });
        if (!inserted) throw new KmcError('E_STALE', 'Another waiver of the device came first. Make a new request.');
        await tx.audit.append(
          {
            id: event,
            action: 'device.waive',
            outcome: 'success',
            subjects: [{ type: 'device', id, version: device.version }],
            terms: [{ type: 'fleet', id: upgrade }],
            actor,
            source,
            approvals,
            detail: { region, request: request.id, note: auditText(reason), to: `waived-${number}` },
          },
          at,
        );
        return { waiver, device: id, upgrade, number: String(number), until: parameters.until };
      };
    },
  };
}
