/** Certification authorities and their certificates, for everybody. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import type { AuthorityRow } from '../../flows/ports/authorities.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { formatName } from '../../x509/name.ts';
import { publishedReply } from '../published.ts';
import { route, type Route } from '../route.ts';
import { timeText } from '../schemas.ts';

const CERTIFICATE_FILE = z.strictObject({ file: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.cer$/) });
/** Seconds that a mirror may keep a certificate without asking again. */
const MAX_AGE = 3600;

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

/** Routes of authorities and their certificates. */
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
        const { certificate } = row;
        return publishedReply(context, {
          type: 'application/pkix-cert',
          body: certificate,
          digest: sm3Fingerprint(certificate),
          maxAge: MAX_AGE,
        });
      },
    }),
  ];
}
