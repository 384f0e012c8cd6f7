import { auditText } from '../../domain/audit/detail.ts';
import { readDeviceBatch } from '../../domain/device.ts';
import { newId } from '../../domain/id.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type ApplyAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import { admitRegistrations } from '../registration-authorities/admit-registrations.ts';
import { authorityOfRegion, deviceDetail, deviceRow, registrationEvent } from './device-row.ts';

type BatchPorts = Pick<Instance, 'policies' | 'database'>;

async function rowsOf(
  { policies }: BatchPorts,
  reader: Reader,
  params: SignedObject,
  by: { person: string; at: Date },
): Promise<DeviceRow[]> {
  const { region, devices, count } = params;
  if (typeof region !== 'string') throw new KmcError('E_SCHEMA', 'params.region is missing.');
  const registrations = readDeviceBatch(devices);
  if (count !== String(registrations.length)) {
    throw new KmcError('E_SCHEMA', 'params.count is not the number of devices in the batch.');
  }
  const authority = await authorityOfRegion(policies, reader, region);
  return registrations.map((registration) => deviceRow(policies, registration, authority, by));
}

async function prepare(ports: BatchPorts, act: ApprovedAct): Promise<ApplyAct> {
  const batch = act.request.target.split('/')[1] ?? '';
  const by = { person: act.request.proposer, at: act.at };
  const rows = await ports.database.read((reader) => rowsOf(ports, reader, act.request.params, by));
  const events = rows.map((row) => ({
    ...registrationEvent(row, {
      id: newId('ev', act.at),
      actor: act.actor,
      source: act.source,
      approvals: act.approvals,
    }),
    detail: {
      ...deviceDetail(row),
      batch,
      request: act.request.id,
      to: row.status,
      vendor: auditText(row.vendor),
    },
  }));
  return async (tx) => {
    await admitRegistrations(tx, rows, act.at);
    await tx.devices.insertAll(rows);
    for (const event of events) await tx.audit.append(event, act.at);
    return { batch, count: String(rows.length), devices: rows.map(({ id }) => id) };
  };
}

/**
 * The act `device.register-batch`: registers up to 500 devices of one region. Target `batch/<id>`; parameters `region`,
 * `count`, and `devices`: the complete registrations, so that approvers sign what is registered. Its approvals are the
 * second pair of eyes that a marked profile asks for. Tokens are issued device by device afterwards.
 */
export function registerDeviceBatch(ports: BatchPorts): DatabaseHandler {
  return {
    kind: 'database',
    async target() {
      return ABSENT;
    },
    async check(reader, _targetId, params) {
      await rowsOf(ports, reader, params, { person: 'proposer', at: new Date(0) });
    },
    prepare: (act) => prepare(ports, act),
  };
}
