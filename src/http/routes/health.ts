/** Liveness, readiness and figures: for load balancers and monitoring, without secrets. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { listPools, type PoolStatus } from '../../flows/pools/list-pools.ts';
import { findExpiring } from '../../flows/expiry/find-expiring.ts';
import { route, type Route } from '../route.ts';
import { timeText } from '../schemas.ts';
import type { ServedInstance } from '../served-instance.ts';

const REASON = z.enum(['sealed', 'audit-blocked', 'database']);
type Reason = z.infer<typeof REASON>;
const READINESS = z.object({
  ready: z.boolean(),
  reasons: z.array(REASON),
  breakGlass: z.object({ session: z.string(), until: z.string() }).optional(),
  unreviewedBreakGlass: z.array(z.string()).optional(),
  issuancePaused: z.literal(true).optional(),
});

/** What is not the usual state, though the service works: absent while there is nothing to say. */
async function exceptions({ glass }: ServedInstance): Promise<object> {
  const { open, unreviewed, issuancePaused } = await glass.state();
  return {
    ...(open === undefined ? {} : { breakGlass: { session: open.session, until: timeText(open.until) } }),
    ...(unreviewed.length === 0 ? {} : { unreviewedBreakGlass: unreviewed.map(({ session }) => session) }),
    ...(issuancePaused ? { issuancePaused } : {}),
  };
}

interface StoredFigures {
  readonly size: number;
  readonly pending: number;
  readonly keyFaults: number;
  readonly pools: readonly PoolStatus[];
}

/** Undefined when the database does not answer. */
async function storedFigures(instance: ServedInstance): Promise<StoredFigures | undefined> {
  try {
    const counts = await instance.database.read(async ({ audit, keyFaults }) => ({
      size: await audit.size(),
      pending: await audit.pending(),
      keyFaults: await keyFaults.count(),
    }));
    return { ...counts, pools: await listPools(instance) };
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

/** Undefined when the database does not answer. */
async function unlessDown<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

function reasonsOf(instance: ServedInstance, figures: StoredFigures | undefined): Reason[] {
  const checks: Readonly<Record<Reason, boolean>> = {
    sealed: instance.keystore.state !== 'UNSEALED',
    'audit-blocked': instance.isAuditBlocked(),
    database: figures === undefined,
  };
  return REASON.options.filter((reason) => checks[reason]);
}

/** Routes of health. */
export function healthRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'getLiveness',
      method: 'get',
      path: '/livez',
      tag: 'health',
      summary: 'The process answers',
      access: { public: true },
      answers: { 200: { description: 'it does', schema: z.object({ live: z.literal(true) }) } },
      handle: () => Promise.resolve({ status: 200, json: { live: true } }),
    }),
    route({
      operationId: 'getReadiness',
      method: 'get',
      path: '/readyz',
      tag: 'health',
      summary: 'The service can do its work, or why it cannot',
      access: { public: true },
      answers: {
        200: { description: 'ready', schema: READINESS },
        503: { description: 'not ready, with the reasons', schema: READINESS },
      },
      async handle() {
        const reasons = reasonsOf(instance, await storedFigures(instance));
        const ready = reasons.length === 0;
        return { status: ready ? 200 : 503, json: { ready, reasons, ...(await exceptions(instance)) } };
      },
    }),
    route({
      operationId: 'getMetrics',
      method: 'get',
      path: '/metrics',
      tag: 'health',
      summary: 'Figures for Prometheus',
      access: { public: true },
      answers: { 200: { description: 'text exposition format', type: 'text/plain' } },
      async handle() {
        const figures = await storedFigures(instance);
        const { open, unreviewed, issuancePaused } = await instance.glass.state();
        const text = await instance.metrics.text({
          breakGlassOpen: open !== undefined,
          breakGlassUnreviewed: unreviewed.length,
          issuancePaused,
          unsealed: instance.keystore.state === 'UNSEALED',
          ready: reasonsOf(instance, figures).length === 0,
          auditEvents: figures?.size ?? 0,
          auditPending: figures?.pending ?? 0,
          pools: figures?.pools ?? [],
          keyFaults: figures?.keyFaults ?? 0,
          expiring: await unlessDown(() => findExpiring(instance)),
          alarms: await unlessDown(() => instance.database.read(({ alarms }) => alarms.open())),
          now: instance.clock.now(),
        });
        return { status: 200, bytes: { type: instance.metrics.contentType, body: Buffer.from(text, 'utf8') } };
      },
    }),
  ];
}
