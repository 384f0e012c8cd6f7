/** Certification authorities and what they publish: certificates and CRLs, for everybody. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import type { AuthorityRow } from '../../flows/ports/authorities.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { formatName } from '../../x509/name.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';
import { timeText } from '../schemas.ts';

const CERTIFICATE_FILE = z.strictObject({ file: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.cer$/) });
const CRL_FILE = z.strictObject({ file: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.crl$/) });
/** Seconds that a mirror may keep a CRL or a certificate without asking again. */
const CACHE = 'public, max-age=3600, must-revalidate';

function idOf(file: string): string {
  return file.slice(0, -4);
}

function rendered(row: AuthorityRow): object {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    subject: formatName(row.subject),
    algorithm: row.algorithm,
    kid: row.spkiSm3,
    notBefore: timeText(row.notBefore),
    notAfter: timeText(row.notAfter),
    crlNumber: row.crlNumber.toString(),
    certificate: row.certificate.toString('base64'),
    ...(row.generation === undefined ? {} : { generation: row.generation }),
    ...(row.issuerId === undefined ? {} : { issuer: row.issuerId }),
  };
}

/** DER with a strong ETag; 304 when the caller has it already. */
function published(context: RequestContext<unknown, unknown, unknown>, type: string, body: Buffer, sm3: string): Reply {
  const etag = `"${sm3.replace(':', '-')}"`;
  const headers = { etag, 'cache-control': CACHE };
  if (context.header('if-none-match') === etag) return { status: 304, headers };
  return { status: 200, headers, bytes: { type, body } };
}

async function crlReply(
  instance: Instance,
  context: RequestContext<{ file: string }, unknown, unknown>,
): Promise<Reply> {
  const id = idOf(context.params.file);
  return await instance.database.read(async (reader) => {
    const authority = await reader.authorities.find(id);
    if (authority === undefined) throw new KmcError('E_NOT_FOUND', 'there is no CRL of that name');
    if (authority.inventory === 'awaited') {
      const retry = { 'retry-after': '3600' };
      return { status: 503, headers: retry, json: { detail: 'the inventory of this authority is awaited' } };
    }
    const crl = await reader.crls.latest(id, 'complete');
    if (crl === undefined) throw new KmcError('E_NOT_FOUND', 'there is no CRL of that name');
    return published(context, 'application/pkix-crl', crl.crl, crl.crlSm3);
  });
}

/** Routes of authorities, their certificates and their CRLs. */
export function authorityRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listAuthorities',
      method: 'get',
      path: '/api/v1/authorities',
      tag: 'authorities',
      summary: 'The certification authorities of this service',
      access: { public: true },
      answers: { 200: { description: 'all of them', schema: z.object({ items: z.array(z.object({})) }) } },
      async handle() {
        const rows = await instance.database.read((reader) => reader.authorities.list({}));
        return { status: 200, json: { items: rows.map(rendered) } };
      },
    }),
    route({
      operationId: 'getAuthorityCertificate',
      method: 'get',
      path: '/ca/:file',
      tag: 'authorities',
      summary: 'The certificate of an authority ({id}.cer), DER',
      access: { public: true },
      params: CERTIFICATE_FILE,
      answers: { 200: { description: 'the certificate', type: 'application/pkix-cert' } },
      async handle(context) {
        const row = await instance.database.read((reader) => reader.authorities.find(idOf(context.params.file)));
        if (row === undefined) throw new KmcError('E_NOT_FOUND', 'there is no authority of that name');
        return published(context, 'application/pkix-cert', row.certificate, sm3Fingerprint(row.certificate));
      },
    }),
    route({
      operationId: 'getCrl',
      method: 'get',
      path: '/crl/:file',
      tag: 'authorities',
      summary: 'The complete CRL of an authority ({id}.crl), DER',
      access: { public: true },
      params: CRL_FILE,
      answers: { 200: { description: 'the CRL', type: 'application/pkix-crl' }, 503: { description: 'not yet' } },
      handle: (context) => crlReply(instance, context),
    }),
  ];
}
