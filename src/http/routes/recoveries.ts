/** Recoveries: a user's key through the CA, and what judicial recoveries hand out with their evidence. */
import { z } from 'zod';
import { RECOVERY_KINDS } from '../../domain/recovery.ts';
import type { Instance } from '../../flows/instance.ts';
import type { RecoveryRow } from '../../flows/ports/recoveries.ts';
import { exportEvidence } from '../../flows/recoveries/export-evidence.ts';
import { handOutRecovery } from '../../flows/recoveries/hand-out-recovery.ts';
import { recoverUserKey } from '../../flows/recoveries/recover-user-key.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { BASE64, ID, timeText } from '../schemas.ts';

const PATH = '/api/v1/recoveries';
const TAG = 'recoveries';
const READERS = ['recovery-officer', 'security-administrator', 'ca-operator', 'auditor'] as const;
/** Seconds after which people may have decided. */
const DECISION_RETRY = '600';

const RECOVERY = z.object({
  id: ID,
  kind: z.enum(RECOVERY_KINDS),
  key: ID,
  request: ID.optional(),
  case: ID.optional(),
  recipientKid: z.string(),
  keyState: z.string(),
  recoveredAt: z.string(),
});
const WITH_ENVELOPE = RECOVERY.extend({
  envelopedKey: z.string().describe('SM2EnvelopedKey (GM/T 0009), base64 of DER: only the recipient opens it'),
});
const ASKED = z.strictObject({
  authority: ID.describe('the CA of the encryption certificate'),
  serialNumber: z.string().regex(/^[0-9a-f]{1,40}$/, 'a serial number in lower-case hex'),
  recipient: BASE64.describe('SubjectPublicKeyInfo of the new protection key, base64 of DER'),
});
const FILTER = z.strictObject({
  ...PAGE_QUERY,
  kind: z.enum(RECOVERY_KINDS).optional(),
  key: ID.optional(),
  case: ID.optional(),
  request: ID.optional(),
});

function rendered(row: RecoveryRow): z.infer<typeof RECOVERY> {
  return {
    id: row.id,
    kind: row.kind,
    key: row.keyId,
    ...(row.requestId === undefined ? {} : { request: row.requestId }),
    ...(row.caseId === undefined ? {} : { case: row.caseId }),
    recipientKid: row.recipientSpkiSm3,
    keyState: row.keyState,
    recoveredAt: timeText(row.recoveredAt),
  };
}

function withEnvelope(row: RecoveryRow): z.infer<typeof WITH_ENVELOPE> {
  return { ...rendered(row), envelopedKey: row.envelopedKey.toString('base64') };
}

function readRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listRecoveries',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Recoveries that were done',
      access: { persons: READERS },
      query: FILTER,
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(RECOVERY) }) } },
      async handle({ query }) {
        const { kind, key, case: caseId, request } = query;
        const filter = {
          ...(kind === undefined ? {} : { kind }),
          ...(key === undefined ? {} : { keyId: key }),
          ...(caseId === undefined ? {} : { caseId }),
          ...(request === undefined ? {} : { requestId: request }),
        };
        const page = pageOf(query);
        const rows = await instance.database.read((reader) => reader.recoveries.list(filter, page));
        return listReply(PATH, { kind, key, case: caseId, request }, page, rows, (row) => row.id, rendered);
      },
    }),
    route({
      operationId: 'getRecovery',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One recovery with its envelope',
      access: { persons: ['recovery-officer', 'ca-operator'] },
      params: z.strictObject({ id: ID }),
      answers: {
        200: { description: 'the recovery', schema: WITH_ENVELOPE },
        202: { description: 'auditors have to cosign the log over it first: ask again' },
      },
      async handle({ params }) {
        return { status: 200, json: withEnvelope(await handOutRecovery(instance, params.id)) };
      },
    }),
    route({
      operationId: 'getRecoveryEvidence',
      method: 'get',
      path: `${PATH}/:id/evidence`,
      tag: TAG,
      summary: 'The evidence of a judicial recovery, which verifies offline',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: {
        200: { description: 'the evidence file', type: 'application/json' },
        202: { description: 'no signed checkpoint holds the event yet: ask again' },
      },
      async handle({ params }) {
        const body = Buffer.from(await exportEvidence(instance, params.id), 'utf8');
        return { status: 200, bytes: { type: 'application/json', body } };
      },
    }),
  ];
}

/** Routes of recoveries. A judicial one is asked for, approved and executed as a request (`recovery.judicial`). */
export function recoveryRoutes(instance: Instance): Route[] {
  return [
    ...readRoutes(instance),
    route({
      operationId: 'recoverUserKey',
      method: 'post',
      path: PATH,
      tag: TAG,
      summary: "Recovers a user's key to a key in a live signing certificate of the same subject, or asks for approval",
      access: { persons: ['ca-operator'] },
      body: ASKED,
      answers: {
        201: { description: 'recovered', schema: WITH_ENVELOPE },
        202: { description: 'refused for now: people decide', schema: z.object({ approvalRequest: ID }) },
      },
      async handle({ body, caller, requestId }) {
        const outcome = await recoverUserKey(instance, caller, {
          authorityId: body.authority,
          certificateSerial: body.serialNumber,
          recipientSpki: Buffer.from(body.recipient, 'base64'),
          requestId,
        });
        if (outcome.state === 'RECOVERED') {
          const location = `${PATH}/${outcome.recovery.id}`;
          return { status: 201, headers: { location }, json: withEnvelope(outcome.recovery) };
        }
        const headers = { 'retry-after': DECISION_RETRY };
        return { status: 202, headers, json: { approvalRequest: outcome.approvalRequestId } };
      },
    }),
  ];
}
