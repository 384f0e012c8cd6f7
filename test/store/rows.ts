/** Rows for tests: whole and allowed; a test says only what it is about. */
import type { AuthorityRow } from '../../src/flows/ports/authorities.ts';
import type { CertificateRow } from '../../src/flows/ports/certificates.ts';
import type { DeviceRow } from '../../src/flows/ports/devices.ts';
import type { EnrolmentTokenRow } from '../../src/flows/ports/enrolment-tokens.ts';
import type { EnrolmentRow } from '../../src/flows/ports/enrolments.ts';
import type { EscrowedKeyRow, KeyOwner } from '../../src/flows/ports/escrowed-keys.ts';
import type { AccountRow, PersonRow } from '../../src/flows/ports/people.ts';
import type { RequestRow } from '../../src/flows/ports/requests.ts';
import type { DatabaseFixture } from './databases.ts';

export const AT = new Date('2026-11-23T11:15:40.123Z');

export function later(seconds: number): Date {
  return new Date(AT.getTime() + seconds * 1000);
}

let events = 0;

/** Puts a bare event into the log, past the product, and returns its id: what a row may name as its last event. */
export async function recordEvent(fixture: DatabaseFixture): Promise<string> {
  const id = `ev-${(events += 1)}`;
  await fixture.sql(
    `insert into audit_event (id, ts, cls, act, ph, outcome, canon, leaf)
     values (?, '2026-11-23T11:15:40.123Z', 'test', 'test', 'single', 'success', ?, ?)`,
    [id, Buffer.from(id), Buffer.alloc(32, 7)],
  );
  return id;
}

export function person(id: string, given: Partial<PersonRow> = {}): PersonRow {
  return {
    id,
    name: `Name of ${id}`,
    unit: 'unit-1',
    organisation: 'organisation-1',
    region: undefined,
    identityDigest: undefined,
    status: 'active',
    version: 1,
    createdAt: AT,
    ...given,
  };
}

export function account(personId: string, mark: string, given: Partial<AccountRow> = {}): AccountRow {
  return {
    certificateSm3: `sm3:certificate-${mark}`,
    kid: `sm3:key-${mark}`,
    personId,
    certificate: Buffer.from(`certificate ${mark}`),
    tokenSerial: undefined,
    notBefore: AT,
    notAfter: later(1000),
    status: 'valid',
    createdAt: AT,
    ...given,
  };
}

export function request(id: string, lastAuditEvent: string, given: Partial<RequestRow> = {}): RequestRow {
  return {
    id,
    digest: `sm3:request-${id}`,
    canonical: Buffer.from(`{"id":"${id}"}`),
    op: 'root.activate',
    class: 'L3',
    state: 'OPEN',
    version: 1,
    proposer: 'p-9',
    target: 'root-upgrade/u-1',
    preState: 'READY',
    targetVersion: '17',
    policyDigest: 'sm3:aa',
    createdAt: AT,
    expiresAt: later(3600),
    quorumAt: undefined,
    changedAt: AT,
    lastAuditEvent,
    ...given,
  };
}

export function device(id: string, given: Partial<DeviceRow> = {}): DeviceRow {
  return {
    id,
    kind: 'gateway',
    vendor: 'vendor',
    model: 'model',
    serial: `serial-${id}`,
    firmware: undefined,
    region: '110000',
    registrationAuthority: 'ra-1',
    unit: 'unit-1',
    tier: 'standard',
    profile: 'gateway',
    subject: Buffer.from(`subject of ${id}`),
    alternativeNames: '[]',
    status: 'registered',
    version: 1,
    spkiSm3: undefined,
    registeredBy: 'p-1',
    registeredAt: AT,
    changedAt: AT,
    ...given,
  };
}

export function token(id: string, deviceId: string, given: Partial<EnrolmentTokenRow> = {}): EnrolmentTokenRow {
  return {
    id,
    deviceId,
    label: 'gateway',
    state: 'issued',
    tokenSm3: `sm3:token-${id}`,
    sealedToken: Buffer.from('sealed'),
    kekVersion: 1,
    boundSpkiSm3: undefined,
    issuedBy: 'p-2',
    issuedAt: AT,
    expiresAt: later(72 * 3600),
    tries: 0,
    lockedUntil: undefined,
    usedAt: undefined,
    usedSpkiSm3: undefined,
    enrolmentId: undefined,
    eraseAt: later(72 * 3600),
    ...given,
  };
}

export function enrolment(id: string, deviceId: string, given: Partial<EnrolmentRow> = {}): EnrolmentRow {
  return {
    id,
    deviceId,
    label: 'gateway',
    operation: 'enrol',
    spkiSm3: 'sm3:key-1',
    state: 'RECEIVED',
    version: 1,
    csr: Buffer.from('csr'),
    tokenId: undefined,
    requestId: undefined,
    authorityId: undefined,
    signSerial: undefined,
    encSerial: undefined,
    envelopedKey: undefined,
    answerUntil: undefined,
    bundleVersion: undefined,
    reason: undefined,
    createdAt: AT,
    changedAt: AT,
    expiresAt: later(30 * 86_400),
    closed: false,
    ...given,
  };
}

export function authority(id: string, given: Partial<AuthorityRow> = {}): AuthorityRow {
  return {
    id,
    kind: 'issuing',
    generation: 'G2',
    subject: Buffer.from(`subject of ${id}`),
    algorithm: 'SM2',
    spkiSm3: `sm3:key-of-${id}`,
    certificate: Buffer.from(`certificate of ${id}`),
    keyId: `key-${id}`,
    issuerId: undefined,
    state: 'active',
    inventory: 'none',
    crlNumber: 0n,
    notBefore: AT,
    notAfter: later(86_400),
    version: 1,
    createdAt: AT,
    ...given,
  };
}

export function certificate(
  id: string,
  authorityId: string,
  lastAuditEvent: string,
  given: Partial<CertificateRow> = {},
): CertificateRow {
  return {
    id,
    authorityId,
    serialNumber: `serial-${id}`,
    status: 'good',
    subject: Buffer.from(`subject of ${id}`),
    spkiSm3: `sm3:key-of-${id}`,
    profile: 'gateway-sign',
    notBefore: AT,
    notAfter: later(86_400),
    certificate: Buffer.from(`certificate ${id}`),
    certificateSm3: `sm3:certificate-${id}`,
    certificateSha256: `sha256:certificate-${id}`,
    source: 'issued',
    pairId: undefined,
    deviceId: undefined,
    shard: '110000',
    revokedAt: undefined,
    reason: undefined,
    invalidityDate: undefined,
    createdAt: AT,
    lastAuditEvent,
    ...given,
  };
}

/** A certificate of which nothing is signed yet. */
export const UNSIGNED = {
  status: 'reserved',
  certificate: undefined,
  certificateSm3: undefined,
  certificateSha256: undefined,
} as const;

export function escrowedKey(id: string, lastAuditEvent: string, given: Partial<EscrowedKeyRow> = {}): EscrowedKeyRow {
  return {
    id,
    algorithm: 'SM2',
    state: 'spare',
    store: 'standby',
    version: 1,
    spki: Buffer.from(`spki ${id}`),
    spkiSm3: `sm3:spki-${id}`,
    sealedKey: Buffer.from(`sealed ${id}`),
    kekVersion: 1,
    objectVersion: 1,
    batchId: 'batch-1',
    owner: undefined,
    createdAt: AT,
    activatedAt: undefined,
    changedAt: AT,
    stateReason: undefined,
    compromisedAt: undefined,
    destroyAfter: undefined,
    lastAuditEvent,
    ...given,
  };
}

export function owner(authorityId: string, certificateSerial: string, given: Partial<KeyOwner> = {}): KeyOwner {
  return {
    authorityId,
    certificateSerial,
    subject: Buffer.from('subject'),
    recipientSpkiSm3: 'sm3:recipient',
    deviceId: undefined,
    ...given,
  };
}
