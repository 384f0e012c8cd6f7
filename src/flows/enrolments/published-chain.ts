import { certificateProfile } from '../../domain/policy.ts';
import { hierarchyOf } from '../../domain/profile.ts';
import type { Instance } from '../instance.ts';
import { findDeviceAuthority } from './device-authority.ts';

/**
 * The certificates (DER) that vouch for those of a profile now: the issuing CA, then its root.
 * @throws KmcError E_POLICY (no such profile), E_STATE (no authority in service), E_INTEGRITY.
 */
export async function publishedChain(
  ports: Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies'>,
  profile: string,
): Promise<readonly Buffer[]> {
  const hierarchy = hierarchyOf(certificateProfile(ports.policies, profile));
  const { chain } = await findDeviceAuthority(ports, hierarchy);
  return chain;
}
