/** The fleet of a root upgrade, for people: figures, waivers, and snapshots of the evidence. */
import { z } from 'zod';
import { memberOfLeaf } from '../../domain/fleet/evidence.ts';
import type { ReissueOrder } from '../../domain/fleet/reissue-order.ts';
import { FLEET_LEVELS } from '../../domain/fleet/levels.ts';
import { readinessBody } from '../../domain/fleet/readiness-body.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { createRequest } from '../../flows/approvals/create-request.ts';
import { DEVICE_READERS, visibleDevice } from '../../flows/devices/device-access.ts';
import { orderReissue, ORDERS_LIMIT } from '../../flows/fleet/order-reissue.ts';
import { readReadiness } from '../../flows/fleet/read-readiness.ts';
import { readReissue } from '../../flows/fleet/read-reissue.ts';
import { showEvidence, type ShownLeaf } from '../../flows/fleet/show-evidence.ts';
import { takeSnapshot } from '../../flows/fleet/take-snapshot.ts';
import type { FleetWaiverRow } from '../../flows/ports/fleet.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { BASE64, DIGEST, ID, REGION, TIME, timeText } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/root-upgrades/:id';
const TAG = 'fleet';
const NAMED = z.strictObject({ id: ID });
const GOAL = z.enum(FLEET_LEVELS).default('VERIFIED').describe('the level that the next step asks for');
/** Those who run an upgrade. */
const RUNNERS: readonly RoleName[] = ['ca-owner', 'security-administrator', 'system-administrator'];
/** A waiver is asked for by those who run it, or by the registration authority of the device. */
const WAIVERS: readonly RoleName[] = [...RUNNERS, 'ra-operator'];
const SIGNED_TIME = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'a time YYYY-MM-DDTHH:MM:SSZ');

const COUNTS = z.object({ counted: z.string(), dark: z.string(), reached: z.record(z.string(), z.string()) });
const READINESS = z.object({
  at: TIME,
  goal: z.enum(FLEET_LEVELS),
  overall: COUNTS,
  hub: COUNTS,
  regions: z.array(COUNTS.extend({ region: REGION })),
  stragglers: z.object({ total: z.string(), listed: z.array(z.object({ id: ID })) }),
});
const SNAPSHOT = z.object({ id: ID, digest: DIGEST, members: z.string(), takenAt: TIME });

const ORDER = z.strictObject({
  device: ID,
  csr: BASE64,
  certificate: DIGEST,
  signature: BASE64.describe('by the key of that certificate over "KMC-REISSUE-V1" 0x00 || CSR'),
});

function readinessRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'getFleetReadiness',
    method: 'get',
    path: `${PATH}/readiness`,
    tag: TAG,
    summary:
      'How ready the fleet is: counts for each level, by region, model and wave, and stragglers with their clocks',
    access: { persons: DEVICE_READERS },
    console: true,
    params: NAMED,
    query: z.strictObject({ goal: GOAL, region: REGION.optional() }),
    answers: { 200: { description: 'the figures of now; numbers are text', schema: READINESS } },
    async handle({ params, query }) {
      const at = instance.clock.now();
      const readiness = await instance.database.read(async (reader) => {
        const rootSm3 = await reader.fleet.rootOf(params.id);
        const filter = query.region === undefined ? {} : { region: query.region };
        return rootSm3 === undefined
          ? undefined
          : await readReadiness(reader, { upgradeId: params.id, rootSm3, at }, query.goal, filter);
      });
      if (readiness === undefined) throw new KmcError('E_NOT_FOUND', 'No device is counted in an upgrade of that id.');
      return { status: 200, json: readinessBody(readiness) };
    },
  });
}

function renderedWaiver(row: FleetWaiverRow): object {
  const { id, deviceId, number, reason, requestId, grantedAt, endsAt } = row;
  return {
    id,
    device: deviceId,
    number: String(number),
    reason,
    request: requestId,
    grantedAt: timeText(grantedAt),
    endsAt: timeText(endsAt),
  };
}

function waiverRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'listWaivers',
      method: 'get',
      path: `${PATH}/waivers`,
      tag: TAG,
      summary: 'Waivers that were granted in an upgrade',
      access: { persons: DEVICE_READERS },
      params: NAMED,
      query: z.strictObject(PAGE_QUERY),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(z.object({ id: ID })) }) } },
      async handle({ params, query }) {
        const page = pageOf(query);
        const rows = await instance.database.read((reader) => reader.fleet.listWaivers(params.id, page));
        const path = `/api/v1/root-upgrades/${params.id}/waivers`;
        return listReply(path, {}, page, rows, (row) => row.id, renderedWaiver);
      },
    }),
    route({
      operationId: 'requestWaiver',
      method: 'post',
      path: `${PATH}/waivers`,
      tag: TAG,
      summary: 'Asks for a waiver of one device: the act device.waive, which two others approve',
      access: { persons: WAIVERS },
      idempotent: true,
      params: NAMED,
      body: z.strictObject({ device: ID, until: SIGNED_TIME, reason: z.string().min(1).max(256) }),
      answers: {
        201: { description: 'the open request', schema: z.object({ request: ID, digest: DIGEST, state: z.string() }) },
      },
      async handle({ params, body, caller, requestId }) {
        const { region } = await instance.database.read((reader) => visibleDevice(reader, body.device, caller));
        const { until, reason, device } = body;
        const created = await createRequest(
          instance,
          {
            op: 'device.waive',
            targetId: device,
            params: { upgrade: params.id, region, until, reason },
            reason,
            source: auditSourceOf(instance, requestId),
          },
          caller,
        );
        const { request, digest, words, canonical, state } = created;
        const json = { request: request.id, digest, words, canonical: canonical.toString('base64'), state };
        return { status: 201, headers: { location: `/api/v1/requests/${request.id}` }, json };
      },
    }),
  ];
}

function renderedLeaf({ leaf, certificate, chain }: ShownLeaf): object {
  return {
    leaf,
    ...(certificate === undefined ? {} : { certificate: certificate.toString('base64') }),
    chain: chain.map((der) => der.toString('base64')),
  };
}

function evidenceRoutes(instance: ServedInstance): Route[] {
  const named = NAMED.extend({ snapshot: ID });
  return [
    route({
      operationId: 'takeSnapshot',
      method: 'post',
      path: `${PATH}/evidence`,
      tag: TAG,
      summary: 'Freezes the evidence of the fleet; approvers and the auditor sign the digest',
      access: { persons: RUNNERS },
      idempotent: true,
      params: NAMED,
      body: z.strictObject({ goal: GOAL }),
      answers: { 201: { description: 'the snapshot', schema: SNAPSHOT } },
      async handle({ params, body, caller, requestId }) {
        const input = { upgradeId: params.id, goal: body.goal, requestId };
        const { id, digest, members, takenAt } = await takeSnapshot(instance, caller, input);
        const json = { id, digest, members: String(members), takenAt: timeText(takenAt) };
        return { status: 201, headers: { location: `/api/v1/root-upgrades/${params.id}/evidence/${id}` }, json };
      },
    }),
    route({
      operationId: 'getSnapshot',
      method: 'get',
      path: `${PATH}/evidence/:snapshot`,
      tag: TAG,
      summary: 'A snapshot of the evidence, octet by octet as its digest is made; `latest` is the newest',
      access: { persons: DEVICE_READERS },
      params: named,
      answers: { 200: { description: 'the body', type: 'application/json' } },
      async handle({ params }) {
        const row = await instance.database.read((reader) =>
          params.snapshot === 'latest'
            ? reader.fleet.latestSnapshot(params.id)
            : reader.fleet.snapshot(params.snapshot),
        );
        if (row?.upgradeId !== params.id) throw new KmcError('E_NOT_FOUND', 'There is no such snapshot.');
        return { status: 200, bytes: { type: 'application/json', body: row.body } };
      },
    }),
    route({
      operationId: 'listLeaves',
      method: 'get',
      path: `${PATH}/evidence/:snapshot/leaves`,
      tag: TAG,
      summary: 'The leaves of a snapshot: each member with its signed report and certificates, to verify it offline',
      access: { persons: DEVICE_READERS },
      params: named,
      query: z.strictObject(PAGE_QUERY),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(z.object({})) }) } },
      async handle({ params, query }) {
        const page = pageOf(query);
        const asked = { upgradeId: params.id, snapshotId: params.snapshot };
        const leaves = await showEvidence(instance, asked, page);
        const path = `/api/v1/root-upgrades/${params.id}/evidence/${params.snapshot}/leaves`;
        return listReply(path, {}, page, leaves, ({ leaf }) => memberOfLeaf(leaf).id, renderedLeaf);
      },
    }),
  ];
}

function orderOf(order: z.output<typeof ORDER>): ReissueOrder {
  const { device, csr, certificate, signature } = order;
  return {
    deviceId: device,
    csr: Buffer.from(csr, 'base64'),
    certificateSm3: certificate,
    signature: Buffer.from(signature, 'base64'),
  };
}

function reissueRoutes(instance: ServedInstance): Route[] {
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

/** Routes of the fleet of an upgrade. */
export function upgradeFleetRoutes(instance: ServedInstance): Route[] {
  return [readinessRoute(instance), ...waiverRoutes(instance), ...evidenceRoutes(instance), ...reissueRoutes(instance)];
}
