/** Liveness, readiness and figures: for load balancers and monitoring, without secrets. */
import { z } from 'zod';
import type { Expiring } from '../../domain/expiry.ts';
import { KmcError } from '../../errors.ts';
import { findExpiring } from '../../flows/expiry/find-expiring.ts';
import { route, type Route } from '../route.ts';
import type { ServedInstance } from '../served-instance.ts';

const REASON = z.enum(['sealed', 'audit-blocked', 'database']);
type Reason = z.infer<typeof REASON>;
const READINESS = z.object({ ready: z.boolean(), reasons: z.array(REASON) });

interface AuditFigures {
  readonly size: number;
  readonly pending: number;
}

/** Undefined when the database does not answer. */
async function auditFigures(instance: ServedInstance): Promise<AuditFigures | undefined> {
  try {
    return await instance.database.read(async ({ audit }) => ({
      size: await audit.size(),
      pending: await audit.pending(),
    }));
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

async function expiringThings(instance: ServedInstance): Promise<readonly Expiring[] | undefined> {
  try {
    return await findExpiring(instance);
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

function reasonsOf(instance: ServedInstance, figures: AuditFigures | undefined): Reason[] {
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
        const reasons = reasonsOf(instance, await auditFigures(instance));
        const ready = reasons.length === 0;
        return { status: ready ? 200 : 503, json: { ready, reasons } };
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
        const figures = await auditFigures(instance);
        const text = await instance.metrics.text({
          unsealed: instance.keystore.state === 'UNSEALED',
          ready: reasonsOf(instance, figures).length === 0,
          auditEvents: figures?.size ?? 0,
          auditPending: figures?.pending ?? 0,
          expiring: await expiringThings(instance),
          now: instance.clock.now(),
        });
        return { status: 200, bytes: { type: instance.metrics.contentType, body: Buffer.from(text, 'utf8') } };
      },
    }),
  ];
}
