/** Pools of keys made ahead (备用库): their marks and figures, filling by hand, and what a verified backup releases. */
import { z } from 'zod';
import { KEY_POOLS, POOL_NAMES } from '../../domain/key-pool.ts';
import type { Instance } from '../../flows/instance.ts';
import { listPools, type PoolStatus } from '../../flows/pools/list-pools.ts';
import { refillPool } from '../../flows/pools/refill-pool.ts';
import { releaseBatches } from '../../flows/pools/release-batches.ts';
import { route, type Route } from '../route.ts';
import { ID, TIME, timeText } from '../schemas.ts';

const PATH = '/api/v1/pools';
const READERS = ['ca-operator', 'ca-owner', 'security-administrator', 'system-administrator', 'auditor'] as const;
const NAME = z.strictObject({ name: z.enum(POOL_NAMES) });
const NUMBER = z.int().min(0);

const POOL = z.object({
  name: z.enum(POOL_NAMES),
  algorithm: z.string(),
  usage: z.string(),
  spare: NUMBER.describe('keys that can be issued'),
  generated: NUMBER.describe('keys that wait for a verified backup'),
  low: NUMBER,
  high: NUMBER,
  batch: NUMBER,
  onDemand: z.boolean(),
  needsBackup: z.boolean(),
  belowLow: z.boolean().describe('the alarm'),
  newestBatch: z
    .object({ id: ID, count: NUMBER, generator: z.string(), selfTestedAt: z.string(), createdAt: z.string() })
    .optional(),
});

function rendered({ name, rule, spare, generated, belowLow, newestBatch }: PoolStatus): z.infer<typeof POOL> {
  return {
    name,
    ...KEY_POOLS[name],
    spare,
    generated,
    ...rule,
    belowLow,
    ...(newestBatch === undefined
      ? {}
      : {
          newestBatch: {
            id: newestBatch.id,
            count: newestBatch.count,
            generator: newestBatch.generator,
            selfTestedAt: timeText(newestBatch.selfTestedAt),
            createdAt: timeText(newestBatch.createdAt),
          },
        }),
  };
}

/** Routes of the key pools. */
export function poolRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listPools',
      method: 'get',
      path: PATH,
      tag: 'pools',
      summary: 'Key pools with their marks and what stands in them',
      access: { persons: READERS },
      console: true,
      answers: { 200: { description: 'all pools', schema: z.object({ items: z.array(POOL) }) } },
      async handle() {
        return { status: 200, json: { items: (await listPools(instance)).map(rendered) } };
      },
    }),
    route({
      operationId: 'refillPool',
      method: 'post',
      path: `${PATH}/:name/batches`,
      tag: 'pools',
      summary: 'Makes one batch of a pool now, at most up to its high mark; a full pool answers count 0',
      access: { persons: ['ca-operator'] },
      idempotent: true,
      params: NAME,
      body: z.strictObject({}),
      answers: { 201: { description: 'the batch', schema: z.object({ batch: ID.optional(), count: NUMBER }) } },
      async handle({ params, caller, requestId }) {
        const batch = await refillPool(instance, caller, { pool: params.name, requestId });
        return { status: 201, json: batch === undefined ? { count: 0 } : { batch: batch.batchId, count: batch.count } };
      },
    }),
    route({
      operationId: 'releasePool',
      method: 'post',
      path: `${PATH}/:name/releases`,
      tag: 'pools',
      summary: 'States that a verified backup holds what was made before it: those keys become issuable',
      access: { persons: ['system-administrator'] },
      idempotent: true,
      params: NAME,
      body: z.strictObject({ backup: ID, takenAt: TIME }),
      answers: { 201: { description: 'released', schema: z.object({ batches: NUMBER, keys: NUMBER }) } },
      async handle({ params, body, caller, requestId }) {
        const input = { pool: params.name, backupId: body.backup, takenAt: new Date(body.takenAt), requestId };
        return { status: 201, json: await releaseBatches(instance, caller, input) };
      },
    }),
  ];
}
