/** When a device renews: in good time before the end, and not all devices at the same moment. */
import { sm3 } from '../crypto/gm/sm3.ts';

export interface RenewableCertificate {
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Part of its life after which a certificate may be renewed, and after which it has to be. */
const EARLIEST = 2 / 3;
const LATEST = 3 / 4;
const RANGE = 2 ** 32;

/**
 * The moment from which a certificate is renewed: between two thirds and three quarters of its life, at a place that its
 * random serial number decides. So a fleet that was enrolled in one day renews over weeks, and a device that starts anew
 * comes to the same moment.
 */
export function renewalTime({ serialNumber, notBefore, notAfter }: RenewableCertificate): Date {
  const place = sm3(Buffer.from(serialNumber, 'ascii')).readUInt32BE(0) / RANGE;
  const life = notAfter.getTime() - notBefore.getTime();
  return new Date(notBefore.getTime() + life * (EARLIEST + (LATEST - EARLIEST) * place));
}
