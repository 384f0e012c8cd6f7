/** Managed keys as they are shown, and what one person may do to have one: make, import, rotate. Their use is granted. */
import { z } from 'zod';
import { KEY_STATE_NAMES, KEY_STORES } from '../../domain/key-state.ts';
import { KEY_OPERATIONS, LARGEST_USE_LIMIT, MANAGED_KEY_KIND_NAMES, managedKeyKind } from '../../domain/managed-key.ts';
import type { Instance } from '../../flows/instance.ts';
import { currentVersion } from '../../flows/keys/life-target.ts';
import { createManagedKey } from '../../flows/managed-keys/create-managed-key.ts';
import { importManagedKey } from '../../flows/managed-keys/import-managed-key.ts';
import type { ManagedKeyPolicy } from '../../flows/managed-keys/insert-managed-key.ts';
import { rotateManagedKey } from '../../flows/managed-keys/rotate-managed-key.ts';
import type { ManagedKey, ManagedKeyVersionRow } from '../../flows/ports/managed-keys.ts';
import { route, type Route } from '../route.ts';
import { BASE64, ID, LABEL_TEXT, timeMember, timeText } from '../schemas.ts';

const PATH = '/api/v1/keys';
const TAG = 'keys';
const MAKERS = ['ca-operator', 'security-administrator'] as const;

export const MANAGED_VERSION = z.object({
  id: ID,
  number: z.string(),
  state: z.enum(KEY_STATE_NAMES),
  store: z.enum(KEY_STORES),
  version: z.string(),
  kid: z.string(),
  kekVersion: z.string(),
  createdAt: z.string(),
  activatedAt: z.string(),
  changedAt: z.string(),
  reason: z.string().optional(),
  publicKey: z.string().optional().describe('SubjectPublicKeyInfo, base64 of DER'),
  compromisedAt: z.string().optional(),
  destroyAfter: z.string().optional(),
  tombstone: z.object({ digest: z.string(), evidence: z.string() }).optional(),
});
export const MANAGED_KEY = z.object({
  id: ID,
  name: z.string(),
  kind: z.enum(MANAGED_KEY_KIND_NAMES),
  algorithm: z.string(),
  usage: z.literal('managed'),
  origin: z.enum(['generated', 'imported']),
  operations: z.array(z.enum(KEY_OPERATIONS)),
  exportable: z.boolean(),
  useLimit: z.string().optional(),
  state: z.enum(KEY_STATE_NAMES).describe('that of the current version'),
  store: z.enum(KEY_STORES),
  currentVersion: z.string(),
  createdAt: z.string(),
  changedAt: z.string(),
  versions: z.array(MANAGED_VERSION),
  grants: z.array(z.object({ application: ID, operations: z.array(z.enum(KEY_OPERATIONS)) })).optional(),
});

/** A version as it is shown. */
export function renderedVersion(row: ManagedKeyVersionRow): z.infer<typeof MANAGED_VERSION> {
  return {
    id: row.id,
    number: String(row.number),
    state: row.state,
    store: row.store,
    version: String(row.version),
    kid: row.kid,
    kekVersion: String(row.kekVersion),
    createdAt: timeText(row.createdAt),
    activatedAt: timeText(row.activatedAt),
    changedAt: timeText(row.changedAt),
    ...(row.stateReason === undefined ? {} : { reason: row.stateReason }),
    ...(row.spki === undefined ? {} : { publicKey: row.spki.toString('base64') }),
    ...timeMember('compromisedAt', row.compromisedAt),
    ...timeMember('destroyAfter', row.destroyAfter),
  };
}

/** A key as it is shown. */
export function renderedManaged(key: ManagedKey): z.infer<typeof MANAGED_KEY> {
  const { state, store } = currentVersion(key);
  const { algorithm, operations } = managedKeyKind(key.kind);
  return {
    id: key.id,
    name: key.name,
    kind: key.kind,
    algorithm,
    usage: 'managed',
    origin: key.origin,
    operations: [...operations],
    exportable: key.exportable,
    ...(key.useLimit === undefined ? {} : { useLimit: String(key.useLimit) }),
    state,
    store,
    currentVersion: String(key.currentNumber),
    createdAt: timeText(key.createdAt),
    changedAt: timeText(key.changedAt),
    versions: key.versions.map(renderedVersion),
  };
}

const POLICY = {
  name: LABEL_TEXT,
  kind: z.enum(MANAGED_KEY_KIND_NAMES),
  exportable: z.boolean().default(false).describe('may leave, wrapped, under dual control; never a signing key'),
  useLimit: z
    .string()
    .regex(/^[1-9][0-9]{0,12}$/, `a whole number up to ${LARGEST_USE_LIMIT}`)
    .transform(Number)
    .optional()
    .describe('uses of each version that protect, at the most'),
};

function policyOf({ name, kind, exportable, useLimit }: z.output<z.ZodObject<typeof POLICY>>): ManagedKeyPolicy {
  return { name, kind, exportable, ...(useLimit === undefined ? {} : { useLimit }) };
}

/** Routes that give a managed key, or a version of one. */
export function managedKeyMakers(instance: Instance): Route[] {
  return [
    route({
      operationId: 'createKey',
      method: 'post',
      path: PATH,
      tag: TAG,
      summary: 'Makes a managed key. Nobody may use it before that is granted (application.grant)',
      access: { persons: MAKERS },
      idempotent: true,
      body: z.strictObject(POLICY),
      answers: { 201: { description: 'the key', schema: MANAGED_KEY } },
      async handle({ body, caller, requestId }) {
        const key = await createManagedKey(instance, caller, policyOf(body), requestId);
        return { status: 201, json: renderedManaged(key) };
      },
    }),
    route({
      operationId: 'importKey',
      method: 'post',
      path: `${PATH}/imports`,
      tag: TAG,
      summary:
        'Imports a key, wrapped to a managed key of the kind sm2-encrypt: SM2Cipher, or SM2EnvelopedKey of a pair',
      access: { persons: MAKERS },
      idempotent: true,
      body: z.strictObject({ ...POLICY, wrappingKey: ID, wrapped: BASE64 }),
      answers: { 201: { description: 'the key', schema: MANAGED_KEY } },
      async handle({ body, caller, requestId }) {
        const { wrappingKey, wrapped, ...policy } = body;
        const key = await importManagedKey(instance, caller, {
          policy: policyOf(policy),
          wrappingKey,
          wrapped: Buffer.from(wrapped, 'base64'),
          requestId,
        });
        return { status: 201, json: renderedManaged(key) };
      },
    }),
    route({
      operationId: 'rotateKey',
      method: 'post',
      path: `${PATH}/:id/rotations`,
      tag: TAG,
      summary: 'Makes the next version of a managed key; the one before only processes from now on',
      access: { persons: MAKERS },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({ reason: LABEL_TEXT }),
      answers: { 201: { description: 'the key', schema: MANAGED_KEY } },
      async handle({ params, body, caller, requestId }) {
        const key = await rotateManagedKey(instance, caller, { keyId: params.id, reason: body.reason, requestId });
        return { status: 201, json: renderedManaged(key) };
      },
    }),
  ];
}
