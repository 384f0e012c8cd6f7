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
 * The device, with each token that can prove this request: first the one that was used for this very key, then the one
 * that nobody used; when there is neither, the newest, which then refuses.
 * @throws KmcError E_TOKEN, with the one text, when the device has no token at all.
 */
export async function findScenes(
  reader: Reader,
  deviceId: string,
  asked: Omit<EnrolmentScene, 'device' | 'token'>,
): Promise<EnrolmentScene[]> {
  const live = await reader.enrolmentTokens.liveWithDevice(deviceId);
  const [newest] = live;
  if (newest === undefined) throw tokenRefused();
  const usedForIt = live.filter(({ token }) => token.usedSpkiSm3 === asked.spkiSm3);
  const fitting = [...usedForIt, ...live.filter(({ token }) => token.state === 'issued')];
  return (fitting.length === 0 ? [newest] : fitting).map((found) => ({ ...asked, ...found }));
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
