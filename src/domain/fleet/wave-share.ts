/** Which devices a wave of so many per cent takes in: by a digest, so that nobody chooses them and each wave holds the one before. */
import { sm3 } from '../../crypto/gm/sm3.ts';

/** The place of a device in an upgrade, from 0 up to 10,000: one is a hundredth of a per cent. */
function placeOf(upgradeId: string, deviceId: string): number {
  return sm3(Buffer.from(`${upgradeId}\0${deviceId}`, 'utf8')).readUInt32BE(0) % 10_000;
}

/** True for a device among the first `percent` of an upgrade. */
export function isInShare(upgradeId: string, deviceId: string, percent: number): boolean {
  return placeOf(upgradeId, deviceId) < percent * 100;
}
