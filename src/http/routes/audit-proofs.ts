/** What proves the audit log without showing it: checkpoints, proofs, the log's certificate and policy, for everybody. */
import { z } from 'zod';
import { encodePem } from '../../crypto/asn1/pem.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { DEFAULT_CLOCK_SKEW, DEFAULT_MAX_DELAY, formatAuditPolicy } from '../../domain/audit/policy.ts';
import { KmcError } from '../../errors.ts';
import { cosignedNote } from '../../flows/audit/checkpoints/cosigned-note.ts';
import { auditTreeRoot } from '../../flows/audit/tree/audit-tree-root.ts';
import { proveConsistency } from '../../flows/audit/tree/prove-consistency.ts';
import { proveInclusion } from '../../flows/audit/tree/prove-inclusion.ts';
import type { Instance } from '../../flows/instance.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { route, type Reply, type Route } from '../route.ts';
import { ID, WHOLE_NUMBER } from '../schemas.ts';

const PATH = '/api/v1/audit';
const TAG = 'audit';
const PUBLIC = { public: true } as const;
/** Notes in one answer. */
const NOTES_AT_ONCE = 1_000;
const HASHES = z.array(z.string()).describe('base64 of 32 octets each');

const INCLUSION_QUERY = z
  .strictObject({ index: WHOLE_NUMBER.optional(), event: ID.optional(), size: WHOLE_NUMBER.optional() })
  .refine(({ index, event }) => (index === undefined) !== (event === undefined), 'name the event by index or by id');
const INCLUSION = z.object({ index: z.int(), size: z.int(), leaf: z.string(), root: z.string(), proof: HASHES });
const CONSISTENCY = z.object({ from: z.int(), to: z.int(), proof: HASHES });

function base64(hashes: readonly Buffer[]): string[] {
  return hashes.map((hash) => hash.toString('base64'));
}

function textReply(text: string, type: string): Reply {
  return { status: 200, bytes: { type, body: Buffer.from(text, 'utf8') } };
}

async function newestCheckpoint(instance: Instance): Promise<{ readonly size: number; readonly note: string }> {
  const found = await instance.database.read(({ audit }) => audit.newestCheckpoint());
  if (found === undefined) throw new KmcError('E_NOT_FOUND', 'the log has no signed checkpoint yet');
  return found;
}

async function logCertificate(instance: Instance): Promise<Buffer> {
  const certificate = await instance.audit.certificate();
  if (certificate === undefined) throw new KmcError('E_NOT_FOUND', 'the log has no key yet');
  return certificate;
}

async function inclusionReply(instance: Instance, query: z.output<typeof INCLUSION_QUERY>): Promise<Reply> {
  const size = query.size ?? (await newestCheckpoint(instance)).size;
  const place = await instance.database.read(async ({ audit }) =>
    query.event === undefined ? (await audit.entries(query.index ?? 0, 1))[0] : audit.find(query.event),
  );
  if (place?.index === undefined)
    throw new KmcError('E_NOT_FOUND', 'the log has no such event, or no place for it yet');
  const { index, leaf } = place;
  const proof = base64(await proveInclusion(instance, { index, size }));
  const root = (await auditTreeRoot(instance, size)).toString('base64');
  return { status: 200, json: { index, size, leaf: leaf.toString('base64'), root, proof } };
}

function checkpointRoute(instance: Instance): Route {
  return route({
    operationId: 'getAuditCheckpoint',
    method: 'get',
    path: `${PATH}/checkpoint`,
    tag: TAG,
    summary: 'The newest signed checkpoint, with the cosignatures it has',
    access: PUBLIC,
    query: z.strictObject({ cosigned: WHOLE_NUMBER.optional().describe('the newest with at least so many') }),
    answers: { 200: { description: 'a signed note', type: 'text/plain' } },
    async handle({ query }) {
      const found = await cosignedNote(instance, query.cosigned ?? 0);
      if (found === undefined) throw new KmcError('E_NOT_FOUND', 'the log has no such checkpoint yet');
      return textReply(found.note, 'text/plain; charset=utf-8');
    },
  });
}

function noteRoutes(instance: Instance): Route[] {
  return [
    checkpointRoute(instance),
    route({
      operationId: 'listAuditCheckpoints',
      method: 'get',
      path: `${PATH}/checkpoints`,
      tag: TAG,
      summary: 'The checkpoints signed after a time, oldest first, at most 1000',
      access: PUBLIC,
      query: z.strictObject({ after: WHOLE_NUMBER.optional().describe('seconds since 1970; 0 unless told') }),
      answers: { 200: { description: '{note, size, time} a line', type: 'application/x-ndjson' } },
      async handle({ query }) {
        const after = query.after ?? 0;
        const notes = await instance.database.read(({ audit }) => audit.checkpointsAfter(after, NOTES_AT_ONCE));
        const lines = notes.map(({ note, size, time }) => `${JSON.stringify({ note, size, time })}\n`);
        return textReply(lines.join(''), 'application/x-ndjson');
      },
    }),
    route({
      operationId: 'getAuditCertificate',
      method: 'get',
      path: `${PATH}/certificate`,
      tag: TAG,
      summary: 'Certificate of the key that signs the checkpoints',
      access: PUBLIC,
      answers: { 200: { description: 'PEM', type: 'application/x-pem-file' } },
      async handle() {
        return textReply(encodePem('CERTIFICATE', await logCertificate(instance)), 'application/x-pem-file');
      },
    }),
    route({
      operationId: 'getAuditPolicy',
      method: 'get',
      path: `${PATH}/policy`,
      tag: TAG,
      summary: 'What a verifier of this log tolerates',
      access: PUBLIC,
      answers: { 200: { description: 'the policy file', type: 'application/json' } },
      async handle() {
        const { spki } = parseCertificate(await logCertificate(instance));
        const limits = { clockSkew: DEFAULT_CLOCK_SKEW, maxDelay: DEFAULT_MAX_DELAY, witnesses: [], quorum: 0 };
        const policy = { origin: instance.audit.origin, logKey: spkiSm3(spki), ...limits };
        return textReply(formatAuditPolicy(policy), 'application/json');
      },
    }),
  ];
}

/** Routes of checkpoints and proofs. */
export function auditProofRoutes(instance: Instance): Route[] {
  return [
    ...noteRoutes(instance),
    route({
      operationId: 'proveAuditInclusion',
      method: 'get',
      path: `${PATH}/proof/inclusion`,
      tag: TAG,
      summary: 'Proof that an event, by index or id, is in the tree of a size',
      access: PUBLIC,
      query: INCLUSION_QUERY,
      answers: { 200: { description: 'audit path of RFC 6962', schema: INCLUSION } },
      handle: ({ query }) => inclusionReply(instance, query),
    }),
    route({
      operationId: 'proveAuditConsistency',
      method: 'get',
      path: `${PATH}/proof/consistency`,
      tag: TAG,
      summary: 'Proof that the tree of one size extends that of another',
      access: PUBLIC,
      query: z.strictObject({ from: WHOLE_NUMBER, to: WHOLE_NUMBER }),
      answers: { 200: { description: 'consistency proof of RFC 6962', schema: CONSISTENCY } },
      async handle({ query }) {
        return { status: 200, json: { ...query, proof: base64(await proveConsistency(instance, query)) } };
      },
    }),
  ];
}
