/** Labels of EST (RFC 7030 3.2.2): a label names a profile of policy, and the profile says what the operations give. */
import { KmcError } from '../errors.ts';
import { deviceProfile, type PolicySet } from './policy.ts';

/** The operations of EST and ours beside them. No profile may be named like one: it could not be a label. */
export const EST_OPERATIONS = [
  'cacerts',
  'csrattrs',
  'simpleenroll',
  'simplereenroll',
  'serverkeygen',
  'gmdualenroll',
  'fullcmc',
] as const;

/** What an operation gives: the signing certificate alone, or the pair. */
export type EstGift = 'signing' | 'pair';

/** The profile of devices that stands for requests without a label. */
const DEFAULT_DEVICE_PROFILE = 'gateway';

/** A label as policy knows it: of all certificates of a kind of device, or of the signing one. */
export interface EstLabel {
  /** Device profiles whose devices may use it. */
  readonly deviceProfiles: readonly string[];
  readonly gives: readonly EstGift[];
  /** The certificate profile that it asks a CSR for. */
  readonly certificateProfile: string;
}

function giftsOf({ enc }: { readonly enc?: string }): readonly EstGift[] {
  return enc === undefined ? ['signing'] : ['signing', 'pair'];
}

/**
 * What a label stands for: a device profile, or the certificate profile of its signing half. Without one it stands for
 * gateways.
 * @throws KmcError E_NOT_FOUND for a label that names no profile of devices.
 */
export function estLabel({ deviceProfiles }: PolicySet, label: string | undefined): EstLabel {
  const name = label ?? DEFAULT_DEVICE_PROFILE;
  const whole = Object.hasOwn(deviceProfiles, name) ? deviceProfiles[name] : undefined;
  if (whole !== undefined) {
    return { deviceProfiles: [name], gives: giftsOf(whole), certificateProfile: whole.sign };
  }
  const signing = Object.entries(deviceProfiles).flatMap(([device, { sign }]) => (sign === name ? [device] : []));
  if (signing.length > 0) return { deviceProfiles: signing, gives: ['signing'], certificateProfile: name };
  throw new KmcError('E_NOT_FOUND', 'There is no label of that name: a label is a profile of devices.');
}

/**
 * Refuses an operation that the label, or the profile of the device, does not give. Without a label the device's own
 * profile counts.
 * @throws KmcError E_NOT_FOUND (no such label), E_POLICY.
 */
export function requireGift(
  policies: PolicySet,
  label: string | undefined,
  device: { readonly profile: string },
  gift: EstGift,
): void {
  const known = label === undefined ? undefined : estLabel(policies, label);
  if (known !== undefined && !known.deviceProfiles.includes(device.profile)) {
    throw new KmcError('E_POLICY', 'This label is for devices of another profile.');
  }
  const gives = known?.gives ?? giftsOf(deviceProfile(policies, device.profile));
  if (gives.includes(gift)) return;
  throw new KmcError(
    'E_POLICY',
    'This label, or the profile of the device, has no certificate pair: ask with simpleenroll.',
  );
}
