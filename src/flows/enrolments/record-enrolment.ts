/** The one transaction of an enrolment: everything that was made for it counts from here on, or nothing does. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
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
 * Inserts the row and uses the token for it. When the same key has an open enrolment already (the same request at the
 * same time, or an earlier token), the token is used for that one and nothing else is to be written.
 * @returns the row that stands: `row` itself, or the earlier one.
 * @throws KmcError E_TOKEN when the token was used for another key in the meantime.
 */
export async function openEnrolment(
  tx: Transaction,
  row: EnrolmentRow,
  token: { readonly id: string; readonly at: Date; readonly eraseAt: Date },
): Promise<EnrolmentRow> {
  const { spkiSm3 } = row;
  const useFor = (enrolmentId: string): Promise<boolean> =>
    tx.enrolmentTokens.use(token.id, { spkiSm3, enrolmentId, at: token.at, eraseAt: token.eraseAt });
  if (!(await tx.enrolments.insert(row))) {
    const earlier = await tx.enrolments.findOpen(row);
    const isOver = earlier?.answerUntil !== undefined && earlier.answerUntil <= token.at;
    if (earlier !== undefined && !isOver) {
      await useFor(earlier.id);
      return earlier;
    }
    if (earlier !== undefined) await tx.enrolments.close(earlier.id, token.at);
    if (!(await tx.enrolments.insert(row))) throw new KmcError('E_CONFLICT', 'Send the same request again.');
  }
  if (!(await useFor(row.id))) throw tokenRefused();
  return row;
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

async function writePair(tx: Transaction, scene: EnrolmentScene, row: EnrolmentRow, pair: IssuedPair): Promise<void> {
  const { device, at } = scene;
  // Somebody else may have come with this key in the meantime.
  await requireCertifiable(tx, scene.spkiSm3, { deviceId: device.id });
  await tx.certificates.insertAll([pair.sign, pair.enc]);
  await tx.escrowedKeys.insertAll([pair.escrowedKey]);
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
 * @throws KmcError E_TOKEN, E_CONFLICT.
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

/** As `recordPair`, for a row that waited for an approval; undefined when somebody else moved it on. */
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
