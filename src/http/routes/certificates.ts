/** Certificates: the inventory for people, revocation by CA operators. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { releaseCertificate } from '../../flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../flows/certificates/revoke-certificate.ts';
import type { Instance } from '../../flows/instance.ts';
import type { CertificateRow } from '../../flows/ports/certificates.ts';
import { formatName } from '../../x509/name.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, TIME, timeText } from '../schemas.ts';

const READERS = ['ca-operator', 'ca-owner', 'security-administrator', 'system-administrator', 'auditor'] as const;
const REASON = z.enum([
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
]);
const FILTER = z.strictObject({
  ...PAGE_QUERY,
  authority: ID.optional(),
  device: ID.optional(),
  status: z.enum(['good', 'on-hold', 'revoked']).optional(),
});

function rendered(row: CertificateRow): object {
  return {
    id: row.id,
    authority: row.authorityId,
    serialNumber: row.serialNumber,
    status: row.status,
    subject: formatName(row.subject),
    kid: row.spkiSm3,
    profile: row.profile,
    source: row.source,
    notBefore: timeText(row.notBefore),
    notAfter: timeText(row.notAfter),
    ...(row.deviceId === undefined ? {} : { device: row.deviceId }),
    ...(row.pairId === undefined ? {} : { pair: row.pairId }),
    ...(row.revokedAt === undefined ? {} : { revokedAt: timeText(row.revokedAt), reason: row.reason }),
    ...(row.certificate === undefined ? {} : { certificate: row.certificate.toString('base64') }),
  };
}

function readRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listCertificates',
      method: 'get',
      path: '/api/v1/certificates',
      tag: 'certificates',
      summary: 'Certificates issued and imported',
      access: { persons: READERS },
      query: FILTER,
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(z.object({})) }) } },
      async handle({ query }) {
        const { authority, device, status } = query;
        const filter = {
          ...(authority === undefined ? {} : { authorityId: authority }),
          ...(device === undefined ? {} : { deviceId: device }),
          ...(status === undefined ? {} : { status }),
        };
        const page = pageOf(query);
        const rows = await instance.database.read((reader) => reader.certificates.list(filter, page));
        return listReply('/api/v1/certificates', { authority, device, status }, page, rows, (row) => row.id, rendered);
      },
    }),
    route({
      operationId: 'getCertificate',
      method: 'get',
      path: '/api/v1/certificates/:id',
      tag: 'certificates',
      summary: 'One certificate',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: { 200: { description: 'the certificate', schema: z.object({}) } },
      async handle({ params }) {
        const row = await instance.database.read((reader) => reader.certificates.find(params.id));
        if (row === undefined) throw new KmcError('E_NOT_FOUND', 'there is no certificate of that id');
        return { status: 200, json: rendered(row) };
      },
    }),
  ];
}

/** Routes of certificates. */
export function certificateRoutes(instance: Instance): Route[] {
  return [
    ...readRoutes(instance),
    route({
      operationId: 'revokeCertificate',
      method: 'post',
      path: '/api/v1/certificates/:id/revocations',
      tag: 'certificates',
      summary: 'Revokes a certificate and the other half of its pair, or puts them on hold',
      access: { persons: ['ca-operator'] },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({ reason: REASON, invalidityDate: TIME.optional() }),
      answers: { 201: { description: 'what is revoked or on hold now', schema: z.object({ revoked: z.array(ID) }) } },
      async handle({ params, body, caller, requestId }) {
        const revoked = await revokeCertificate(instance, caller, {
          certificateId: params.id,
          reason: body.reason,
          requestId,
          ...(body.invalidityDate === undefined ? {} : { invalidityDate: new Date(body.invalidityDate) }),
        });
        return { status: 201, json: { revoked } };
      },
    }),
    route({
      operationId: 'releaseCertificate',
      method: 'post',
      path: '/api/v1/certificates/:id/release',
      tag: 'certificates',
      summary: 'Takes a certificate and the other half of its pair off hold',
      access: { persons: ['ca-operator'] },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({}),
      answers: { 200: { description: 'what is good again', schema: z.object({ released: z.array(ID) }) } },
      async handle({ params, caller, requestId }) {
        const released = await releaseCertificate(instance, caller, { certificateId: params.id, requestId });
        return { status: 200, json: { released } };
      },
    }),
  ];
}
