/** CRLs: for everybody the newest of each scope, for CA operators the next one now. */
import { z } from 'zod';
import { COMPLETE, DELTA, type CrlScope } from '../../domain/crl-scope.ts';
import { REGION_CODE } from '../../domain/region.ts';
import { KmcError } from '../../errors.ts';
import { publishAllCrls } from '../../flows/certificates/publish-all-crls.ts';
import { publishCrl } from '../../flows/certificates/publish-crl.ts';
import type { Instance } from '../../flows/instance.ts';
import type { CrlRow } from '../../flows/ports/crls.ts';
import { publishedReply } from '../published.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';
import { ID } from '../schemas.ts';

const FILE = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.crl$/);
const CRL = { 200: { description: 'the CRL', type: 'application/pkix-crl' }, 503: { description: 'not yet' } } as const;
const PUBLISHED = z.object({ scope: z.string(), number: z.string(), digest: z.string(), entries: z.int() });
/** Seconds that a mirror may keep a CRL without asking again, at the most. */
const LONGEST_CACHE = 3600;
/** The same as a part of the interval at which CRLs of the scope are made. */
const CACHE_PART = 1 / 12;

function nameOf(file: string): string {
  return file.slice(0, -'.crl'.length);
}

function maxAge({ clock, policies }: Instance, { scope, nextUpdate }: CrlRow): number {
  const { crlIntervalSeconds, deltaCrlIntervalSeconds } = policies.revocation;
  const interval = scope === DELTA ? deltaCrlIntervalSeconds : crlIntervalSeconds;
  const left = (nextUpdate.getTime() - clock.now().getTime()) / 1000;
  return Math.min(LONGEST_CACHE, interval * CACHE_PART, left);
}

async function crlReply(
  instance: Instance,
  context: RequestContext<unknown, unknown, unknown>,
  { authorityId, scope }: { readonly authorityId: string; readonly scope: CrlScope },
): Promise<Reply> {
  return await instance.database.read(async (reader) => {
    const authority = await reader.authorities.find(authorityId);
    if (authority?.inventory === 'awaited') {
      const retry = { 'retry-after': '3600' };
      return { status: 503, headers: retry, json: { detail: 'the inventory of this authority is awaited' } };
    }
    const row = authority === undefined ? undefined : await reader.crls.latest(authorityId, scope);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'there is no CRL of that name');
    return publishedReply(context, {
      type: 'application/pkix-crl',
      body: row.crl,
      digest: row.crlSm3,
      maxAge: maxAge(instance, row),
      lastModified: row.thisUpdate,
      expires: row.nextUpdate,
    });
  });
}

function rendered({ scope, number, crlSm3, entries }: CrlRow): z.infer<typeof PUBLISHED> {
  return { scope, number: number.toString(), digest: crlSm3, entries };
}

function publicRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'getCrl',
      method: 'get',
      path: '/crl/:file',
      tag: 'authorities',
      summary: 'The complete CRL of an authority ({id}.crl), DER',
      access: { public: true },
      params: z.strictObject({ file: FILE }),
      answers: CRL,
      handle: (context) => crlReply(instance, context, { authorityId: nameOf(context.params.file), scope: COMPLETE }),
    }),
    route({
      operationId: 'getCrlPart',
      method: 'get',
      path: '/crl/:authority/:file',
      tag: 'authorities',
      summary: 'The CRL of one region ({code}.crl), or the delta CRL (delta.crl) of an authority, DER',
      access: { public: true },
      params: z.strictObject({ authority: ID, file: FILE }),
      answers: CRL,
      handle: (context) =>
        crlReply(instance, context, { authorityId: context.params.authority, scope: nameOf(context.params.file) }),
    }),
  ];
}

/** Routes of CRLs. */
export function crlRoutes(instance: Instance): Route[] {
  return [
    ...publicRoutes(instance),
    route({
      operationId: 'publishCrl',
      method: 'post',
      path: '/api/v1/authorities/:id/crls',
      tag: 'certificates',
      summary: 'Makes the next CRL of an authority now: the complete one and that of each region, or the one named',
      access: { persons: ['ca-operator'] },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({
        scope: z.union([z.literal(COMPLETE), z.literal(DELTA), z.string().regex(REGION_CODE)]).optional(),
      }),
      answers: { 201: { description: 'the new CRL', schema: PUBLISHED.extend({ shards: z.array(PUBLISHED) }) } },
      async handle({ params, body, caller }) {
        const [first, ...shards] =
          body.scope === undefined
            ? await publishAllCrls(instance, caller, params.id)
            : [await publishCrl(instance, caller, params.id, body.scope)];
        return { status: 201, json: { ...rendered(first), shards: shards.map(rendered) } };
      },
    }),
  ];
}
