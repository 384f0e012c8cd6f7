/** The one transaction of an enrolment: everything that was made for it counts from here on, or nothing does. */
import { UNFINISHED_STATES, type EnrolmentState } from '../../domain/enrolment-state.ts';
import { KmcError } from '../../errors.ts';
import { claimKeys } from '../certificates/require-certifiable.ts';
import type { Instance } from '../instance.ts';
import { takeKey } from '../keys/take-key.ts';
import type { Database, Transaction } from '../ports/database.ts';
import type { EnrolmentRow, IssuedEnrolment } from '../ports/enrolments.ts';
import { completionEvent } from './completion-event.ts';
import { requireStillIssuing, type DeviceAuthority } from './device-authority.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';
import { GroupCommit } from './group-commit.ts';
import type { IssuedPair } from './issue-pair.ts';
import type { IssuedSigningCertificate } from './issue-signing-certificate.ts';
import { tokenRefused } from './prove-token.ts';

export type RecordPorts = Pick<Instance, 'database' | 'keystore'>;

/** Members of a row that is still to be issued. */
export const NOT_ISSUED = {
  authorityId: undefined,
  signSerial: undefined,
  encSerial: undefined,
  envelopedKey: undefined,
  answerUntil: undefined,
  bundleVersion: undefined,
} as const;

/** What an enrolment made. */
export type IssuedCertificates = IssuedPair | IssuedSigningCertificate;

/** A row with what was issued for it. */
export type IssuedRow = EnrolmentRow &
  Pick<IssuedEnrolment, 'authorityId' | 'signSerial' | 'answerUntil' | 'bundleVersion'>;

/** To whom something was issued; a token where one was used. */
export type IssuedTo = Pick<EnrolmentScene, 'device' | 'source' | 'spkiSm3' | 'at'> & {
  readonly token?: EnrolmentScene['token'];
};

/** What is to be recorded of one enrolment or renewal. */
export interface Recording<Scene extends IssuedTo = IssuedTo> {
  readonly scene: Scene;
  readonly row: IssuedRow;
  readonly made: IssuedCertificates;
  readonly authority: DeviceAuthority;
  /** State in which the enrolment waited until now. */
  readonly waitedAs?: EnrolmentState;
}

/** One under a token. */
export type TokenRecording = Recording<EnrolmentScene>;

/**
 * Uses the token for the row and inserts it. When the same key has an open enrolment already (an earlier token, or the
 * same request at the same time), the token is that one's and nothing else is to be written.
 * The token comes first: whoever holds it is alone with the device, and two requests wait for each other in one order.
 * @returns the row that stands: `row` itself, or the earlier one.
 * @throws KmcError E_TOKEN when the token was used for another key in the meantime, or locked by wrong proofs; E_CONFLICT.
 */
export async function openEnrolment(
  tx: Transaction,
  row: EnrolmentRow,
  token: { readonly id: string; readonly at: Date; readonly eraseAt: Date },
): Promise<EnrolmentRow> {
  const { spkiSm3 } = row;
  const earlier = await openEarlier(tx, row, token.at);
  const { id: enrolmentId } = earlier ?? row;
  if (!(await tx.enrolmentTokens.use({ ...token, spkiSm3, enrolmentId }))) {
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

/**
 * The open enrolment of the same key, unless its time is over: then it is closed.
 * @throws KmcError E_CONFLICT for one that nobody finished in its time, until housekeeping has ended it.
 */
async function openEarlier(tx: Transaction, row: EnrolmentRow, at: Date): Promise<EnrolmentRow | undefined> {
  const earlier = await tx.enrolments.findOpen(row);
  if (earlier !== undefined && earlier.expiresAt <= at && UNFINISHED_STATES.includes(earlier.state)) {
    throw new KmcError(
      'E_CONFLICT',
      'An enrolment of this key has just expired. Send the same request again in a minute.',
    );
  }
  if (earlier?.answerUntil === undefined || at < earlier.answerUntil) return earlier;
  await tx.enrolments.close(earlier.id, at);
  return undefined;
}

/** The encryption keys go to their devices: out of the pool, or as their authority applied for them before. */
async function acquireKeys(tx: Transaction, pairs: readonly IssuedPair[]): Promise<void> {
  await takeKey(tx, ...pairs.filter(({ acquired }) => acquired === 'taken').map(({ escrowedKey }) => escrowedKey));
  for (const { acquired, escrowedKey } of pairs) {
    if (acquired === 'taken') continue;
    const { id, version, owner, lastAuditEvent } = escrowedKey;
    if (await tx.escrowedKeys.bindDevice(id, version - 1, owner.deviceId ?? '', lastAuditEvent)) continue;
    throw new KmcError('E_CONFLICT', 'The key was changed at the same time. Send the same request again.');
  }
}

/** Somebody else may have come with one of these keys, or its certificate was revoked. @throws KmcError E_KEY_BLOCKED. */
async function requireKeys(tx: Transaction, recordings: readonly Recording[]): Promise<void> {
  await claimKeys(tx, new Map(recordings.map(({ scene }) => [scene.spkiSm3, { deviceId: scene.device.id }])));
}

/**
 * Writes what was issued beside the rows of the enrolments: certificates, escrowed keys, the keys of the devices, events.
 * @throws KmcError E_KEY_BLOCKED, E_CONFLICT, E_STATE; E_KEY_TAKEN when somebody else got one of the encryption keys.
 */
export async function writeIssued(
  { keystore }: RecordPorts,
  tx: Transaction,
  recordings: readonly Recording[],
): Promise<void> {
  await requireKeys(tx, recordings);
  for (const authority of new Set(recordings.map((recording) => recording.authority))) {
    await requireStillIssuing(keystore, tx, authority);
  }
  // The events first: SQLite would look through the tables for rows that wait for an event which comes after them.
  await tx.audit.appendAll(
    recordings.map((recording) => ({ event: completionEvent(recording), at: recording.scene.at })),
  );
  await tx.certificates.insertAll(
    recordings.flatMap(({ made }) => ('enc' in made ? [made.sign, made.enc] : [made.sign])),
  );
  await acquireKeys(
    tx,
    recordings.flatMap(({ made }) => ('enc' in made ? [made] : [])),
  );
  const bindings = recordings.map(({ scene: { device, spkiSm3, at } }) => ({
    id: device.id,
    version: device.version,
    spkiSm3,
    at,
  }));
  if (!(await tx.devices.bindKey(...bindings))) {
    throw new KmcError('E_CONFLICT', 'The device was changed at the same time. Send the same request again.');
  }
}

/** One enrolment in a transaction of its own. @returns the row that stands. */
async function recordAlone(ports: RecordPorts, recording: TokenRecording): Promise<EnrolmentRow> {
  const { scene, row } = recording;
  return await ports.database.transaction(async (tx) => {
    const token = { id: scene.token.id, at: scene.at, eraseAt: row.answerUntil };
    const standing = await openEnrolment(tx, row, token);
    // Whoever came first is told of it, but not of a key that was revoked since.
    if (standing.id === row.id) await writeIssued(ports, tx, [recording]);
    else await requireKeys(tx, [recording]);
    return standing;
  });
}

/**
 * Enrolments of different devices in one transaction, as long as each of them is new.
 * @throws KmcError E_CONFLICT, E_TOKEN, E_KEY_BLOCKED, E_KEY_TAKEN when one of them is not: nothing of any was stored then.
 */
async function recordTogether(ports: RecordPorts, recordings: readonly TokenRecording[]): Promise<EnrolmentRow[]> {
  const rows = recordings.map(({ row }) => row);
  const apart = [
    recordings.map(({ scene }) => scene.device.id),
    recordings.map(({ scene }) => scene.token.id),
    recordings.map(({ scene }) => scene.spkiSm3),
  ].every((ids) => new Set(ids).size === recordings.length);
  if (!apart) throw new KmcError('E_CONFLICT', 'Two enrolments of one group are about the same device or key.');
  await ports.database.transaction(async (tx) => {
    const uses = recordings.map(({ scene: { token, spkiSm3, at }, row }) => ({
      id: token.id,
      spkiSm3,
      enrolmentId: row.id,
      at,
      eraseAt: row.answerUntil,
    }));
    if (!(await tx.enrolmentTokens.use(...uses))) throw tokenRefused();
    await tx.enrolments.insertAll(rows);
    await writeIssued(ports, tx, recordings);
  });
  return rows;
}

/** By database: what is recorded at the same time shares a transaction. */
const GROUPS = new WeakMap<Database, GroupCommit<TokenRecording, EnrolmentRow>>();

function groupOf(ports: RecordPorts): GroupCommit<TokenRecording, EnrolmentRow> {
  const known = GROUPS.get(ports.database);
  if (known !== undefined) return known;
  const group = new GroupCommit<TokenRecording, EnrolmentRow>({
    together: (recordings) => recordTogether(ports, recordings),
    alone: (recording) => recordAlone(ports, recording),
  });
  GROUPS.set(ports.database, group);
  return group;
}

/**
 * Records an issued pair: enrolment, use of the token, both certificates, the escrowed key, the device's new key and the
 * audit event; in one transaction, which others that come at the same time may share.
 * @returns the enrolment that stands, durable. It is the row given when this pair counts, an earlier one when it does not.
 * @throws KmcError E_TOKEN, E_CONFLICT, E_KEY_BLOCKED; E_KEY_TAKEN: choose another encryption key; E_STATE when the authority went out of service.
 */
export async function recordPair(ports: RecordPorts, recording: TokenRecording): Promise<EnrolmentRow> {
  return await groupOf(ports).store(recording);
}

/**
 * As `recordPair`, for a row that waited for an approval and is moved on to what was issued; false when somebody else
 * moved it on.
 */
export async function recordWaitingPair(
  ports: RecordPorts,
  waiting: EnrolmentRow,
  recording: TokenRecording,
): Promise<boolean> {
  const { authorityId, signSerial, encSerial, envelopedKey, answerUntil, bundleVersion } = recording.row;
  return await ports.database.transaction(async (tx) => {
    const moved = await tx.enrolments.move({
      id: waiting.id,
      from: { state: waiting.state, version: waiting.version },
      to: 'ISSUED',
      at: recording.scene.at,
      issued: {
        authorityId,
        signSerial,
        answerUntil,
        bundleVersion,
        ...(encSerial === undefined ? {} : { encSerial }),
        ...(envelopedKey === undefined ? {} : { envelopedKey }),
      },
    });
    if (moved) await writeIssued(ports, tx, [{ ...recording, waitedAs: waiting.state }]);
    else await requireKeys(tx, [recording]);
    return moved;
  });
}
