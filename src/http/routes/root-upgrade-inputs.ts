/** What is handed in for a root upgrade: attestations with their documents, and signed manifests; and what they are made from. */
import { z } from 'zod';
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { manifestText } from '../../domain/trust/manifest.ts';
import { attestFact } from '../../flows/root-upgrade/attest-fact.ts';
import { draftManifest } from '../../flows/root-upgrade/draft-manifest.ts';
import { stageManifest } from '../../flows/root-upgrade/stage-manifest.ts';
import { upgradePorts } from '../../flows/root-upgrade/upgrade-ports.ts';
import { KmcError } from '../../errors.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { MANIFEST_PUBLISHERS } from '../../flows/trust/manifest-publishers.ts';
import { PURPOSE } from '../root-upgrade-view.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, SIGNED_OBJECT, TIME } from '../schemas.ts';
import type { ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/root-upgrades/:id';
const TAG = 'root upgrade';
const PARAMS = z.strictObject({ id: ID });
const MANIFEST = z.object({ body: SIGNED_OBJECT, signatures: z.array(z.object({ kid: DIGEST, sig: z.string() })) });

function attestationRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'attestForRootUpgrade',
      method: 'post',
      path: `${PATH}/attestations`,
      tag: TAG,
      summary: 'Hands in a signed attestation, with the document that it is about',
      access: { persons: 'any' },
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({
        body: SIGNED_OBJECT.describe('kmc.attestation/1: kind, target, documentSm3, result, …'),
        signature: z
          .string()
          .max(128)
          .describe('base64 of the raw SM2 signature r||s over KMC-ATTEST-V1 0x00 JCS(body)'),
        certificate: z
          .string()
          .max(16 * 1024)
          .describe('base64 of DER'),
        document: z
          .string()
          .max(1_400_000)
          .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64')
          .optional()
          .describe('base64; absent for evidence-digest, whose snapshot is here'),
      }),
      answers: { 201: { description: 'taken in', schema: z.object({ id: ID }) } },
      async handle({ params, body, caller, requestId }) {
        const { document, ...attestation } = body;
        const id = await attestFact(upgradePorts(instance), caller, {
          upgrade: params.id,
          attestation,
          document: document === undefined ? undefined : Buffer.from(document, 'base64'),
          requestId,
        });
        return { status: 201, json: { id } };
      },
    }),
    route({
      operationId: 'getRootUpgradeDocument',
      method: 'get',
      path: `${PATH}/attestations/:attestation/document`,
      tag: TAG,
      summary: 'The document that an attestation is about',
      access: { persons: 'any' },
      params: PARAMS.extend({ attestation: ID }),
      answers: { 200: { description: 'its octets', type: 'application/octet-stream' } },
      async handle({ params }) {
        const rows = await instance.database.read((reader) => reader.rootUpgrades.attestations(params.id));
        const document = rows.find(({ id }) => id === params.attestation)?.document;
        if (document === undefined) throw new KmcError('E_NOT_FOUND', 'there is no such document');
        return { status: 200, bytes: { type: 'application/octet-stream', body: document } };
      },
    }),
  ];
}

function manifestRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'draftRootUpgradeManifest',
      method: 'get',
      path: `${PATH}/manifests/:purpose/draft`,
      tag: TAG,
      summary: 'The manifest that the upgrade publishes next, unsigned, for bundle-signers',
      access: { persons: 'any' },
      params: PARAMS.extend({ purpose: PURPOSE }),
      query: z.strictObject({ distrustAfter: TIME.optional().describe('of a manifest that retires the old anchor') }),
      answers: { 200: { description: 'a manifest file without signatures', schema: MANIFEST } },
      async handle({ params, query }) {
        const { distrustAfter } = query;
        const body = await draftManifest(upgradePorts(instance), {
          upgrade: params.id,
          purpose: params.purpose,
          distrustAfter: distrustAfter === undefined ? undefined : readSignedTime(distrustAfter),
        });
        const text = manifestText({ body, signatures: [] });
        return {
          status: 200,
          bytes: { type: 'application/json', body: Buffer.from(text, 'utf8') },
        };
      },
    }),
    route({
      operationId: 'stageRootUpgradeManifest',
      method: 'post',
      path: `${PATH}/manifests/:purpose`,
      tag: TAG,
      summary: 'Stages a fully signed manifest: its transition publishes it, nobody is served it before',
      access: { persons: MANIFEST_PUBLISHERS },
      idempotent: true,
      params: PARAMS.extend({ purpose: PURPOSE }),
      body: MANIFEST,
      answers: {
        201: { description: 'staged', schema: z.object({ purpose: PURPOSE, version: z.string(), digest: DIGEST }) },
      },
      async handle({ params, body, caller, requestId }) {
        const manifest = Buffer.from(canonicalizeSigned(body), 'utf8');
        const { id: upgrade, purpose } = params;
        const { version, digest } = await stageManifest(upgradePorts(instance), caller, {
          upgrade,
          purpose,
          manifest,
          requestId,
        });
        return { status: 201, json: { purpose, version: String(version), digest } };
      },
    }),
  ];
}

/** Routes of what people hand in for a root upgrade. */
export function rootUpgradeInputRoutes(instance: ServedInstance): Route[] {
  return [...attestationRoutes(instance), ...manifestRoutes(instance)];
}
