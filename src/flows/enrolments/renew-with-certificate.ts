/** The course of every renewal: a device in service asks under the certificate it has, without a token. */
import type { AuditSource } from '../../domain/audit/event.ts';
import type { Caller, DeviceCaller } from '../../domain/caller.ts';
import { requireRegisteredNames, type EnrolmentOperation } from '../../domain/enrolment.ts';
import { requireGift, type EstGift } from '../../domain/est.ts';
import { newId } from '../../domain/id.ts';
import { pairedProfile } from '../../domain/policy.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import { rootKeyOf } from '../authorities/authority-line.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { retryTaken } from '../keys/retry-taken.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Database, Reader, Transaction } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import type { AdmissionPorts } from './admit-request.ts';
import { openDeviceAuthority } from './device-authority.ts';
import { answerEnd, issuedEnrolment, newEnrolment, type EnrolmentWay } from './enrol-with-token.ts';
import type { SigningAnswer } from './enrolment-answer.ts';
import { recordRefusedRequest } from './record-refused-request.ts';
import { writeIssued, type Recording } from './record-enrolment.ts';
import { answerAgain } from './redeliver.ts';

export interface RenewDeviceInput {
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  /** Label of EST by which the device asked. */
  readonly label?: string;
  /** Until when the same key gets the same answer; as policy says unless told. */
  readonly answerUntil?: Date;
  readonly requestId?: string;
}

/** How one kind of renewal differs from the others. */
export interface RenewalKind<Answer extends SigningAnswer> {
  readonly operation: EnrolmentOperation;
  readonly gift: EstGift;
  wayFor(reader: Reader, scene: RenewalScene): Promise<EnrolmentWay<Answer>>;
  /** Refuses a key that may not be renewed in this kind, besides those that may never be certified. */
  requireKey?(reader: Reader, scene: RenewalScene): Promise<void>;
}

/** Who renews what, and for which key. */
export interface RenewalScene {
  readonly device: DeviceRow;
  /** The certificate that the device asks under. */
  readonly current: CertificateRow;
  /** `sm3:<hex>` of the key of the root over it. */
  readonly currentRoot: string;
  readonly request: CertificationRequest;
  /** `sm3:<hex>` of the key in the request. */
  readonly spkiSm3: string;
  readonly at: Date;
  readonly source: AuditSource;
}

function requireDevice(caller: Caller): DeviceCaller {
  if (caller.type === 'device') return caller;
  throw new KmcError('E_FORBIDDEN', 'A renewal is asked for by the device itself, under its certificate.');
}

async function sceneOf(
  reader: Reader,
  caller: DeviceCaller,
  asked: Omit<RenewalScene, 'device' | 'current' | 'currentRoot'>,
): Promise<RenewalScene> {
  const device = await reader.devices.find(caller.id);
  const current = await reader.certificates.findByDigest(caller.certificateSm3);
  if (device === undefined || current?.certificate === undefined || current.deviceId !== device.id) {
    throw new KmcError('E_INTEGRITY', 'The certificate of the caller is not in the inventory. Check the database.');
  }
  if (device.status !== 'in-service') {
    throw new KmcError('E_STATE', `The device is ${device.status}: its certificates are not renewed.`);
  }
  return { ...asked, device, current, currentRoot: await rootKeyOf(reader, current.authorityId) };
}

/** Subject and alternative names stay as they are in the present certificate (RFC 7030 4.2.2). The refusal is recorded. */
async function requireSameNames(database: Database, scene: RenewalScene): Promise<void> {
  const { subject, subjectAltName = [] } = parseCertificate(scene.current.certificate ?? Buffer.alloc(0));
  try {
    requireRegisteredNames(scene.request, { subject: subject.der, alternativeNames: subjectAltName });
  } catch (error) {
    if (error instanceof KmcError) await recordRefusedRequest(database, scene, error.code);
    throw error;
  }
}

/** The renewal of this key that is stored already and may be answered again. */
async function storedRenewal(reader: Reader, row: EnrolmentRow, at: Date): Promise<EnrolmentRow | undefined> {
  const earlier = await reader.enrolments.findOpen(row);
  return earlier?.answerUntil !== undefined && at < earlier.answerUntil ? earlier : undefined;
}

/** A device of one certificate gets its pair under the profile that succeeds its own. */
function underProfile<Answer extends SigningAnswer>(
  { policies }: Pick<AdmissionPorts, 'policies'>,
  scene: RenewalScene,
  { gift }: RenewalKind<Answer>,
): RenewalScene {
  const { device } = scene;
  return gift === 'pair'
    ? { ...scene, device: { ...device, profile: pairedProfile(policies, device.profile) } }
    : scene;
}

/**
 * The first certificates under another root than that of the present ones are given once (A.5): by the primary key, whoever
 * asks at the same time. @throws KmcError E_CONFLICT.
 */
async function claimGeneration(tx: Transaction, { row, scene, authority }: RenewalRecording): Promise<void> {
  const { rootSm3 } = authority;
  if (rootSm3 === scene.currentRoot) return;
  const { id: enrolmentId, deviceId } = row;
  if (await tx.reissues.claim({ rootSm3, deviceId, enrolmentId, issuedAt: scene.at })) return;
  throw new KmcError(
    'E_CONFLICT',
    'The device has certificates of this generation. Renew under these; if they are lost, have them revoked first.',
  );
}

/** A recording whose scene is that of a renewal. */
type RenewalRecording = Recording & { readonly scene: RenewalScene };

/** @returns false when the same renewal was recorded by another request in the meantime. */
async function record(ports: AdmissionPorts, recording: RenewalRecording): Promise<boolean> {
  const {
    row,
    scene: { at },
  } = recording;
  return await ports.database.transaction(async (tx) => {
    // Renewals of one device one after the other: each holds its row by a reference, and each changes its key later.
    await tx.devices.lock(row.deviceId);
    const earlier = await tx.enrolments.findOpen(row);
    if (earlier?.answerUntil !== undefined && at < earlier.answerUntil) return false;
    if (earlier !== undefined) await tx.enrolments.close(earlier.id, at);
    if (!(await tx.enrolments.insert(row))) return false;
    await claimGeneration(tx, recording);
    await writeIssued(ports, tx, [recording]);
    return true;
  });
}

/**
 * Renews under the present certificate of the device: same names, then new certificates for the key in the request, which
 * must not be a key of anybody else, of an authority, or of a revoked certificate. The same key gets the same answer
 * for 72 hours. What the device has stays valid until its own end.
 * @throws KmcError E_FORBIDDEN (no device), E_STATE, E_POLICY (another subject, or not in the profile), E_KEY_BLOCKED,
 * E_SEALED, E_CONFLICT, and what the kind throws.
 */
export async function renewWithCertificate<Answer extends SigningAnswer>(
  ports: AdmissionPorts,
  caller: Caller,
  request: CertificationRequest,
  input: RenewDeviceInput,
  by: RenewalKind<Answer>,
): Promise<Answer> {
  const { database } = ports;
  const at = ports.clock.now();
  const source = { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) };
  const asked = { request, spkiSm3: spkiSm3(request.spki), at, source };
  const scene = underProfile(ports, await database.read((reader) => sceneOf(reader, requireDevice(caller), asked)), by);
  requireGift(ports.policies, input.label, scene.device, by.gift);
  await requireSameNames(database, scene);
  // Before a stored answer is looked for: nobody gets the certificates of a revoked key again.
  await database.read((reader) => requireCertifiable(reader, scene.spkiSm3, { deviceId: scene.device.id }));
  const { device } = scene;
  const row = newEnrolment(ports, { ...scene, tokenId: undefined }, by.operation, device.profile);
  const again = async (): Promise<Answer | undefined> => {
    const earlier = await database.read((reader) => storedRenewal(reader, row, at));
    if (earlier === undefined) return undefined;
    const way = await database.read((reader) => by.wayFor(reader, scene));
    return way.again(await answerAgain(database, scene, earlier));
  };
  const stored = await again();
  if (stored !== undefined) return stored;
  const way = await database.read(async (reader) => {
    await by.requireKey?.(reader, scene);
    return await by.wayFor(reader, scene);
  });
  const renewed = await retryTaken(async () => {
    const found = await way.authorityFor(ports, device);
    const authority = await openDeviceAuthority(ports, found);
    const { appliesForKeys } = found;
    const plan = { device, authority, appliesForKeys, signSpki: request.spki, at, auditEvent: newId('ev', at) };
    const { certificates: made, answer } = await way.issue(ports, plan, found);
    const issued = issuedEnrolment(row, made, found, input.answerUntil ?? answerEnd(ports, at));
    return (await record(ports, { scene, row: issued, made, authority: found })) ? answer : undefined;
  });
  if (renewed !== undefined) return renewed;
  const winner = await again();
  if (winner !== undefined) return winner;
  throw new KmcError('E_CONFLICT', 'The same key is renewed at the same time. Send the same request again.');
}
