import type { SystemCaller } from '../../domain/caller.ts';
import { auditActor } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { deviceDetail } from '../devices/device-row.ts';
import type { Instance } from '../instance.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';

export type ExpireEnrolmentsPorts = Pick<Instance, 'clock' | 'database' | 'node'>;

/** Enrolments looked at in one run. */
const BATCH = 200;

/**
 * Ends the enrolments that nobody finished in their time (enrolment-and-root-upgrade B.4), at most 200 a run, each with its
 * event. Their tokens stay used: the device enrols anew under another one, with the same key if it likes.
 * @returns how many were ended.
 * @throws KmcError E_SEALED, E_STORAGE, E_AUDIT.
 */
export async function expireEnrolments(ports: ExpireEnrolmentsPorts, caller: SystemCaller): Promise<number> {
  const now = ports.clock.now();
  const overdue = await ports.database.read((reader) => reader.enrolments.overdue(now, BATCH));
  let ended = 0;
  for (const row of overdue) if (await expire(ports, caller, row, now)) ended += 1;
  return ended;
}

/** False when somebody else moved it on. */
async function expire(
  { database, node }: ExpireEnrolmentsPorts,
  caller: SystemCaller,
  row: EnrolmentRow,
  at: Date,
): Promise<boolean> {
  const id = newId('ev', at);
  return await database.transaction(async (tx) => {
    const from = { state: row.state, version: row.version };
    if (!(await tx.enrolments.move({ id: row.id, from, to: 'EXPIRED', at }))) return false;
    const device = await tx.devices.find(row.deviceId);
    await tx.audit.append(
      {
        id,
        action: 'enrolment.expire',
        outcome: 'success',
        subjects: [{ type: 'device', id: row.deviceId }],
        terms: [{ type: 'enrolment', id: row.id }],
        actor: auditActor(caller),
        source: { node },
        detail: {
          ...(device === undefined ? {} : deviceDetail(device)),
          from: row.state,
          signKid: row.spkiSm3,
          ...(row.tokenId === undefined ? {} : { token: row.tokenId }),
        },
      },
      at,
    );
    return true;
  });
}
