import { newId } from '../../domain/id.ts';
import type { Database } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import type { EnrolmentOutcome } from './enrol-with-token.ts';
import { storedAnswer, type EnrolmentAnswer, type SigningAnswer } from './enrolment-answer.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import type { IssuedTo } from './record-enrolment.ts';
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

/** What was answered before, or is issued now, or waits. */
export type Redelivery<Answer> =
  | EnrolmentOutcome<Answer>
  | { readonly state: 'STORED'; readonly answer: SigningAnswer | EnrolmentAnswer };

/**
 * Answers a request whose token was used for the same key before, or at the same time: the same answer again, until its
 * time is over.
 * @param whenReady issues now what waited for an approval that has come; undefined when another request did so first.
 * @throws KmcError E_TOKEN when the token was used for another key, or the time is over; E_FORBIDDEN when the
 * registration was not approved.
 */
export async function redeliver<Answer>(
  ports: { readonly database: Database },
  scene: EnrolmentScene,
  whenReady?: (waiting: EnrolmentRow) => Promise<Answer | undefined>,
): Promise<Redelivery<Answer>> {
  const { at } = scene;
  const row = await enrolmentOf(ports.database, scene);
  if (row.state === 'PENDING') {
    if (row.expiresAt <= at) throw tokenRefused();
    if (whenReady === undefined) return await stillWaiting(ports.database, scene, row);
    const answer = await whenReady(row);
    return answer === undefined ? await redeliver<Answer>(ports, scene) : { state: 'ISSUED', answer };
  }
  if (row.answerUntil === undefined || row.answerUntil <= at) throw tokenRefused();
  return { state: 'STORED', answer: await answerAgain(ports.database, scene, row) };
}

/** The stored answer, with its event. `to` may be without a token: a device in service asks again under its certificate. */
export async function answerAgain(
  database: Database,
  { at, device, source, token }: IssuedTo & Pick<EnrolmentScene, 'at'>,
  row: EnrolmentRow,
): Promise<SigningAnswer | EnrolmentAnswer> {
  const event = newId('ev', at);
  return await database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id: event,
        action: 'enrolment.redeliver',
        outcome: 'success',
        subjects: [{ type: 'device', id: device.id }],
        terms: [{ type: 'enrolment', id: row.id }],
        actor: { type: 'device', id: device.id },
        source,
        detail: {
          region: device.region,
          signKid: row.spkiSm3,
          ...(token === undefined ? {} : { token: token.id }),
        },
      },
      at,
    );
    return await storedAnswer(tx, row);
  });
}
