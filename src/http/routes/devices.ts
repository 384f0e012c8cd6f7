/** Devices and their one-time tokens, for the registration authorities. */
import { z } from 'zod';
import { DEVICE_KINDS, DEVICE_SERIAL, DEVICE_STATUSES, DNS_NAME, NAMES_LIMIT } from '../../domain/device.ts';
import { issueToken, type IssuedToken } from '../../flows/devices/issue-token.ts';
import { DEVICE_READERS } from '../../flows/devices/device-access.ts';
import { listDevices } from '../../flows/devices/list-devices.ts';
import { registerDevice } from '../../flows/devices/register-device.ts';
import { revokeToken } from '../../flows/devices/revoke-token.ts';
import { showDevice } from '../../flows/devices/show-device.ts';
import type { Instance } from '../../flows/instance.ts';
import type { CertificateRow } from '../../flows/ports/certificates.ts';
import type { DeviceRow } from '../../flows/ports/devices.ts';
import { formatName } from '../../x509/name.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, REGION, timeText } from '../schemas.ts';

const READERS = ['ra-operator', ...DEVICE_READERS] as const;
const TEXT = z.string().min(1).max(64);
const KID = z.string().regex(/^sm3:[0-9a-f]{64}$/, 'sm3: and 64 hex digits');

const REGISTRATION = z.strictObject({
  id: ID.optional().describe('a new one unless given'),
  kind: z.enum(DEVICE_KINDS).default('gateway'),
  vendor: TEXT,
  model: TEXT,
  serial: z.string().regex(DEVICE_SERIAL, 'a serial number'),
  region: REGION,
  unit: TEXT,
  profile: ID.default('gateway').describe('a device profile of policy'),
  organization: TEXT,
  commonName: TEXT,
  dnsNames: z.array(z.string().regex(DNS_NAME, 'a host name in lower case')).min(1).max(NAMES_LIMIT),
  ipAddresses: z.array(z.string().min(2).max(45)).max(NAMES_LIMIT).default([]),
});

const DEVICE = z.object({
  id: ID,
  status: z.enum(DEVICE_STATUSES),
  region: REGION,
  profile: ID,
  subject: z.string(),
  subjectDer: z.string().describe('Name, base64 of DER: what a CSR must ask for'),
  alternativeNames: z.array(z.object({ type: z.string(), value: z.string() })),
});

const FILTER = z.strictObject({
  ...PAGE_QUERY,
  region: REGION.optional(),
  status: z.enum(DEVICE_STATUSES).optional(),
  kind: z.enum(DEVICE_KINDS).optional(),
});

const TOKEN_ANSWER = z.object({
  tokenId: ID,
  deviceId: ID,
  token: z.object({ algorithm: z.literal('SM2'), ciphertext: z.string() }),
  expiresAt: z.string(),
  subjectDer: z.string().describe('Name, base64 of DER: what its CSR must ask for'),
  alternativeNames: z.array(z.object({ type: z.string(), value: z.string() })),
});

function rendered(row: DeviceRow): object {
  return {
    id: row.id,
    kind: row.kind,
    vendor: row.vendor,
    model: row.model,
    serial: row.serial,
    region: row.region,
    registrationAuthority: row.registrationAuthority,
    unit: row.unit,
    tier: row.tier,
    profile: row.profile,
    subject: formatName(row.subject),
    subjectDer: row.subject.toString('base64'),
    alternativeNames: JSON.parse(row.alternativeNames) as unknown,
    status: row.status,
    version: String(row.version),
    registeredBy: row.registeredBy,
    registeredAt: timeText(row.registeredAt),
    changedAt: timeText(row.changedAt),
    ...(row.firmware === undefined ? {} : { firmware: row.firmware }),
    ...(row.spkiSm3 === undefined ? {} : { kid: row.spkiSm3 }),
  };
}

function renderedCertificate(row: CertificateRow): object {
  return {
    id: row.id,
    authority: row.authorityId,
    serialNumber: row.serialNumber,
    profile: row.profile,
    status: row.status,
    notBefore: timeText(row.notBefore),
    notAfter: timeText(row.notAfter),
  };
}

function renderedToken({ token, device, ciphertext }: IssuedToken): object {
  return {
    tokenId: token.id,
    deviceId: device.id,
    token: { algorithm: 'SM2', ciphertext: ciphertext.toString('base64') },
    expiresAt: timeText(token.expiresAt),
    subjectDer: device.subject.toString('base64'),
    alternativeNames: JSON.parse(device.alternativeNames) as unknown,
  };
}

function readRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listDevices',
      method: 'get',
      path: '/api/v1/devices',
      tag: 'devices',
      summary: 'Devices, for an ra-operator those of the own region',
      access: { persons: READERS },
      query: FILTER,
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(DEVICE) }) } },
      async handle({ query, caller }) {
        const { region, status, kind } = query;
        const filter = {
          ...(region === undefined ? {} : { region }),
          ...(status === undefined ? {} : { status }),
          ...(kind === undefined ? {} : { kind }),
        };
        const page = pageOf(query);
        const rows = await listDevices(instance, caller, filter, page);
        return listReply('/api/v1/devices', filter, page, rows, (row) => row.id, rendered);
      },
    }),
    route({
      operationId: 'getDevice',
      method: 'get',
      path: '/api/v1/devices/:id',
      tag: 'devices',
      summary: 'One device with its certificates',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: {
        200: { description: 'the device', schema: DEVICE },
        404: { description: 'absent, or of another region' },
      },
      async handle({ params, caller }) {
        const { device, certificates } = await showDevice(instance, caller, params.id);
        return { status: 200, json: { ...rendered(device), certificates: certificates.map(renderedCertificate) } };
      },
    }),
  ];
}

function tokenRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'issueToken',
      method: 'post',
      path: '/api/v1/devices/:id/tokens',
      tag: 'devices',
      summary:
        "Issues a device's one-time token, by another person than its registrar, encrypted to the caller's certificate",
      access: { persons: ['ra-operator'] },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({
        delivery: z.enum(['in-person', 'remote']).default('remote').describe('how it reaches the device'),
        kid: KID.optional().describe('the only key that may use it, where it is known'),
      }),
      answers: { 201: { description: 'the token for the caller alone', schema: TOKEN_ANSWER } },
      async handle({ params, body, caller, requestId }) {
        const issued = await issueToken(instance, caller, {
          deviceId: params.id,
          delivery: body.delivery,
          requestId,
          ...(body.kid === undefined ? {} : { boundSpkiSm3: body.kid }),
        });
        return { status: 201, json: renderedToken(issued) };
      },
    }),
    route({
      operationId: 'revokeToken',
      method: 'post',
      path: '/api/v1/devices/:id/tokens/:tokenId/revocation',
      tag: 'devices',
      summary: 'Makes an unused token worthless',
      access: { persons: ['ra-operator'] },
      idempotent: true,
      params: z.strictObject({ id: ID, tokenId: ID }),
      body: z.strictObject({}),
      answers: { 200: { description: 'revoked', schema: z.object({ tokenId: ID, state: z.literal('revoked') }) } },
      async handle({ params, caller, requestId }) {
        await revokeToken(instance, caller, { deviceId: params.id, tokenId: params.tokenId, requestId });
        return { status: 200, json: { tokenId: params.tokenId, state: 'revoked' } };
      },
    }),
  ];
}

/** Routes of devices and their tokens. */
export function deviceRoutes(instance: Instance): Route[] {
  return [
    ...readRoutes(instance),
    route({
      operationId: 'registerDevice',
      method: 'post',
      path: '/api/v1/devices',
      tag: 'devices',
      summary: "Registers a device in the caller's own region; one of a marked profile waits for its approval",
      access: { persons: ['ra-operator'] },
      idempotent: true,
      body: REGISTRATION,
      answers: { 201: { description: 'the device', schema: DEVICE.extend({ approvalRequest: ID.optional() }) } },
      async handle({ body, caller, requestId }) {
        const { region, id, ...registration } = body;
        const { device, approvalRequestId } = await registerDevice(instance, caller, {
          registration: { ...registration, ...(id === undefined ? {} : { id }) },
          region,
          requestId,
        });
        const json = {
          ...rendered(device),
          ...(approvalRequestId === undefined ? {} : { approvalRequest: approvalRequestId }),
        };
        return { status: 201, headers: { location: `/api/v1/devices/${device.id}` }, json };
      },
    }),
    ...tokenRoutes(instance),
  ];
}
