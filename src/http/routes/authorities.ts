/** Certification authorities and what they publish: certificates and CRLs, for everybody. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import type { AuthorityRow } from '../../flows/ports/authorities.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { formatName } from '../../x509/name.ts';
import { published } from '../published.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';
import { timeText } from '../schemas.ts';

const CERTIFICATE_FILE = z.strictObject({ file: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.cer$/) });
const CRL_FILE = z.strictObject({ file: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.crl$/) });
const HOURLY = 'public, max-age=3600, must-revalidate';

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
    return published(context, { type: 'application/pkix-crl', body: crl.crl, digest: crl.crlSm3, cache: HOURLY });
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
        const { certificate: body } = row;
        const digest = sm3Fingerprint(body);
        return published(context, { type: 'application/pkix-cert', body, digest, cache: HOURLY });
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
