import { sm3 } from '../../crypto/gm/sm3.ts';
import { retryAfterSeconds } from '../../domain/enrolment.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { deviceDetail } from '../devices/device-row.ts';
import type { Database } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { PendingEnrolment } from './enrol-with-token.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import { openEnrolment } from './record-enrolment.ts';

const REFUSED: readonly RequestRow['state'][] = ['REJECTED', 'WITHDRAWN', 'EXPIRED', 'SUPERSEDED'];

/**
 * The answer to a device whose approval is still open.
 * @throws KmcError E_FORBIDDEN when its newest request has ended without approval.
 */
export async function stillWaiting(
  database: Database,
  { device, at }: EnrolmentScene,
  row: EnrolmentRow,
): Promise<PendingEnrolment> {
  const filter = { op: 'device.register-marked', target: `device/${device.id}` } as const;
  const requests = await database.read((reader) => reader.requests.list(filter, { limit: 1_000 }));
  const newest = requests.at(-1);
  if (newest !== undefined && REFUSED.includes(newest.state)) {
    throw new KmcError(
      'E_FORBIDDEN',
      'The registration of the device was not approved. Ask its registration authority.',
    );
  }
  return { state: 'PENDING', enrolmentId: row.id, retryAfterSeconds: retryAfterSeconds(row.createdAt, at) };
}

/**
 * Notes the enrolment of a device whose registration waits for its approval: the token is used and bound to this key,
 * and the same request gets its certificates once the approval is there.
 * @throws KmcError E_TOKEN, E_FORBIDDEN.
 */
export async function waitForApproval(
  ports: { readonly database: Database; readonly policies: PolicySet },
  scene: EnrolmentScene,
  row: EnrolmentRow,
): Promise<PendingEnrolment> {
  const { device, token, at, source } = scene;
  // The token has to prove later requests until the last moment at which the answer may be fetched.
  const eraseAt = new Date(row.expiresAt.getTime() + ports.policies.enrolment.redeliverySeconds * 1000);
  const event = newId('ev', at);
  const standing = await ports.database.transaction(async (tx) => {
    const open = await openEnrolment(tx, row, { id: token.id, at, eraseAt });
    if (open.id !== row.id) return open;
    await tx.audit.append(
      {
        id: event,
        action: 'enrolment.request',
        outcome: 'success',
        subjects: [
          { type: 'device', id: device.id },
          { type: 'token', id: token.id },
        ],
        terms: [{ type: 'enrolment', id: row.id }],
        actor: { type: 'device', id: device.id },
        source,
        detail: {
          csr: `sm3:${sm3(row.csr).toString('hex')}`,
          ...deviceDetail(device),
          signKid: row.spkiSm3,
          token: token.id,
        },
      },
      at,
    );
    return open;
  });
  return await stillWaiting(ports.database, scene, standing);
}
