import { KmcError } from '../../errors.ts';
import { findDeviceSigner, unknownSigner } from '../access/signer.ts';
import type { AdmissionPorts } from '../enrolments/admit-request.ts';
import { renewDevice } from '../enrolments/renew-device.ts';
import type { ReissueItemRow, ReissueJobRow } from '../ports/reissues.ts';

/** Devices that are worked on together: their transactions share commits. */
const TOGETHER = 16;
/** One round takes no more of a job, whatever its rate. */
const BATCH = 500;
const MINUTE_MS = 60_000;

/** Codes that say that the item will never do; everything else is tried again in a later round. */
const FOR_GOOD: readonly string[] = [
  'E_CONFLICT',
  'E_CSR',
  'E_DER',
  'E_FORBIDDEN',
  'E_KEY',
  'E_KEY_BLOCKED',
  'E_POINT',
  'E_POLICY',
  'E_POP',
  'E_SIZE',
  'E_STATE',
  'E_UNAUTHENTICATED',
];

/** What is due of a job since its last batch. */
function dueOf({ perMinute, workedAt }: ReissueJobRow, now: Date): number {
  const minutes = Math.min(1, (now.getTime() - workedAt.getTime()) / MINUTE_MS);
  return Math.min(BATCH, Math.floor(perMinute * minutes));
}

/** Issues for one device, as if it had asked itself. @returns whether the item is done, whatever came of it. */
async function workItem(ports: AdmissionPorts, item: ReissueItemRow): Promise<boolean> {
  const { database, clock, policies } = ports;
  const { deviceId, certificateSm3, csr } = item;
  try {
    const now = clock.now();
    const signer = await database.read((reader) => findDeviceSigner(reader, certificateSm3, now));
    if (signer?.caller.id !== deviceId) throw unknownSigner();
    // Devices of a list come for their answers when they are online again.
    const answerUntil = new Date(now.getTime() + policies.enrolment.pendingSeconds * 1000);
    // The same request again, after a kill, is answered as before: there is one pair.
    await renewDevice(ports, signer.caller, { csr, answerUntil });
    return await database.transaction((tx) => tx.reissues.finishItem(item, 'issued', undefined, clock.now()));
  } catch (error) {
    if (!(error instanceof KmcError) || !FOR_GOOD.includes(error.code)) throw error;
    const { code } = error;
    return await database.transaction((tx) => tx.reissues.finishItem(item, 'refused', code, clock.now()));
  }
}

async function workJob(ports: AdmissionPorts, job: ReissueJobRow): Promise<number> {
  const now = ports.clock.now();
  const due = dueOf(job, now);
  if (due < 1 || !(await ports.database.transaction((tx) => tx.reissues.beginBatch(job, now)))) return 0;
  const items = await ports.database.read((reader) => reader.reissues.waiting(job.id, due));
  let done = 0;
  for (let at = 0; at < items.length; at += TOGETHER) {
    const part = items.slice(at, at + TOGETHER);
    done += (await Promise.all(part.map((item) => workItem(ports, item)))).filter(Boolean).length;
  }
  return done;
}

/**
 * Works on the ordered re-issues: of each job as much as its rate allows since its last batch, one process at a time. A kill
 * loses nothing: what was issued is found again by its key, what was not waits.
 * @returns how many items were done.
 * @throws KmcError what keeps the whole service from issuing (E_SEALED, E_POOL_EMPTY, E_STORAGE).
 */
export async function workReissues(ports: AdmissionPorts): Promise<number> {
  let done = 0;
  for (const job of await ports.database.read((reader) => reader.reissues.openJobs()))
    done += await workJob(ports, job);
  return done;
}
