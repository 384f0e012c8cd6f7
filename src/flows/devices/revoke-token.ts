import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { requireRaOperator, visibleDevice } from './device-access.ts';

export interface RevokeTokenInput {
  readonly deviceId: string;
  readonly tokenId: string;
  readonly requestId?: string;
}

/**
 * Makes an unused token worthless, by any ra-operator of the device's region; digest and blob are erased.
 * @throws KmcError E_NOT_FOUND, E_FORBIDDEN, E_STATE (used, revoked or expired already).
 */
export async function revokeToken(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { deviceId, tokenId, requestId }: RevokeTokenInput,
): Promise<void> {
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    const device = await visibleDevice(tx, deviceId, caller);
    const operator = requireRaOperator(caller, device.region);
    const token = await tx.enrolmentTokens.find(tokenId);
    if (token?.deviceId !== device.id) throw new KmcError('E_NOT_FOUND', 'The device has no token of that id.');
    if (!(await tx.enrolmentTokens.revoke(tokenId))) {
      throw new KmcError('E_STATE', 'The token is used, revoked or expired already.');
    }
    await tx.audit.append(
      {
        id,
        action: 'token.revoke',
        outcome: 'success',
        subjects: [{ type: 'token', id: tokenId }],
        terms: [{ type: 'device', id: device.id }],
        actor: auditActor(operator, 'ra-operator'),
        source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { device: device.id, region: device.region },
      },
      at,
    );
  });
}
