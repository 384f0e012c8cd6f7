/** Complete histories of a key, a certificate, a device or a person's acts, each with its proof (audit-log 3.12). */
import { z } from 'zod';
import { actorKey, termKey } from '../../domain/audit/history-index.ts';
import { ACTOR_TYPES, SUBJECT_TYPES, subjectKey, type SubjectType } from '../../domain/audit/record.ts';
import { proveHistory, type HistoryInput } from '../../flows/audit/histories/prove-history.ts';
import { route, type Route } from '../route.ts';
import { TIME } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const READERS = ['auditor', 'audit-administrator'] as const;
const TAG = /^[a-z0-9][a-z0-9:./_-]{0,127}$/;

const QUERY = z.strictObject({
  type: z
    .enum([...SUBJECT_TYPES, 'actor', 'term'])
    .describe('of the subject; `actor` is what somebody did, `term` what events name besides their subjects'),
  id: z.string().regex(TAG).describe('id of the subject; `person:<id>` and the like for an actor or a term'),
  from: TIME.optional().describe('shown in the file; the proof is about the whole history'),
  to: TIME.optional(),
});

/** The key of the index for what the query names. */
function keyOf({ type, id }: z.output<typeof QUERY>): string {
  const [kind = '', ...rest] = id.split(':');
  if (type === 'actor') return actorKey(ACTOR_TYPES.find((actor) => actor === kind) ?? 'person', rest.join(':'));
  if (type === 'term') return termKey(kind, rest.join(':'));
  return subjectKey({ t: type satisfies SubjectType, tag: id });
}

/** Routes of histories. */
export function auditHistoryRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'proveAuditHistory',
      method: 'get',
      path: '/api/v1/audit/proof/history',
      tag: 'audit',
      summary: 'Every event about something, with the proof that there is none else: verifies offline',
      access: { persons: READERS },
      query: QUERY,
      answers: {
        200: { description: 'the history file', type: 'application/json' },
        202: { description: 'the index is being brought up: ask again after Retry-After seconds' },
      },
      async handle({ query, caller, requestId }) {
        const period = {
          ...(query.from === undefined ? {} : { from: new Date(query.from) }),
          ...(query.to === undefined ? {} : { to: new Date(query.to) }),
        };
        const input: HistoryInput = { key: keyOf(query), ...period, source: auditSourceOf(instance, requestId) };
        return { status: 200, json: await proveHistory(instance, input, caller) };
      },
    }),
  ];
}
