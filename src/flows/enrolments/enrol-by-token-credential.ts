import { hmacSm3, sm3 } from '../../crypto/gm/sm3.ts';
import { tokenMacInput } from '../../domain/enrolment.ts';
import { requireGift, type EstGift } from '../../domain/est.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { AdmissionPorts, EnrolDeviceInput } from './admit-request.ts';

/** A one-time token as it came over HTTPS, and whose it is said to be. */
export interface TokenCredential {
  /** ASCII; the caller wipes it. */
  readonly token: Buffer;
  /** Serial number of the device, from the user name of Basic. */
  readonly serial: string | undefined;
}

export interface CredentialInput {
  readonly credential: TokenCredential;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  readonly label: string | undefined;
  readonly gift: EstGift;
  readonly requestId: string;
}

interface Holder {
  readonly device: DeviceRow;
  /** The token is one of this device. */
  readonly isHolder: boolean;
}

/** Whose token it is; or of a token that nobody has, the device that the user name names. */
async function holderOf(reader: Reader, { token, serial }: TokenCredential): Promise<Holder | undefined> {
  const row = await reader.enrolmentTokens.findByDigest(`sm3:${sm3(token).toString('hex')}`);
  const device = row === undefined ? undefined : await reader.devices.find(row.deviceId);
  if (device !== undefined && (serial === undefined || serial === device.serial)) return { device, isHolder: true };
  const [named] = serial === undefined ? [] : await reader.devices.listBySerial(serial, 1);
  return named === undefined ? undefined : { device: named, isHolder: false };
}

function unknownToken(): KmcError {
  return new KmcError('E_UNAUTHENTICATED', 'The token is not known, or not of this device. Ask for a new one.');
}

/**
 * Enrols under a token that came itself (EST over HTTPS), by the same proof as where only its MAC came: a wrong token
 * counts as a try against the device that it was said to be of.
 * @param enrol the enrolment, once it is known which device asks.
 * @throws KmcError E_UNAUTHENTICATED for a token that is none of this device; E_POLICY when the label does not give that;
 * E_NOT_FOUND (no such label), and what `enrol` throws.
 */
export async function enrolByTokenCredential<Outcome>(
  ports: AdmissionPorts,
  { credential, csr, label, gift, requestId }: CredentialInput,
  enrol: (input: EnrolDeviceInput) => Promise<Outcome>,
): Promise<Outcome> {
  const holder = await ports.database.read((reader) => holderOf(reader, credential));
  if (holder === undefined) throw unknownToken();
  const { device, isHolder } = holder;
  // Whoever has no token of the device learns nothing of its profile.
  if (isHolder) requireGift(ports.policies, label, device, gift);
  try {
    return await enrol({
      deviceId: device.id,
      csr,
      tokenMac: hmacSm3(credential.token, tokenMacInput(csr)),
      requestId,
    });
  } catch (error) {
    if (isHolder || !(error instanceof KmcError) || error.code !== 'E_TOKEN') throw error;
    throw unknownToken();
  }
}
