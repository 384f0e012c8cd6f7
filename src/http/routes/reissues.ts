/** Mass re-enrolment in a root upgrade: lists of orders, and how far they and the whole fleet have come. */
import { z } from 'zod';
import type { ReissueOrder } from '../../domain/fleet/reissue-order.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { DEVICE_READERS } from '../../flows/devices/device-access.ts';
import { orderReissue, ORDERS_LIMIT } from '../../flows/fleet/order-reissue.ts';
import { readReissue } from '../../flows/fleet/read-reissue.ts';
import { route, type Route } from '../route.ts';
import { BASE64, DIGEST, ID, REGION } from '../schemas.ts';
import type { ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/root-upgrades/:id';
const TAG = 'fleet';
const NAMED = z.strictObject({ id: ID });
/** Those who run an upgrade. */
const RUNNERS: readonly RoleName[] = ['ca-owner', 'security-administrator', 'system-administrator'];

const ORDER = z.strictObject({
  device: ID,
  csr: BASE64,
  certificate: DIGEST,
  signature: BASE64.describe('by the key of that certificate over "KMC-REISSUE-V1" 0x00 || CSR'),
});

function orderOf(order: z.output<typeof ORDER>): ReissueOrder {
  const { device, csr, certificate, signature } = order;
  return {
    deviceId: device,
    csr: Buffer.from(csr, 'base64'),
    certificateSm3: certificate,
    signature: Buffer.from(signature, 'base64'),
  };
}

function orderRoute(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'orderReissue',
      method: 'post',
      path: `${PATH}/reissues`,
      tag: TAG,
      summary: 'Re-issues for a list of devices in the background; each order is signed by the key that its device has',
      access: { persons: RUNNERS },
      idempotent: true,
      params: NAMED,
      body: z.strictObject({
        orders: z.array(ORDER).min(1).max(ORDERS_LIMIT),
        perMinute: z
          .string()
          .regex(/^[1-9][0-9]{0,4}$/)
          .default('1200')
          .describe('devices in a minute at most'),
      }),
      answers: { 201: { description: 'taken in', schema: z.object({ id: ID, orders: z.string() }) } },
      async handle({ params, body, caller, requestId }) {
        const orders = body.orders.map(orderOf);
        const input = { upgradeId: params.id, orders, perMinute: Number(body.perMinute), requestId };
        const { id } = await orderReissue(instance, caller, input);
        const location = `/api/v1/root-upgrades/${params.id}/reissues/${id}`;
        return { status: 201, headers: { location }, json: { id, orders: String(orders.length) } };
      },
    }),
  ];
}

/** Routes of mass re-enrolment. */
export function reissueRoutes(instance: ServedInstance): Route[] {
  return [
    ...orderRoute(instance),
    route({
      operationId: 'getReissueProgress',
      method: 'get',
      path: `${PATH}/reissues`,
      tag: TAG,
      summary: 'Gateways in service with a pair of the new generation, by region',
      access: { persons: DEVICE_READERS },
      params: NAMED,
      answers: {
        200: {
          description: 'counts as text',
          schema: z.object({
            regions: z.array(z.object({ region: REGION, reissued: z.string(), total: z.string() })),
          }),
        },
      },
      async handle({ params }) {
        const counts = await instance.database.read(async (reader) => {
          const rootSm3 = await reader.fleet.rootOf(params.id);
          return rootSm3 === undefined ? undefined : await reader.reissues.progress(rootSm3);
        });
        if (counts === undefined) throw new KmcError('E_NOT_FOUND', 'No device is counted in an upgrade of that id.');
        const regions = counts.map(({ region, reissued, total }) => ({
          region,
          reissued: String(reissued),
          total: String(total),
        }));
        return { status: 200, json: { regions } };
      },
    }),
    route({
      operationId: 'getReissue',
      method: 'get',
      path: `${PATH}/reissues/:job`,
      tag: TAG,
      summary: 'How far a list has come, by region, and the first orders that were refused',
      access: { persons: DEVICE_READERS },
      params: NAMED.extend({ job: ID }),
      answers: {
        200: {
          description: 'counts as text',
          schema: z.object({ total: z.string(), issued: z.string(), refused: z.string(), waiting: z.string() }),
        },
      },
      async handle({ params }) {
        const progress = await instance.database.read((reader) => readReissue(reader, params.id, params.job));
        return { status: 200, json: progress };
      },
    }),
  ];
}
