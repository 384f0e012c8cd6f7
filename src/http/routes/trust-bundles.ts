/** Trust bundles: signed in themselves, so everybody reads them on either listener, and every version for ever. */
import { z } from 'zod';
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { readVersion } from '../../domain/trust/manifest.ts';
import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import { latestFor, publicLatest, publicVersion, versionFor } from '../../flows/root-upgrade/serve-manifest.ts';
import { UPGRADE_FLEET } from '../../flows/fleet/upgrade-fleet.ts';
import type { TrustBundleRow } from '../../flows/ports/trust-bundles.ts';
import { MANIFEST_PUBLISHERS } from '../../flows/trust/manifest-publishers.ts';
import { publishManifest } from '../../flows/trust/publish-manifest.ts';
import { publishedReply, type Published } from '../published.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';
import { DIGEST, ID, SIGNED_OBJECT } from '../schemas.ts';

const PATH = '/api/v1/trust-bundles/:name';
const DEVICE_PATH = '/api/v1/devices/self/trust-bundles/:name';
const NAMED = z.strictObject({ name: ID });
const MANIFEST = z.object({ body: SIGNED_OBJECT, signatures: z.array(z.object({ kid: DIGEST, sig: z.string() })) });
/** Devices poll every six hours; a mirror asks again after five minutes. */
const LATEST = { maxAge: 300 };
/** For one device alone: no mirror keeps it. */
const OWN = { maxAge: 0, private: true };
const VERSION = { maxAge: 31_536_000, immutable: true };

function reply(
  context: RequestContext<unknown, unknown, unknown>,
  row: TrustBundleRow | undefined,
  kept: Pick<Published, 'maxAge' | 'immutable' | 'private'>,
): Reply {
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'there is no such version of a trust bundle of that name');
  return publishedReply(context, { type: 'application/json', body: row.manifest, digest: row.digest, ...kept });
}

function readRoutes(instance: Instance): Route[] {
  const answers = {
    200: { description: 'the manifest file', schema: MANIFEST },
    304: { description: 'as you have it' },
  };
  return [
    route({
      operationId: 'getLatestTrustBundle',
      method: 'get',
      path: `${PATH}/latest`,
      tag: 'trust',
      summary: 'The newest version of a trust bundle',
      access: { public: true },
      whileSealed: true,
      params: NAMED,
      answers,
      async handle(context) {
        const row = await instance.database.read((reader) => publicLatest(reader, context.params.name));
        return reply(context, row, LATEST);
      },
    }),
    route({
      operationId: 'getTrustBundle',
      method: 'get',
      path: `${PATH}/:version`,
      tag: 'trust',
      summary: 'One version of a trust bundle: late devices walk through all of them',
      access: { public: true },
      whileSealed: true,
      params: NAMED.extend({ version: z.string().regex(/^[1-9][0-9]{0,8}$/, 'a version, or latest') }),
      answers,
      async handle(context) {
        const { name, version } = context.params;
        const row = await instance.database.read((reader) => publicVersion(reader, name, readVersion(version)));
        return reply(context, row, VERSION);
      },
    }),
  ];
}

/** What a device is served: in the canary ring of a root upgrade, or from its wave on, a version that others do not get yet. */
function deviceRoutes(instance: Instance): Route[] {
  const answers = {
    200: { description: 'the manifest file', schema: MANIFEST },
    304: { description: 'as you have it' },
  };
  const deviceOf = (caller: Caller): string => (caller.type === 'device' ? caller.id : '');
  return [
    route({
      operationId: 'getLatestTrustBundleOfDevice',
      method: 'get',
      path: `${DEVICE_PATH}/latest`,
      tag: 'trust',
      summary: 'The newest version of a trust bundle for the device that asks',
      access: { devices: true },
      params: NAMED,
      answers,
      async handle(context) {
        const device = deviceOf(context.caller);
        const row = await instance.database.read((reader) =>
          latestFor(reader, UPGRADE_FLEET, context.params.name, device),
        );
        return reply(context, row, OWN);
      },
    }),
    route({
      operationId: 'getTrustBundleOfDevice',
      method: 'get',
      path: `${DEVICE_PATH}/:version`,
      tag: 'trust',
      summary: 'One version of a trust bundle, as far as it is there for the device that asks',
      access: { devices: true },
      params: NAMED.extend({ version: z.string().regex(/^[1-9][0-9]{0,8}$/, 'a version, or latest') }),
      answers,
      async handle(context) {
        const { name: bundle, version: text } = context.params;
        const device = deviceOf(context.caller);
        const version = readVersion(text);
        const row = await instance.database.read((reader) =>
          versionFor(reader, UPGRADE_FLEET, { bundle, version, device }),
        );
        return reply(context, row, OWN);
      },
    }),
  ];
}

/** Routes of trust bundles. */
export function trustBundleRoutes(instance: Instance): Route[] {
  return [
    ...readRoutes(instance),
    ...deviceRoutes(instance),
    route({
      operationId: 'publishTrustBundle',
      method: 'post',
      path: PATH,
      tag: 'trust',
      summary: 'Publishes the next version, signed by every set that must sign it',
      access: { persons: MANIFEST_PUBLISHERS },
      idempotent: true,
      params: NAMED,
      body: MANIFEST,
      answers: {
        201: {
          description: 'published',
          schema: z.object({ bundle: ID, version: z.string(), digest: DIGEST }),
        },
      },
      async handle({ params, body, caller, requestId }) {
        const manifest = Buffer.from(canonicalizeSigned(body), 'utf8');
        const { bundle, version, digest } = await publishManifest(instance, caller, {
          bundle: params.name,
          manifest,
          requestId,
        });
        return {
          status: 201,
          headers: { location: `/api/v1/trust-bundles/${bundle}/${version}` },
          json: { bundle, version: String(version), digest },
        };
      },
    }),
  ];
}
