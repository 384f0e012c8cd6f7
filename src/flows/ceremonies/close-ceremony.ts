import { createDigests } from '../../crypto/digests.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { BUNDLE, isHashed } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { bundleDigest, ceremonyClosing, encodeClosing, hashList, readClosing } from '../../domain/ceremony/closing.ts';
import type { Closing } from '../../domain/ceremony/closing.ts';
import { planHash, readPlan, type CeremonyPlan } from '../../domain/ceremony/plan.ts';
import { neededAtClose, SEAT_NAMES } from '../../domain/ceremony/seats.ts';
import { readSeatSignature } from '../../domain/ceremony/seat-signature.ts';
import type { SeatSignature } from '../../domain/ceremony/seat-signature.ts';
import { deviationList, readTranscript, type ReadTranscript } from '../../domain/ceremony/transcript.ts';
import { signatureFiles } from '../../domain/ceremony/signature-files.ts';
import { verifySeats } from '../../domain/ceremony/verify-signatures.ts';
import { transcriptFaults } from '../../domain/ceremony/verify-transcript.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';
import type { Clock } from '../ports/database.ts';
import { seatParticipants, signInSeat, type Participant } from './participant.ts';
import { verificationText } from './verification-text.ts';

export interface CloseCeremonyPorts {
  readonly engine: CryptoEngine;
  readonly clock: Clock;
  readonly folder: CeremonyFolder;
}

/**
 * Closes a ceremony that ran to its end: the list of hashes, the closing, and a signature from every seat (C11). Nothing
 * is written unless all of them sign. A close that was cut while it wrote is done again with the closing that is there.
 * @returns `sm3:<hex>` of the bundle, which the next ceremony states as `previous`.
 * @throws KmcError E_STATE (it did not run to its end), E_EXISTS (closed already), E_QUORUM (a seat is missing),
 * E_SAME_PERSON, E_FORBIDDEN, E_KEY.
 */
export async function closeCeremony(
  { engine, clock, folder }: CloseCeremonyPorts,
  file: CeremonyFile,
  participants: readonly Participant[],
): Promise<string> {
  folder.clearUp(BUNDLE.transcript);
  const files = folder.files();
  const before = closingBefore(files, file);
  const ran = ranToItsEnd(files);
  const guide = Buffer.from(verificationText(files), 'utf8');
  const derived = [[BUNDLE.verify, guide] as const, [BUNDLE.deviations, deviationList(ran.records)] as const];
  const hashes = hashList(new Map([...files, ...derived].filter(([name]) => isHashed(name)).sort(byName)));
  const closing = closingOf(ran, hashes, before === undefined ? clock.now() : new Date(before.closing.closedAt));
  if (before !== undefined) requireSame(before.closing, closing);
  const digest = bundleDigest(closing);
  const signatures = [...(before?.signatures ?? [])];
  const hasSigned = new Set(signatures.map(({ body }) => body.certSm3));
  for (const one of seatParticipants(file, participants).filter((seated) => !hasSigned.has(seated.certificateSm3))) {
    const facts = { purpose: 'closing', ceremony: file.id, digest, at: clock.now() } as const;
    signatures.push(await signInSeat(engine, one, facts));
  }
  const { quorum } = file;
  const needed = neededAtClose(quorum);
  verifySeats(signatures, { purpose: 'closing', ceremony: file.id, digest, quorum, needed });
  for (const [name, bytes] of derived) folder.ensure(name, bytes);
  folder.ensure(BUNDLE.hashes, hashes);
  folder.ensure(BUNDLE.closing, encodeClosing(closing));
  for (const { name, bytes } of signatures.flatMap(signatureFiles)) folder.ensure(name, bytes);
  return digest;
}

interface ClosingBefore {
  readonly closing: Closing;
  readonly signatures: readonly SeatSignature[];
}

/**
 * What a close that was cut has written.
 * @throws KmcError E_EXISTS when it was not cut: every seat has signed, and everything is there.
 */
function closingBefore(files: ReadonlyMap<string, Buffer>, file: CeremonyFile): ClosingBefore | undefined {
  const bytes = files.get(BUNDLE.closing);
  if (bytes === undefined) return undefined;
  const closing = readClosing(bytes);
  const signatures = [...files].flatMap(([name, content]) => (isSignature(name) ? [readSeatSignature(content)] : []));
  const needed = neededAtClose(file.quorum);
  const hasAll = SEAT_NAMES.every((seat) => signatures.filter(({ body }) => body.seat === seat).length >= needed[seat]);
  const isWhole = signatures.every((one) => signatureFiles(one).every(({ name }) => files.has(name)));
  if (hasAll && isWhole) throw new KmcError('E_EXISTS', 'This ceremony is closed already.');
  return { closing, signatures };
}

/** @throws KmcError E_INTEGRITY when the closing that is there is not the one of what is there. */
function requireSame(before: Closing, closing: Closing): void {
  if (encodeClosing(before).equals(encodeClosing(closing))) return;
  throw new KmcError('E_INTEGRITY', 'The closing that is there is not that of this ceremony: its files were altered.');
}

function isSignature(name: string): boolean {
  return name.startsWith('signatures/') && name.endsWith('.json') && name !== BUNDLE.closing;
}

function byName([a]: readonly [string, Buffer], [b]: readonly [string, Buffer]): number {
  return a < b ? -1 : 1;
}

interface RanCeremony extends ReadTranscript {
  readonly plan: CeremonyPlan;
}

/** The transcript of a ceremony that ran to its end. @throws KmcError E_STATE. */
function ranToItsEnd(files: ReadonlyMap<string, Buffer>): RanCeremony {
  const read = (name: string): Buffer => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new KmcError('E_STATE', `The ceremony has no ${name} yet: run it first.`);
    return bytes;
  };
  const plan = readPlan(read(BUNDLE.plan));
  const transcript = readTranscript(read(BUNDLE.transcript), planHash(plan));
  const [fault] = transcript.fault === undefined ? transcriptFaults(transcript, plan, files) : [transcript.fault];
  if (fault === undefined) return { ...transcript, plan };
  throw new KmcError(
    'E_STATE',
    `The ceremony did not run to its end, or was altered: record ${fault.record}: ${fault.detail}`,
  );
}

function closingOf({ plan, records, head }: RanCeremony, hashes: Buffer, now: Date): Closing {
  const facts = records.at(-1)?.facts ?? {};
  const restricted = facts['restrictedKeys'] ?? '';
  return ceremonyClosing({
    ceremony: plan.ceremony,
    type: plan.type,
    environment: plan.environment,
    instance: plan.instance,
    plan: planHash(plan),
    transcript: head,
    records: String(records.length),
    deviations: String(records.filter((record) => record.kind === 'deviation').length),
    hashes: createDigests(hashes).sm3,
    closedAt: signedTime(now),
    after: {
      ceremonyEpoch: facts['ceremonyEpoch'] ?? '0',
      restrictedKeys: restricted === '' ? [] : restricted.split(' '),
    },
  });
}
