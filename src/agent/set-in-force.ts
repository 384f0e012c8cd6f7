import { KmcError } from '../errors.ts';
import type { DeviceFolder, DeviceSet } from './device-folder.ts';

/** The set in force. @throws KmcError E_NOT_FOUND before the first enrolment. */
export function setInForce(folder: DeviceFolder): DeviceSet {
  const current = folder.current();
  if (current !== undefined) return current;
  throw new KmcError('E_NOT_FOUND', 'The folder holds no enrolled device. Enrol it first: kmc device enroll.');
}
