import { oneOf, requireMembers, textLike, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import { eventIds } from '../audit/events/event-ids.ts';
import { isRevocable, recordRevocation } from '../certificates/record-revocation.ts';
import type { RevocationReason } from '../ports/certificates.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import { deviceDetail } from './device-row.ts';

const REASONS = [
  'cessationOfOperation',
  'superseded',
  'affiliationChanged',
  'privilegeWithdrawn',
  'keyCompromise',
] as const satisfies readonly RevocationReason[];

interface DecommissionParameters {
  readonly region: string;
  readonly reason: (typeof REASONS)[number];
}

/** Rows that one read takes at most; what is left is read again. */
const PAGE = 100;

function readParameters(params: SignedObject): DecommissionParameters {
  const checks = { region: textLike(/^[0-9]{6}$/, 'the code of a region'), reason: oneOf(REASONS) };
  requireMembers<DecommissionParameters>(params, checks, 'decommissioning of a device');
  return params;
}

async function requireInService(reader: Reader, id: string, region: string): Promise<DeviceRow> {
  const device = await reader.devices.find(id);
  if (device?.region !== region) {
    throw new KmcError('E_NOT_FOUND', 'There is no device of that id in the region of the request.', {
      concealed: device !== undefined,
    });
  }
  if (device.status === 'decommissioned') throw new KmcError('E_STATE', 'The device is decommissioned already.');
  return device;
}

interface Effect {
  readonly device: DeviceRow;
  readonly reason: RevocationReason;
  readonly nextId: () => string;
}

/** Revokes whatever certificate of the device stands, page after page. @returns how many. */
async function revokeStanding(tx: Transaction, act: ApprovedAct, { device, reason, nextId }: Effect): Promise<number> {
  const { actor, source, approvals, at } = act;
  let revoked = 0;
  for (const status of ['good', 'on-hold'] as const) {
    for (;;) {
      const rows = await tx.certificates.list({ deviceId: device.id, status }, { limit: PAGE });
      if (rows.length === 0) break;
      for (const row of rows.filter((each) => isRevocable(each, reason))) {
        const auditEvent = nextId();
        await recordRevocation(tx, row, {
          reason,
          invalidityDate: undefined,
          auditEvent,
          at,
          actor,
          source,
          approvals,
        });
        revoked += 1;
      }
    }
  }
  return revoked;
}

/** Makes the unused tokens worthless. @returns how many. */
async function revokeTokens(tx: Transaction, act: ApprovedAct, { device, nextId }: Effect): Promise<number> {
  let revoked = 0;
  for (const token of await tx.enrolmentTokens.liveOf(device.id)) {
    if (token.state !== 'issued' || !(await tx.enrolmentTokens.revoke(token.id))) continue;
    await tx.audit.append(
      {
        id: nextId(),
        action: 'token.revoke',
        outcome: 'success',
        subjects: [{ type: 'token', id: token.id }],
        terms: [{ type: 'device', id: device.id }],
        actor: act.actor,
        source: act.source,
        detail: { device: device.id, region: device.region, request: act.request.id },
      },
      act.at,
    );
    revoked += 1;
  }
  return revoked;
}

/**
 * The act `device.decommission`: takes a device out of service for good. Its certificates are revoked, on-hold ones too,
 * its unused tokens are worthless, it is not given its keys a second time, and it neither enrols nor calls the API again; its keys stay bound to it, so that no
 * other device takes them. Target `device/<id>`; parameters `region` and `reason` (a CRLReason of RFC 5280 5.3.1).
 */
export function decommissionDevice(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const device = await reader.devices.find(targetId);
      return device === undefined ? ABSENT : { state: device.status, version: String(device.version) };
    },
    async check(reader, targetId, params) {
      await requireInService(reader, targetId, readParameters(params).region);
    },
    async prepare(act) {
      const { region, reason } = readParameters(act.request.params);
      const id = act.request.target.split('/')[1] ?? '';
      const ids = eventIds(act.at);
      return async (tx) => {
        const nextId = ids();
        const device = await requireInService(tx, id, region);
        if (!(await tx.devices.setStatus(id, device.version, 'decommissioned', act.at))) {
          throw new KmcError('E_STALE', 'The device changed at the same time. Make a new request.');
        }
        const effect = { device, reason, nextId };
        const certificates = await revokeStanding(tx, act, effect);
        const tokens = await revokeTokens(tx, act, effect);
        await tx.enrolments.closeOf(id, act.at);
        await tx.audit.append(
          {
            id: nextId(),
            action: 'device.decommission',
            outcome: 'success',
            subjects: [{ type: 'device', id, version: device.version + 1 }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: {
              ...deviceDetail(device),
              count: certificates,
              from: device.status,
              to: 'decommissioned',
              reason,
              request: act.request.id,
            },
          },
          act.at,
        );
        return { device: id, state: 'decommissioned', certificates: String(certificates), tokens: String(tokens) };
      };
    },
  };
}
