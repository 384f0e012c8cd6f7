import { newId } from '../../domain/id.ts';
import type { Database } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import type { EnrolmentOutcome } from './enrol-device.ts';
import { storedAnswer } from './enrolment-answer.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import { tokenRefused } from './prove-token.ts';
import { stillWaiting } from './wait-for-approval.ts';

/** The enrolment that the token was used for. */
async function enrolmentOf(database: Database, scene: EnrolmentScene): Promise<EnrolmentRow> {
  return await database.read(async (reader) => {
    const token = await reader.enrolmentTokens.find(scene.token.id);
    const sameKey = token?.usedSpkiSm3 === scene.spkiSm3 && token.enrolmentId !== undefined;
    const row = sameKey ? await reader.enrolments.find(token.enrolmentId) : undefined;
    if (row === undefined || row.closed) throw tokenRefused();
    return row;
  });
}

/**
 * Answers a request whose token was used for the same key before, or at the same time: the same answer again, until its
 * time is over.
 * @param whenReady issues now what waited for an approval that has come.
 * @throws KmcError E_TOKEN when the token was used for another key, or the time is over; E_FORBIDDEN when the
 * registration was not approved.
 */
export async function redeliver(
  ports: { readonly database: Database },
  scene: EnrolmentScene,
  whenReady?: (waiting: EnrolmentRow) => Promise<EnrolmentOutcome>,
): Promise<EnrolmentOutcome> {
  const { at, device, source } = scene;
  const row = await enrolmentOf(ports.database, scene);
  if (row.state === 'PENDING') {
    if (row.expiresAt <= at) throw tokenRefused();
    return whenReady === undefined ? await stillWaiting(ports.database, scene, row) : await whenReady(row);
  }
  if (row.answerUntil === undefined || row.answerUntil <= at) throw tokenRefused();
  const event = newId('ev', at);
  const answer = await ports.database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id: event,
        action: 'enrolment.redeliver',
        outcome: 'success',
        subjects: [{ type: 'device', id: device.id }],
        terms: [{ type: 'enrolment', id: row.id }],
        actor: { type: 'device', id: device.id },
        source,
        detail: { region: device.region, signKid: row.spkiSm3, token: scene.token.id },
      },
      at,
    );
    return await storedAnswer(tx, row);
  });
  return { state: 'ISSUED', answer };
}
