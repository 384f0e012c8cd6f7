import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { readAlternativeNames } from '../../domain/device.ts';
import { FIRST_ENROLMENT, requireRegisteredNames } from '../../domain/enrolment.ts';
import { newId } from '../../domain/id.ts';
import { deviceProfile, type DeviceProfile } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { parseCsr, verifyProofOfPossession, type CertificationRequest } from '../../x509/csr.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { waitsForApproval } from '../devices/register-marked-device.ts';
import type { Instance } from '../instance.ts';
import { retryTaken } from '../keys/retry-taken.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import { findDeviceAuthority, openDeviceAuthority } from './device-authority.ts';
import { enrolmentAnswer, type EnrolmentAnswer } from './enrolment-answer.ts';
import { findScenes, requireTokenFor, type EnrolmentScene } from './enrolment-scene.ts';
import { issuePair, type IssuedPair } from './issue-pair.ts';
import { isProven, tokenRefused } from './prove-token.ts';
import { recordRefusedRequest } from './record-refused-request.ts';
import { NOT_ISSUED, recordPair, recordWaitingPair } from './record-enrolment.ts';
import { redeliver } from './redeliver.ts';
import { waitForApproval } from './wait-for-approval.ts';

export type EnrolDevicePorts = Pick<
  Instance,
  'id' | 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'
>;

export interface EnrolDeviceInput {
  readonly deviceId: string;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  /** HMAC-SM3(token, "KMC-ENROL-V1" 0x00 || csr), 32 octets. */
  readonly tokenMac: Buffer;
  readonly requestId?: string;
}

export type EnrolmentOutcome =
  | { readonly state: 'ISSUED'; readonly answer: EnrolmentAnswer }
  | { readonly state: 'PENDING'; readonly enrolmentId: string; readonly retryAfterSeconds: number };

/** Reads the request and checks that its sender has the private key. @throws KmcError E_DER, E_SIZE, E_CSR, E_POINT, E_KEY, E_POP. */
function readRequest(csr: Buffer): CertificationRequest {
  const request = parseCsr(csr);
  if (request.keyAlgorithm !== 'SM2') {
    throw new KmcError('E_CSR', 'A dual enrolment is for an SM2 signing key. Make one and sign the request with it.');
  }
  verifyProofOfPossession(request);
  return request;
}

/** The profile of a device that gets a pair. @throws KmcError E_POLICY. */
function pairProfile(ports: EnrolDevicePorts, name: string): DeviceProfile & { readonly enc: string } {
  const profile = deviceProfile(ports.policies, name);
  if (profile.enc === undefined) throw new KmcError('E_POLICY', 'The profile of the device has no certificate pair.');
  return { ...profile, enc: profile.enc };
}

function newRow(ports: EnrolDevicePorts, scene: EnrolmentScene): EnrolmentRow {
  const { at, device, token, request } = scene;
  return {
    id: newId('en', at),
    deviceId: device.id,
    label: token.label,
    operation: FIRST_ENROLMENT,
    spkiSm3: scene.spkiSm3,
    state: 'PENDING',
    version: 1,
    csr: request.der,
    tokenId: token.id,
    requestId: undefined,
    ...NOT_ISSUED,
    reason: undefined,
    createdAt: at,
    changedAt: at,
    expiresAt: new Date(at.getTime() + ports.policies.enrolment.pendingSeconds * 1000),
    closed: false,
  };
}

function issuedRow(row: EnrolmentRow, { sign, enc, envelopedKey }: IssuedPair, answerUntil: Date): EnrolmentRow {
  return {
    ...row,
    state: 'ISSUED',
    authorityId: sign.authorityId,
    signSerial: sign.serialNumber,
    encSerial: enc.serialNumber,
    envelopedKey,
    answerUntil,
  };
}

/** Issues the pair for a new row, or for one that waited until now. */
async function issue(
  ports: EnrolDevicePorts,
  scene: EnrolmentScene,
  waiting?: EnrolmentRow,
): Promise<EnrolmentOutcome> {
  const { device, request, at } = scene;
  const profile = pairProfile(ports, device.profile);
  if (device.status !== 'registered' && device.status !== 'in-service') {
    throw new KmcError('E_STATE', `The device is ${device.status}: it cannot enrol.`);
  }
  const found = await ports.database.read(async (reader) => {
    await requireCertifiable(reader, scene.spkiSm3, { deviceId: device.id });
    return await findDeviceAuthority(ports, reader);
  });
  const authority = await openDeviceAuthority(ports, found);
  const { appliesForKeys } = found;
  const plan = { device, profile, authority, appliesForKeys, signSpki: request.spki, at, auditEvent: newId('ev', at) };
  const answerUntil = new Date(at.getTime() + ports.policies.enrolment.redeliverySeconds * 1000);
  const { pair, counts } = await retryTaken(async () => {
    const issued = await issuePair(ports, plan);
    const row = issuedRow(waiting ?? newRow(ports, scene), issued, answerUntil);
    const stands =
      waiting === undefined
        ? (await recordPair(ports.database, scene, row, issued, answerUntil)).id === row.id
        : await recordWaitingPair(ports.database, scene, waiting, row, issued);
    return { pair: issued, counts: stands };
  });
  if (!counts) return await redeliver(ports, scene);
  const { sign, enc, envelopedKey } = pair;
  const parts = {
    signCertificate: sign.certificate,
    encCertificate: enc.certificate,
    envelopedKey,
    chain: found.chain,
  };
  return { state: 'ISSUED', answer: enrolmentAnswer(parts) };
}

/** The scene whose token proves the request. @throws KmcError E_TOKEN when none does, E_SEALED. */
async function provenScene(
  ports: EnrolDevicePorts,
  scenes: readonly EnrolmentScene[],
  { csr, tokenMac }: EnrolDeviceInput,
): Promise<EnrolmentScene> {
  for (const scene of scenes) {
    if (await isProven(ports, { ...scene, csr, tokenMac })) return scene;
  }
  throw tokenRefused();
}

/** What the request asks for must be what was registered; otherwise the refusal is recorded. */
async function requireRegistered(ports: EnrolDevicePorts, scene: EnrolmentScene): Promise<void> {
  const { subject, alternativeNames } = scene.device;
  try {
    requireRegisteredNames(scene.request, { subject, alternativeNames: readAlternativeNames(alternativeNames) });
  } catch (error) {
    if (error instanceof KmcError) await recordRefusedRequest(ports.database, scene, error.code);
    throw error;
  }
}

/**
 * Enrols a device: proof of possession, proof of the token, the registered names; then the pair of certificates, the
 * escrowed encryption key and its envelope, all in one transaction. The same token with the same key gets the same
 * answer, octet by octet, for 72 hours; with any other key it is refused. The device's signing key is made by the device:
 * only its public half ever comes here.
 * @throws KmcError E_DER, E_SIZE, E_CSR, E_POINT, E_KEY, E_POP (the request); E_TOKEN (one text for every reason); E_POLICY
 * (other names than registered, or no pair in the profile); E_KEY_BLOCKED; E_STATE; E_SEALED; E_CONFLICT; E_POOL_EMPTY.
 */
export async function enrolDevice(ports: EnrolDevicePorts, input: EnrolDeviceInput): Promise<EnrolmentOutcome> {
  const request = readRequest(input.csr);
  const at = ports.clock.now();
  const source: AuditSource = {
    node: ports.node,
    ...(input.requestId === undefined ? {} : { request: input.requestId }),
  };
  const asked = { request, spkiSm3: spkiSm3(request.spki), at, source };
  const scenes = await ports.database.read((reader) => findScenes(reader, input.deviceId, asked));
  const scene = await provenScene(ports, scenes, input);
  requireTokenFor(scene);
  await requireRegistered(ports, scene);
  const isWaiting = waitsForApproval(scene.device);
  if (scene.token.state === 'used') {
    return await redeliver(ports, scene, isWaiting ? undefined : (waiting) => issue(ports, scene, waiting));
  }
  return isWaiting ? await waitForApproval(ports, scene, newRow(ports, scene)) : await issue(ports, scene);
}
