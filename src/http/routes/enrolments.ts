/** Enrolment of devices: nothing here is secret or unproven, so both listeners serve it the same. */
import { z } from 'zod';
import { decodePem } from '../../crypto/asn1/pem.ts';
import { ENVELOPE_FAMILIES } from '../../domain/envelope-family.ts';
import { DEVICE_READERS } from '../../flows/devices/device-access.ts';
import { enrolDevice, type EnrolmentOutcome } from '../../flows/enrolments/enrol-device.ts';
import type { EnrolmentAnswer } from '../../flows/enrolments/enrolment-answer.ts';
import { renewDevice } from '../../flows/enrolments/renew-device.ts';
import { listEnrolments } from '../../flows/enrolments/list-enrolments.ts';
import type { Instance } from '../../flows/instance.ts';
import type { EnrolmentRow } from '../../flows/ports/enrolments.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Reply, type Route } from '../route.ts';
import { BASE64, ID, timeText } from '../schemas.ts';

const STATES = ['PENDING', 'ISSUED'] as const;
const PEM_REQUEST = z
  .string()
  .max(32 * 1024)
  .startsWith('-----BEGIN CERTIFICATE REQUEST-----');

const CSR = z.union([BASE64, PEM_REQUEST]).describe('PKCS#10: base64 of DER, or PEM');

const ENROLMENT = z.strictObject({
  deviceId: ID,
  csr: CSR,
  tokenMac: z
    .string()
    .regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits')
    .describe('hex of HMAC-SM3(token, "KMC-ENROL-V1" 0x00 || DER of the CSR)'),
});

const ISSUED = z.object({
  signCertificate: z.string(),
  encCertificate: z.string(),
  envelopedKey: z.string().describe('the encryption key in an envelope to the signing key'),
  envelope: z.enum(ENVELOPE_FAMILIES).describe('family of envelopedKey; in csrResponse it is always gmt-0009'),
  csrResponse: z.string().describe('CSRResponse (GM/T 0092)'),
  chain: z.array(z.string()).describe('issuing CA, then root'),
  bundleVersion: z.string(),
});

function rendered(row: EnrolmentRow): object {
  return {
    id: row.id,
    deviceId: row.deviceId,
    operation: row.operation,
    kid: row.spkiSm3,
    state: row.state,
    closed: row.closed,
    createdAt: timeText(row.createdAt),
    changedAt: timeText(row.changedAt),
    ...(row.signSerial === undefined ? {} : { authority: row.authorityId, signSerial: row.signSerial }),
    ...(row.encSerial === undefined ? {} : { encSerial: row.encSerial }),
  };
}

function answerReply(answer: EnrolmentAnswer): Reply {
  const { signCertificate, encCertificate, envelopedKey, envelope, csrResponse, chain, bundleVersion } = answer;
  return {
    status: 200,
    json: {
      signCertificate: signCertificate.toString('base64'),
      encCertificate: encCertificate.toString('base64'),
      envelopedKey: envelopedKey.toString('base64'),
      envelope,
      csrResponse: csrResponse.toString('base64'),
      chain: chain.map((certificate) => certificate.toString('base64')),
      bundleVersion,
    },
  };
}

function outcomeReply(outcome: EnrolmentOutcome): Reply {
  if (outcome.state === 'PENDING') {
    const retryAfter = String(outcome.retryAfterSeconds);
    const json = { enrolmentId: outcome.enrolmentId, state: 'PENDING', code: 'E_PENDING', retryAfter };
    return { status: 202, headers: { 'retry-after': retryAfter }, json };
  }
  return answerReply(outcome.answer);
}

function requestDer(csr: string): Buffer {
  return csr.startsWith('-') ? decodePem(csr, 'CERTIFICATE REQUEST') : Buffer.from(csr, 'base64');
}

function renewalRoute(instance: Instance): Route {
  return route({
    operationId: 'renewDevice',
    method: 'post',
    path: '/api/v1/devices/self/renewals',
    tag: 'enrolments',
    summary: 'Renews the pair of the device that signs: a new signing key, and a new encryption key from here',
    access: { devices: true, nonce: 'service' },
    // Idempotent by itself: the same key gets the same answer.
    body: z.strictObject({ csr: CSR }),
    answers: { 200: { description: 'everything base64 of DER; the same for 72 h', schema: ISSUED } },
    async handle({ body, caller, requestId }) {
      return answerReply(await renewDevice(instance, caller, { csr: requestDer(body.csr), requestId }));
    },
  });
}

/** Routes of enrolments. */
export function enrolmentRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'enrolDevice',
      method: 'post',
      path: '/api/v1/enrolments',
      tag: 'enrolments',
      summary: 'Enrols a device: two certificates and the encryption key, enveloped to its signing key',
      access: { public: true },
      // Idempotent by itself: the same token with the same key gets the same answer.
      body: ENROLMENT,
      answers: {
        200: { description: 'everything base64 of DER; the same for 72 h', schema: ISSUED },
        202: { description: 'an approval is open: send the same request again after Retry-After' },
      },
      async handle({ body, requestId }) {
        const outcome = await enrolDevice(instance, {
          deviceId: body.deviceId,
          csr: requestDer(body.csr),
          tokenMac: Buffer.from(body.tokenMac, 'hex'),
          requestId,
        });
        return outcomeReply(outcome);
      },
    }),
    renewalRoute(instance),
    route({
      operationId: 'listEnrolments',
      method: 'get',
      path: '/api/v1/enrolments',
      tag: 'enrolments',
      summary: 'Enrolments; an ra-operator names a device of the own region',
      access: { persons: ['ra-operator', ...DEVICE_READERS] },
      query: z.strictObject({ ...PAGE_QUERY, device: ID.optional(), state: z.enum(STATES).optional() }),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(z.object({ id: ID })) }) } },
      async handle({ query, caller }) {
        const { device, state } = query;
        const page = pageOf(query);
        const filter = {
          ...(device === undefined ? {} : { deviceId: device }),
          ...(state === undefined ? {} : { state }),
        };
        const rows = await listEnrolments(instance, caller, filter, page);
        return listReply('/api/v1/enrolments', { device, state }, page, rows, (row) => row.id, rendered);
      },
    }),
  ];
}
