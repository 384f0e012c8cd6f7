import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';

/**
 * Refuses to start with policy files that nobody approved.
 * @throws KmcError E_POLICY when the files are not those in force, or none were ever put in force.
 */
export async function checkPolicy(ports: Pick<Instance, 'database' | 'policyDigest'>): Promise<void> {
  const pinned = await ports.database.read((reader) => reader.instance.get('policy-digest'));
  if (pinned === ports.policyDigest) return;
  throw new KmcError(
    'E_POLICY',
    pinned === undefined
      ? 'No policy is in force yet. Initialise the instance first.'
      : 'The policy files are not those in force. Put those back, and let a request policy.change be approved under them.',
  );
}
