import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller, type PersonCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { enrolmentTokenContext } from '../../domain/keystore/blob-context.ts';
import { requireInService } from '../../domain/registration-authority.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { Instance } from '../instance.ts';
import { sealingKek } from '../keystore/sealing-kek.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { DeviceRow, DeviceStatus } from '../ports/devices.ts';
import type { EnrolmentTokenRow } from '../ports/enrolment-tokens.ts';
import { requireRaOperator, visibleDevice } from './device-access.ts';
import { waitsForApproval } from './register-marked-device.ts';

export type IssueTokenPorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'>;

export interface IssueTokenInput {
  readonly deviceId: string;
  /** How it reaches the device: handed over in person it lives longer than sent. */
  readonly delivery: 'in-person' | 'remote';
  /** `sm3:<hex>` of the one public key that may use it, where it is known. */
  readonly boundSpkiSm3?: string;
  readonly requestId?: string;
}

export interface IssuedToken {
  readonly token: EnrolmentTokenRow;
  readonly device: DeviceRow;
  /** The token encrypted to the key of the caller's certificate: DER SM2Cipher. Nobody else reads it. */
  readonly ciphertext: Buffer;
}

/** The states in which a device may get a token: for its first enrolment, or for a new one after its key was lost. */
const MAY_ENROL: readonly DeviceStatus[] = ['registered', 'in-service'];

interface Scene {
  readonly device: DeviceRow;
  readonly operator: PersonCaller;
  /** subjectPublicKeyInfo of the operator's certificate, DER. */
  readonly recipient: Buffer;
}

async function sceneOf(reader: Reader, caller: Caller, deviceId: string): Promise<Scene> {
  const device = await visibleDevice(reader, deviceId, caller);
  const operator = requireRaOperator(caller, device.region);
  if (device.registeredBy === operator.id) {
    throw new KmcError('E_SAME_PERSON', 'Another person than the one who registered the device issues its token.');
  }
  if (!waitsForApproval(device) && !MAY_ENROL.includes(device.status)) {
    throw new KmcError('E_STATE', `The device is ${device.status}: it gets no token.`);
  }
  const certificate = await reader.people.certificate(operator.certificateSm3);
  if (certificate === undefined) throw new KmcError('E_FORBIDDEN', 'The certificate of the caller is not registered.');
  return { device, operator, recipient: parseCertificate(certificate).spki };
}

/**
 * An authority that is suspended voids its tokens: its row stays locked until this one stands or is refused.
 * @throws KmcError E_STATE.
 */
async function requireWorkingAuthority(tx: Transaction, device: DeviceRow): Promise<void> {
  const authority = await tx.registrationAuthorities.lockOfRegion(device.region);
  if (authority?.id !== device.registrationAuthority) {
    throw new KmcError('E_STATE', 'The registration authority that registered the device is closed.');
  }
  requireInService(authority);
}

/** An earlier token that nobody used is dead from now on: a device has one at a time. */
async function revokeEarlier(tx: Transaction, deviceId: string): Promise<void> {
  for (const earlier of await tx.enrolmentTokens.liveOf(deviceId)) {
    if (earlier.state === 'issued') await tx.enrolmentTokens.revoke(earlier.id);
  }
}

function issueEvent(
  { device, operator }: Scene,
  token: EnrolmentTokenRow,
  event: Pick<AuditEventInput, 'id' | 'source'>,
): AuditEventInput {
  return {
    ...event,
    action: 'token.issue',
    outcome: 'success',
    subjects: [
      { type: 'token', id: token.id },
      { type: 'device', id: device.id, version: device.version },
    ],
    actor: auditActor(operator, 'ra-operator'),
    detail: { device: device.id, expires: signedTime(token.expiresAt), region: device.region },
  };
}

function tokenRow(
  ports: IssueTokenPorts,
  { device, operator }: Scene,
  input: IssueTokenInput,
  at: Date,
): Omit<EnrolmentTokenRow, 'tokenSm3' | 'sealedToken' | 'kekVersion'> {
  const { tokenInPersonSeconds, tokenRemoteSeconds } = ports.policies.enrolment;
  const seconds = input.delivery === 'in-person' ? tokenInPersonSeconds : tokenRemoteSeconds;
  const expiresAt = new Date(at.getTime() + seconds * 1000);
  return {
    id: newId('tok', at),
    deviceId: device.id,
    label: device.profile,
    state: 'issued',
    boundSpkiSm3: input.boundSpkiSm3,
    issuedBy: operator.id,
    issuedAt: at,
    expiresAt,
    tries: 0,
    lockedUntil: undefined,
    usedAt: undefined,
    usedSpkiSm3: undefined,
    enrolmentId: undefined,
    eraseAt: expiresAt,
  };
}

/**
 * Issues the one-time token of a device, by another person than the one who registered it. It is made in the engine, kept
 * sealed, and leaves encrypted to the caller's own certificate: the plain listener keeps no secret, so that not even its
 * answer may hold one. Earlier unused tokens of the device are revoked.
 * @throws KmcError E_NOT_FOUND, E_FORBIDDEN (not an ra-operator of the device's region), E_SAME_PERSON, E_STATE, E_SEALED;
 * E_KEY when the caller's certificate is not an SM2 one; E_PERIOD.
 */
export async function issueToken(ports: IssueTokenPorts, caller: Caller, input: IssueTokenInput): Promise<IssuedToken> {
  const { engine, database } = ports;
  const at = ports.clock.now();
  const scene = await database.read((reader) => sceneOf(reader, caller, input.deviceId));
  const kek = sealingKek(ports, 'db-field');
  const fields = tokenRow(ports, scene, input, at);
  const secret = await engine.generateToken();
  try {
    const ciphertext = await engine.encryptSecretTo(secret, scene.recipient);
    const sealedToken = await engine.sealSecret(kek, enrolmentTokenContext(fields.id), secret);
    const tokenSm3 = `sm3:${(await engine.digestSecret(secret)).toString('hex')}`;
    const token: EnrolmentTokenRow = { ...fields, tokenSm3, sealedToken, kekVersion: kek.version };
    const source = { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) };
    const event = issueEvent(scene, token, { id: newId('ev', at), source });
    await database.transaction(async (tx) => {
      await requireWorkingAuthority(tx, scene.device);
      await revokeEarlier(tx, token.deviceId);
      if (!(await tx.enrolmentTokens.insert(token))) throw new KmcError('E_CONFLICT', 'Ask for the token again.');
      await tx.audit.append(event, at);
    });
    return { token, device: scene.device, ciphertext };
  } finally {
    engine.destroySecret(secret);
  }
}
