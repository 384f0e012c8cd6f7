import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from '../crypto/random.ts';

/** Waits for between half of `milliseconds` and all of it, so that writers who collided do not collide again. */
export async function pauseWithJitter(milliseconds: number): Promise<void> {
  const share = 0.5 + randomBytes(1).readUInt8() / 510;
  await delay(milliseconds * share);
}
