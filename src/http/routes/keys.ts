/**
 * Keys over their life, escrowed and managed: what there is, and what one person may do. The other acts are requests
 * (`key.*`).
 */
import { z } from 'zod';
import { KEY_STATE_NAMES, KEY_STORES } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import { commandKey, type KeyCommandName } from '../../flows/keys/command-key.ts';
import type { Reader } from '../../flows/ports/database.ts';
import type { EscrowedKeyRow } from '../../flows/ports/escrowed-keys.ts';
import type { KeyFaultRow } from '../../flows/ports/key-faults.ts';
import type { KeyTombstoneRow } from '../../flows/ports/key-tombstones.ts';
import { formatName } from '../../x509/name.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Reply, type Route, type RouteDefinition } from '../route.ts';
import { ID, LABEL_TEXT, timeMember, timeText } from '../schemas.ts';
import { MANAGED_KEY, MANAGED_VERSION, managedKeyMakers, renderedManaged, renderedVersion } from './managed-keys.ts';

const PATH = '/api/v1/keys';
const TAG = 'keys';
const READERS = ['ca-operator', 'ca-owner', 'security-administrator', 'recovery-officer', 'auditor'] as const;
const PARAMS = z.strictObject({ id: ID });
const REASON = z.strictObject({ reason: LABEL_TEXT });

const KEY = z.object({
  id: ID,
  algorithm: z.string(),
  usage: z.literal('encryption'),
  state: z.enum(KEY_STATE_NAMES),
  store: z.enum(KEY_STORES),
  version: z.string(),
  kid: z.string(),
  kekVersion: z.string(),
  batch: z.string(),
  createdAt: z.string(),
  changedAt: z.string(),
  reason: z.string().optional(),
  authority: ID.optional(),
  serialNumber: z.string().optional(),
  subject: z.string().optional(),
  device: ID.optional(),
  activatedAt: z.string().optional(),
  compromisedAt: z.string().optional(),
  destroyAfter: z.string().optional(),
});
const SHOWN = KEY.extend({
  fault: z.object({ code: z.string(), foundAt: z.string() }).optional().describe('it does not open'),
  tombstone: z.object({ digest: z.string(), evidence: z.string() }).optional(),
});
const FILTER = z.strictObject({
  ...PAGE_QUERY,
  kind: z.enum(['escrowed', 'managed']).optional().describe('escrowed unless stated; the others filter these'),
  state: z.enum(KEY_STATE_NAMES).optional(),
  store: z.enum(KEY_STORES).optional(),
  device: ID.optional(),
  authority: ID.optional(),
});

function rendered(key: EscrowedKeyRow): z.infer<typeof KEY> {
  const { owner } = key;
  return {
    id: key.id,
    algorithm: key.algorithm,
    usage: 'encryption',
    state: key.state,
    store: key.store,
    version: String(key.version),
    kid: key.spkiSm3,
    kekVersion: String(key.kekVersion),
    batch: key.batchId,
    createdAt: timeText(key.createdAt),
    changedAt: timeText(key.changedAt),
    ...(key.stateReason === undefined ? {} : { reason: key.stateReason }),
    ...(owner === undefined
      ? {}
      : {
          authority: owner.authorityId,
          serialNumber: owner.certificateSerial,
          subject: formatName(owner.subject),
          ...(owner.deviceId === undefined ? {} : { device: owner.deviceId }),
        }),
    ...timeMember('activatedAt', key.activatedAt),
    ...timeMember('compromisedAt', key.compromisedAt),
    ...timeMember('destroyAfter', key.destroyAfter),
  };
}

function tombstoneMember(tombstone: KeyTombstoneRow | undefined): Pick<z.infer<typeof SHOWN>, 'tombstone'> {
  return tombstone === undefined ? {} : { tombstone: { digest: tombstone.evidenceSm3, evidence: tombstone.evidence } };
}

function shown(
  key: EscrowedKeyRow,
  fault: KeyFaultRow | undefined,
  tombstone: KeyTombstoneRow | undefined,
): z.infer<typeof SHOWN> {
  return {
    ...rendered(key),
    ...(fault === undefined ? {} : { fault: { code: fault.code, foundAt: timeText(fault.foundAt) } }),
    ...tombstoneMember(tombstone),
  };
}

const ANY_KEY = z.union([SHOWN, MANAGED_KEY, MANAGED_VERSION]);

/** @throws KmcError E_NOT_FOUND. */
async function showKey(reader: Reader, id: string): Promise<z.infer<typeof ANY_KEY>> {
  const escrowed = await reader.escrowedKeys.find(id);
  if (escrowed !== undefined) {
    return shown(escrowed, await reader.keyFaults.find(id), await reader.keyTombstones.find(id));
  }
  const version = await reader.managedKeys.findVersion(id);
  if (version !== undefined) {
    const tombstone = await reader.managedKeyTombstones.find(id);
    return { ...renderedVersion(version), ...tombstoneMember(tombstone) };
  }
  const managed = await reader.managedKeys.find(id);
  if (managed === undefined) throw new KmcError('E_NOT_FOUND', 'there is no key of that id');
  const grants = await reader.applications.grantsOn(id);
  return {
    ...renderedManaged(managed),
    grants: grants.map(({ applicationId, operations }) => ({
      application: applicationId,
      operations: [...operations],
    })),
  };
}

async function listManaged(instance: Instance, query: z.infer<typeof FILTER>): Promise<Reply> {
  const { state, store, device, authority, kind } = query;
  if ([state, store, device, authority].some((filter) => filter !== undefined)) {
    throw new KmcError('E_SCHEMA', 'managed keys are listed without a filter');
  }
  const page = pageOf(query);
  const keys = await instance.database.read((reader) => reader.managedKeys.list(page));
  return listReply(PATH, { kind }, page, keys, ({ id }) => id, renderedManaged);
}

function readRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listKeys',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary:
        'Escrowed keys by store (备用库, 在用库, 历史库), state, device and CA; with kind=managed the managed ones',
      access: { persons: READERS },
      query: FILTER,
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(z.union([KEY, MANAGED_KEY])) }) } },
      async handle({ query }) {
        if (query.kind === 'managed') return await listManaged(instance, query);
        const { state, store, device, authority } = query;
        const filter = {
          ...(state === undefined ? {} : { state }),
          ...(store === undefined ? {} : { store }),
          ...(device === undefined ? {} : { deviceId: device }),
          ...(authority === undefined ? {} : { authorityId: authority }),
        };
        const page = pageOf(query);
        const rows = await instance.database.read((reader) => reader.escrowedKeys.list(filter, page));
        return listReply(PATH, { state, store, device, authority }, page, rows, (row) => row.id, rendered);
      },
    }),
    route({
      operationId: 'getKey',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One escrowed key, managed key or version of one; of a destroyed one its tombstone',
      access: { persons: READERS },
      params: PARAMS,
      answers: { 200: { description: 'the key', schema: ANY_KEY } },
      async handle({ params }) {
        return { status: 200, json: await instance.database.read((reader) => showKey(reader, params.id)) };
      },
    }),
  ];
}

type Command = Pick<RouteDefinition<typeof PARAMS, z.ZodType, typeof REASON>, 'operationId' | 'summary' | 'access'>;

function commandRoute(instance: Instance, word: string, act: KeyCommandName, command: Command): Route {
  return route({
    ...command,
    method: 'post',
    path: `${PATH}/:id/${word}`,
    tag: TAG,
    idempotent: true,
    params: PARAMS,
    body: REASON,
    answers: { 200: { description: 'the key as it stands now', schema: ANY_KEY } },
    async handle({ params, body, caller, requestId }) {
      await commandKey(instance, caller, { keyId: params.id, act, reason: body.reason, requestId });
      return { status: 200, json: await instance.database.read((reader) => showKey(reader, params.id)) };
    },
  });
}

/** Routes of keys. */
export function keyRoutes(instance: Instance): Route[] {
  return [
    ...readRoutes(instance),
    ...managedKeyMakers(instance),
    commandRoute(instance, 'archive', 'deactivate', {
      operationId: 'archiveKey',
      summary: 'Moves a key that was replaced to the history store',
      access: { persons: ['ca-operator'] },
    }),
    commandRoute(instance, 'destruction-cancel', 'cancel-destruction', {
      operationId: 'cancelKeyDestruction',
      summary: 'Ends the destruction window of a key: one person may, for it only keeps',
      access: { persons: ['security-administrator', 'ca-owner', 'recovery-officer'] },
    }),
  ];
}
