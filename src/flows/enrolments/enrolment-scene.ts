import type { AuditSource } from '../../domain/audit/event.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { EnrolmentTokenRow } from '../ports/enrolment-tokens.ts';
import { tokenRefused } from './prove-token.ts';

/** What an enrolment is about: who asks, with which key, under which token. */
export interface EnrolmentScene {
  readonly device: DeviceRow;
  readonly token: EnrolmentTokenRow;
  readonly request: CertificationRequest;
  /** `sm3:<hex>` of the key in the request. */
  readonly spkiSm3: string;
  readonly at: Date;
  readonly source: AuditSource;
}

/**
 * The device and the token that can prove this request: the one that was used for this very key, else the newest.
 * @throws KmcError E_TOKEN, with the one text, when there is none.
 */
export async function findScene(
  reader: Reader,
  deviceId: string,
  asked: Omit<EnrolmentScene, 'device' | 'token'>,
): Promise<EnrolmentScene> {
  const tokens = await reader.enrolmentTokens.liveOf(deviceId);
  const token = tokens.find((one) => one.usedSpkiSm3 === asked.spkiSm3) ?? tokens[0];
  const device = token === undefined ? undefined : await reader.devices.find(deviceId);
  if (token === undefined || device === undefined) throw tokenRefused();
  return { ...asked, device, token };
}

/**
 * Refuses a token that is expired, bound to another key, or used for another one.
 * @throws KmcError E_TOKEN.
 */
export function requireTokenFor({ token, spkiSm3, at }: EnrolmentScene): void {
  const boundTo = token.usedSpkiSm3 ?? token.boundSpkiSm3;
  const isOver = token.state === 'issued' ? token.expiresAt <= at : token.eraseAt <= at;
  if (isOver || (boundTo !== undefined && boundTo !== spkiSm3)) throw tokenRefused();
}
