/** The one transaction of an enrolment: everything that was made for it counts from here on, or nothing does. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { takeKey } from '../keys/take-key.ts';
import type { Database, Transaction } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import type { IssuedPair } from './issue-pair.ts';
import { tokenRefused } from './prove-token.ts';

/** Members of a row that is still to be issued. */
export const NOT_ISSUED = {
  authorityId: undefined,
  signSerial: undefined,
  encSerial: undefined,
  envelopedKey: undefined,
  answerUntil: undefined,
} as const;

/**
 * Uses the token for the row and inserts it. When the same key has an open enrolment already (an earlier token, or the
 * same request at the same time), the token is that one's and nothing else is to be written.
 * The token comes first: whoever holds it is alone with the device, and two requests wait for each other in one order.
 * @returns the row that stands: `row` itself, or the earlier one.
 * @throws KmcError E_TOKEN when the token was used for another key in the meantime.
 */
export async function openEnrolment(
  tx: Transaction,
  row: EnrolmentRow,
  token: { readonly id: string; readonly at: Date; readonly eraseAt: Date },
): Promise<EnrolmentRow> {
  const { spkiSm3 } = row;
  const earlier = await openEarlier(tx, row, token.at);
  const { id: enrolmentId } = earlier ?? row;
  if (!(await tx.enrolmentTokens.use(token.id, { spkiSm3, enrolmentId, at: token.at, eraseAt: token.eraseAt }))) {
    const used = await tx.enrolmentTokens.find(token.id);
    const sameKey = used?.usedSpkiSm3 === spkiSm3 && used.enrolmentId !== undefined;
    const winner = sameKey ? await tx.enrolments.find(used.enrolmentId) : undefined;
    if (winner === undefined) throw tokenRefused();
    return winner;
  }
  if (earlier !== undefined) return earlier;
  if (await tx.enrolments.insert(row)) return row;
  throw new KmcError('E_CONFLICT', 'The same key enrols at the same time. Send the same request again.');
}

/** The open enrolment of the same key, unless its time is over: then it is closed. */
async function openEarlier(tx: Transaction, row: EnrolmentRow, at: Date): Promise<EnrolmentRow | undefined> {
  const earlier = await tx.enrolments.findOpen(row);
  if (earlier?.answerUntil === undefined || at < earlier.answerUntil) return earlier;
  await tx.enrolments.close(earlier.id, at);
  return undefined;
}

/** The event that tells of everything an enrolment made. */
export function completionEvent(scene: EnrolmentScene, row: EnrolmentRow, pair: IssuedPair): AuditEventInput {
  const { device, token, source } = scene;
  const { sign, enc, escrowedKey } = pair;
  return {
    id: sign.lastAuditEvent,
    action: 'enrolment.complete',
    outcome: 'success',
    subjects: [
      { type: 'device', id: device.id, version: device.version + 1 },
      { type: 'token', id: token.id },
      { type: 'certificate', id: sign.id },
      { type: 'certificate', id: enc.id },
      { type: 'key', id: escrowedKey.id, version: escrowedKey.version },
    ],
    terms: [
      { type: 'authority', id: sign.authorityId },
      { type: 'enrolment', id: row.id },
    ],
    actor: { type: 'device', id: device.id },
    source,
    detail: {
      authority: sign.authorityId,
      csr: `sm3:${sm3(row.csr).toString('hex')}`,
      encryptionCertificate: enc.certificateSm3 ?? '',
      encryptionKid: enc.spkiSm3,
      encryptionSerial: enc.serialNumber,
      profile: device.profile,
      protocol: 'json',
      region: device.region,
      signCertificate: sign.certificateSm3 ?? '',
      signKid: sign.spkiSm3,
      signSerial: sign.serialNumber,
      token: token.id,
    },
  };
}

async function acquireKey(tx: Transaction, { acquired, escrowedKey }: IssuedPair): Promise<void> {
  if (acquired === 'taken') {
    await takeKey(tx, escrowedKey);
    return;
  }
  const { id, version, owner, lastAuditEvent } = escrowedKey;
  if (await tx.escrowedKeys.bindDevice(id, version - 1, owner.deviceId ?? '', lastAuditEvent)) return;
  throw new KmcError('E_CONFLICT', 'The key was changed at the same time. Send the same request again.');
}

async function writePair(tx: Transaction, scene: EnrolmentScene, row: EnrolmentRow, pair: IssuedPair): Promise<void> {
  const { device, at } = scene;
  // Somebody else may have come with this key in the meantime.
  await requireCertifiable(tx, scene.spkiSm3, { deviceId: device.id });
  await tx.certificates.insertAll([pair.sign, pair.enc]);
  await acquireKey(tx, pair);
  if (!(await tx.devices.bindKey(device.id, device.version, pair.sign.spkiSm3, at))) {
    throw new KmcError('E_CONFLICT', 'The device was changed at the same time. Send the same request again.');
  }
  await tx.audit.append(completionEvent(scene, row, pair), at);
}

/**
 * Records an issued pair: enrolment, use of the token, both certificates, the escrowed key, the device's new key and the
 * audit event.
 * @param row what is to be inserted; or the row that waited, which is moved on.
 * @returns the enrolment that stands. It is `row` when this pair counts, an earlier one when it does not.
 * @throws KmcError E_TOKEN, E_CONFLICT; E_KEY_TAKEN when somebody else got the encryption key.
 */
export async function recordPair(
  database: Database,
  scene: EnrolmentScene,
  row: EnrolmentRow,
  pair: IssuedPair,
  eraseAt: Date,
): Promise<EnrolmentRow> {
  const { token, at } = scene;
  return await database.transaction(async (tx) => {
    const standing = await openEnrolment(tx, row, { id: token.id, at, eraseAt });
    if (standing.id === row.id) await writePair(tx, scene, row, pair);
    return standing;
  });
}

/** As `recordPair`, for a row that waited for an approval; false when somebody else moved it on. */
export async function recordWaitingPair(
  database: Database,
  scene: EnrolmentScene,
  waiting: EnrolmentRow,
  issued: EnrolmentRow,
  pair: IssuedPair,
): Promise<boolean> {
  const { authorityId, signSerial, encSerial, envelopedKey, answerUntil } = issued;
  if (authorityId === undefined || signSerial === undefined || answerUntil === undefined) return false;
  return await database.transaction(async (tx) => {
    const moved = await tx.enrolments.move({
      id: waiting.id,
      from: { state: waiting.state, version: waiting.version },
      to: 'ISSUED',
      at: scene.at,
      issued: {
        authorityId,
        signSerial,
        answerUntil,
        ...(encSerial === undefined ? {} : { encSerial }),
        ...(envelopedKey === undefined ? {} : { envelopedKey }),
      },
    });
    if (moved) await writePair(tx, scene, waiting, pair);
    return moved;
  });
}
