import { auditActor, type Caller } from '../../domain/caller.ts';
import { requireOrderSigned, type ReissueOrder } from '../../domain/fleet/reissue-order.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { ReissueItemRow, ReissueJobRow } from '../ports/reissues.ts';

export interface OrderReissueInput {
  readonly upgradeId: string;
  readonly orders: readonly ReissueOrder[];
  /** Devices in a minute at most. */
  readonly perMinute: number;
  readonly requestId?: string;
}

/** Orders in one list at most. */
export const ORDERS_LIMIT = 1_000;

/** Each order is of a device that is there, under a certificate of it. @throws KmcError E_NOT_FOUND, E_SIGNATURE, E_SCHEMA. */
async function requireGenuine(reader: Reader, orders: readonly ReissueOrder[]): Promise<void> {
  if (new Set(orders.map(({ deviceId }) => deviceId)).size < orders.length) {
    throw new KmcError('E_SCHEMA', 'A device stands in the list twice.');
  }
  for (const [at, order] of orders.entries()) {
    const row = await reader.certificates.findByDigest(order.certificateSm3);
    const pointers = [{ pointer: `/orders/${at}`, detail: `the order of ${order.deviceId}` }];
    if (row?.certificate === undefined || row.deviceId !== order.deviceId) {
      throw new KmcError('E_NOT_FOUND', `The device ${order.deviceId} has no such certificate.`, { pointers });
    }
    try {
      requireOrderSigned(order, parseCertificate(row.certificate).spki);
    } catch (cause) {
      if (!(cause instanceof KmcError)) throw cause;
      throw new KmcError('E_SIGNATURE', `The order of ${order.deviceId} was not signed by its key.`, {
        cause,
        pointers,
      });
    }
  }
}

/**
 * Takes a list of devices that are to get pairs of the generation that is issued now. Each brings a request that it signed
 * with the key it has. The service issues in the background, batch by batch, and each device gets its answer by sending the
 * same request.
 * @throws KmcError E_SCHEMA (a device twice, none, or more than 1,000), E_NOT_FOUND, E_SIGNATURE, E_CERT.
 */
export async function orderReissue(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { upgradeId, orders, perMinute, requestId }: OrderReissueInput,
): Promise<ReissueJobRow> {
  if (orders.length < 1 || orders.length > ORDERS_LIMIT) {
    throw new KmcError('E_SCHEMA', `A list holds 1 to ${ORDERS_LIMIT} orders.`);
  }
  const at = ports.clock.now();
  await ports.database.read((reader) => requireGenuine(reader, orders));
  const id = newId('reis', at);
  const row: ReissueJobRow = {
    id,
    upgradeId,
    perMinute,
    createdBy: 'id' in caller ? caller.id : caller.type,
    createdAt: at,
    workedAt: new Date(0),
    lastAuditEvent: newId('ev', at),
  };
  const items = orders.map(({ deviceId, csr, signature, certificateSm3 }): ReissueItemRow => ({
    jobId: id,
    deviceId,
    csr,
    signature,
    certificateSm3,
    state: 'waiting',
    code: undefined,
    doneAt: undefined,
  }));
  await ports.database.transaction(async (tx) => {
    await tx.reissues.insertJob(row, items);
    await tx.audit.append(
      {
        id: row.lastAuditEvent,
        action: 'fleet.reissue',
        outcome: 'success',
        subjects: [{ type: 'fleet', id: upgradeId }],
        actor: auditActor(caller),
        source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { upgrade: upgradeId, count: items.length },
      },
      at,
    );
  });
  return row;
}
