/** Witnesses of the log: auditors who cosign its checkpoints with their own keys (audit-log 3.8). */
import { z } from 'zod';
import { cosignCheckpoint } from '../../flows/audit/checkpoints/cosign-checkpoint.ts';
import { route, type Route } from '../route.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const COSIGNATURE = z.strictObject({
  time: z.int().min(0).describe('of the checkpoint, seconds since 1970, as signed'),
  line: z
    .string()
    .max(400)
    .regex(/^\u2014 \S+ [A-Za-z0-9+/]+={0,2}$/, 'a signature line of a signed note'),
});

/** Routes of cosignatures. */
export function auditCosignatureRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'cosignAuditCheckpoint',
      method: 'post',
      path: '/api/v1/audit/cosignatures',
      tag: 'audit',
      summary: 'The cosignature of an auditor for a checkpoint',
      access: { persons: ['auditor', 'audit-administrator'] },
      idempotent: true,
      body: COSIGNATURE,
      answers: { 200: { description: 'it is there', schema: z.object({ added: z.boolean() }) } },
      async handle({ body, caller, requestId }) {
        const input = { checkpointTime: body.time, line: body.line, source: auditSourceOf(instance, requestId) };
        return { status: 200, json: { added: await cosignCheckpoint(instance, input, caller) } };
      },
    }),
  ];
}
