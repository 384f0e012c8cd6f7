/** Certification authorities under supervision: what is counted of them. */
import { z } from 'zod';
import { SUPERVISED_CERTIFICATE_STATUSES, WEAKNESSES } from '../../domain/supervised-authority.ts';
import { DEVICE_READERS } from '../../flows/devices/device-access.ts';
import type { Instance } from '../../flows/instance.ts';
import type { SupervisedCertificateRow } from '../../flows/ports/supervised-authorities.ts';
import { listSupervisedAuthorities } from '../../flows/supervised-authorities/list-supervised-authorities.ts';
import {
  showSupervisedAuthority,
  type ShownSupervised,
} from '../../flows/supervised-authorities/show-supervised-authority.ts';
import { formatName } from '../../x509/name.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, REGION, TIME, timeText } from '../schemas.ts';

const PATH = '/api/v1/supervision/authorities';
const TAG = 'supervision';
const READERS = DEVICE_READERS;
const PARAMS = z.strictObject({ id: ID });
const STATE = z.enum(['active', 'ended']);
const STATUS = z.enum(SUPERVISED_CERTIFICATE_STATUSES);
const NUMBER = z.int().min(0);

const AUTHORITY = z.object({
  id: ID,
  region: REGION,
  name: z.string(),
  subject: z.string(),
  kid: z.string(),
  state: STATE,
  crlUrl: z.string(),
  certificatesUrl: z.string().optional(),
  registeredAt: TIME,
  certificates: z.array(
    z.object({
      algorithm: z.string(),
      valid: NUMBER,
      expired: NUMBER,
      revoked: NUMBER.describe('on hold too'),
      weak: NUMBER.describe('of the valid ones: weak cryptography'),
      faulty: NUMBER.describe('of the valid ones: broken lint rules'),
    }),
  ),
  crl: z
    .object({ number: z.string(), thisUpdate: TIME, nextUpdate: TIME, entries: NUMBER, stale: z.boolean() })
    .optional(),
  fetch: z
    .object({ triedAt: TIME, succeededAt: TIME.optional(), failures: NUMBER, failure: z.string().optional() })
    .optional(),
});

const CERTIFICATE = z.object({
  id: ID,
  serialNumber: z.string(),
  subject: z.string(),
  certificate: z.string().describe('sm3:<hex> of its DER'),
  algorithm: z.string(),
  signatureAlgorithm: z.string(),
  notBefore: TIME,
  notAfter: TIME,
  status: STATUS,
  revokedAt: TIME.optional(),
  weaknesses: z.array(z.enum(WEAKNESSES)),
  findings: z.array(z.string()).describe('lint rules that it breaks'),
});

function rendered({ row, counts, newest, fetched }: ShownSupervised, now: Date): z.infer<typeof AUTHORITY> {
  return {
    id: row.id,
    region: row.region,
    name: row.name,
    subject: formatName(row.subject),
    kid: row.spkiSm3,
    state: row.state,
    crlUrl: row.crlUrl,
    ...(row.certificatesUrl === undefined ? {} : { certificatesUrl: row.certificatesUrl }),
    registeredAt: timeText(row.registeredAt),
    certificates: [...counts],
    ...(newest === undefined
      ? {}
      : {
          crl: {
            number: newest.number.toString(),
            thisUpdate: timeText(newest.thisUpdate),
            nextUpdate: timeText(newest.nextUpdate),
            entries: newest.entries,
            stale: newest.nextUpdate <= now,
          },
        }),
    ...(fetched === undefined
      ? {}
      : {
          fetch: {
            triedAt: timeText(fetched.triedAt),
            ...(fetched.succeededAt === undefined ? {} : { succeededAt: timeText(fetched.succeededAt) }),
            failures: fetched.failures,
            ...(fetched.failure === undefined ? {} : { failure: fetched.failure }),
          },
        }),
  };
}

function renderedCertificate(row: SupervisedCertificateRow): z.infer<typeof CERTIFICATE> {
  return {
    id: row.id,
    serialNumber: row.serialNumber,
    subject: formatName(row.subject),
    certificate: row.certificateSm3,
    algorithm: row.algorithm,
    signatureAlgorithm: row.signatureAlgorithm,
    notBefore: timeText(row.notBefore),
    notAfter: timeText(row.notAfter),
    status: row.status,
    ...(row.revokedAt === undefined ? {} : { revokedAt: timeText(row.revokedAt) }),
    weaknesses: [...row.weaknesses],
    findings: [...row.findings],
  };
}

function certificatesRoute(instance: Instance): Route {
  return route({
    operationId: 'listSupervisedCertificates',
    method: 'get',
    path: `${PATH}/:id/certificates`,
    tag: TAG,
    summary: 'Certificates that were imported of the authority',
    access: { persons: READERS },
    params: PARAMS,
    query: z.strictObject({ ...PAGE_QUERY, status: STATUS.optional() }),
    answers: { 200: { description: 'a page', schema: z.object({ items: z.array(CERTIFICATE) }) } },
    async handle({ params, query }) {
      const { status } = query;
      const page = pageOf(query);
      await showSupervisedAuthority(instance, params.id);
      const filter = { authorityId: params.id, ...(status === undefined ? {} : { status }) };
      const rows = await instance.database.read((reader) => reader.supervisedAuthorities.certificates(filter, page));
      return listReply(
        `${PATH}/${params.id}/certificates`,
        { status },
        page,
        rows,
        ({ id }) => id,
        renderedCertificate,
      );
    },
  });
}

/** Routes of certification authorities under supervision. */
export function supervisedAuthorityRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listSupervisedAuthorities',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Certification authorities under supervision (电子认证监管), with what is counted of them',
      access: { persons: READERS },
      console: true,
      query: z.strictObject({ ...PAGE_QUERY, region: REGION.optional(), state: STATE.optional() }),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(AUTHORITY) }) } },
      async handle({ query }) {
        const { region, state } = query;
        const filter = { ...(region === undefined ? {} : { region }), ...(state === undefined ? {} : { state }) };
        const page = pageOf(query);
        const all = await listSupervisedAuthorities(instance, filter, page);
        const now = instance.clock.now();
        return listReply(
          PATH,
          filter,
          page,
          all,
          ({ row }) => row.id,
          (one) => rendered(one, now),
        );
      },
    }),
    route({
      operationId: 'getSupervisedAuthority',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One certification authority under supervision',
      access: { persons: READERS },
      params: PARAMS,
      answers: { 200: { description: 'the authority', schema: AUTHORITY } },
      async handle({ params }) {
        const shown = await showSupervisedAuthority(instance, params.id);
        return { status: 200, json: rendered(shown, instance.clock.now()) };
      },
    }),
    certificatesRoute(instance),
  ];
}
