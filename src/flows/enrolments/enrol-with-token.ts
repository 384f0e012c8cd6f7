/** The course of every first enrolment: what it makes and answers is its way's, the rest is the same for all. */
import type { EnrolmentOperation } from '../../domain/enrolment.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { waitsForApproval } from '../devices/register-marked-device.ts';
import { retryTaken } from '../keys/retry-taken.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import { admitRequest, type AdmissionPorts, type EnrolDeviceInput } from './admit-request.ts';
import { openDeviceAuthority, type DeviceAuthority } from './device-authority.ts';
import type { EnrolmentAnswer, SigningAnswer } from './enrolment-answer.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import type { PairPlan } from './issue-pair.ts';
import {
  NOT_ISSUED,
  recordPair,
  recordWaitingPair,
  type IssuedCertificates,
  type IssuedRow,
} from './record-enrolment.ts';
import { redeliver } from './redeliver.ts';
import { tokenRefused } from './prove-token.ts';
import { waitForApproval } from './wait-for-approval.ts';

export interface PendingEnrolment {
  readonly state: 'PENDING';
  readonly enrolmentId: string;
  readonly retryAfterSeconds: number;
}

export type EnrolmentOutcome<Answer = EnrolmentAnswer> =
  | { readonly state: 'ISSUED'; readonly answer: Answer }
  | PendingEnrolment;

/** What is to be made, beside the profile. */
export type IssuePlan = Omit<PairPlan, 'profile'>;

/** What was made, and how the device is told. */
export interface Made<Answer> {
  readonly certificates: IssuedCertificates;
  readonly answer: Answer;
}

/** How one kind of enrolment makes its certificates and answers. */
export interface EnrolmentWay<Answer extends SigningAnswer> {
  /** The authority that issues to the device. @throws KmcError E_POLICY when its profile has no such certificates. */
  authorityFor(ports: AdmissionPorts, device: DeviceRow): Promise<DeviceAuthority>;
  issue(ports: AdmissionPorts, plan: IssuePlan, found: DeviceAuthority): Promise<Made<Answer>>;
  /** An answer that was stored; undefined when it is one of another kind. */
  again(stored: SigningAnswer | EnrolmentAnswer): Answer | undefined;
}

/** A new enrolment that nothing was issued for. `of` says whose it is. */
export function newEnrolment(
  { policies }: Pick<AdmissionPorts, 'policies'>,
  of: Pick<EnrolmentScene, 'device' | 'request' | 'spkiSm3' | 'at'> & { readonly tokenId: string | undefined },
  operation: EnrolmentOperation,
  label: string,
): EnrolmentRow {
  const { at, device, request, spkiSm3, tokenId } = of;
  return {
    id: newId('en', at),
    deviceId: device.id,
    label,
    operation,
    spkiSm3,
    state: 'PENDING',
    version: 1,
    csr: request.der,
    tokenId,
    requestId: undefined,
    ...NOT_ISSUED,
    reason: undefined,
    createdAt: at,
    changedAt: at,
    expiresAt: new Date(at.getTime() + policies.enrolment.pendingSeconds * 1000),
    closed: false,
  };
}

/** The enrolment with what was issued for it. */
export function issuedEnrolment(
  row: EnrolmentRow,
  made: IssuedCertificates,
  { bundleVersion }: Pick<DeviceAuthority, 'bundleVersion'>,
  answerUntil: Date,
): IssuedRow {
  const { sign } = made;
  const issued = { authorityId: sign.authorityId, signSerial: sign.serialNumber, answerUntil, bundleVersion };
  const pair = 'enc' in made ? { encSerial: made.enc.serialNumber, envelopedKey: made.envelopedKey } : {};
  return { ...row, state: 'ISSUED', ...issued, ...pair };
}

/** Until when the same key gets the same answer again. */
export function answerEnd({ policies }: Pick<AdmissionPorts, 'policies'>, at: Date): Date {
  return new Date(at.getTime() + policies.enrolment.redeliverySeconds * 1000);
}

/** A key that may not be certified is refused as that, and not for what the lint says of it. */
async function explainLint({ database }: AdmissionPorts, scene: EnrolmentScene, error: unknown): Promise<never> {
  if (error instanceof KmcError && error.code === 'E_LINT') {
    await database.read((reader) => requireCertifiable(reader, scene.spkiSm3, { deviceId: scene.device.id }));
  }
  throw error;
}

/** Issues for a new row, or for one that waited until now; nothing when another request for the same came first. */
async function issue<Answer extends SigningAnswer>(
  ports: AdmissionPorts,
  scene: EnrolmentScene,
  { way, row, waiting }: { way: EnrolmentWay<Answer>; row: EnrolmentRow; waiting: boolean },
): Promise<Answer | undefined> {
  const { device, request, at } = scene;
  if (device.status !== 'registered' && device.status !== 'in-service') {
    throw new KmcError('E_STATE', `The device is ${device.status}: it cannot enrol.`);
  }
  return await retryTaken(async () => {
    const found = await way.authorityFor(ports, device);
    const authority = await openDeviceAuthority(ports, found);
    const { appliesForKeys } = found;
    const plan = { device, authority, appliesForKeys, signSpki: request.spki, at, auditEvent: newId('ev', at) };
    const made = await way.issue(ports, plan, found).catch((error: unknown) => explainLint(ports, scene, error));
    const issued = issuedEnrolment(row, made.certificates, found, answerEnd(ports, at));
    const recording = { scene, row: issued, made: made.certificates, authority: found };
    const counts = waiting
      ? await recordWaitingPair(ports, row, recording)
      : (await recordPair(ports, recording)).id === row.id;
    return counts ? made.answer : undefined;
  });
}

/**
 * Enrols a device under its token: proof of the token, the registered names, then certificates, all in one transaction.
 * The same token with the same key gets the same answer, octet by octet, for 72 hours; with any other key it is refused.
 * @throws KmcError E_TOKEN (one text for every reason); E_POLICY (other names than registered, or not in the profile);
 * E_KEY_BLOCKED; E_STATE; E_SEALED; E_CONFLICT; E_POOL_EMPTY.
 */
export async function enrolWithToken<Answer extends SigningAnswer>(
  ports: AdmissionPorts,
  request: CertificationRequest,
  input: EnrolDeviceInput,
  { way, operation }: { readonly way: EnrolmentWay<Answer>; readonly operation: EnrolmentOperation },
): Promise<EnrolmentOutcome<Answer>> {
  const scene = await admitRequest(ports, request, input);
  const { token } = scene;
  const stored = async (whenReady?: (waiting: EnrolmentRow) => Promise<Answer | undefined>) => {
    const outcome = await redeliver(ports, scene, whenReady);
    if (outcome.state !== 'STORED') return outcome;
    const answer = way.again(outcome.answer);
    if (answer === undefined) throw tokenRefused();
    return { state: 'ISSUED', answer } as const;
  };
  const isWaiting = waitsForApproval(scene.device);
  if (token.state === 'used') {
    return await stored(isWaiting ? undefined : (row) => issue(ports, scene, { way, row, waiting: true }));
  }
  const row = newEnrolment(ports, { ...scene, tokenId: token.id }, operation, token.label);
  if (isWaiting) return await waitForApproval(ports, scene, row);
  const answer = await issue(ports, scene, { way, row, waiting: false });
  return answer === undefined ? await stored() : { state: 'ISSUED', answer };
}
