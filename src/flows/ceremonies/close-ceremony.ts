import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { createDigests } from '../../crypto/digests.ts';
import { encodePem } from '../../crypto/asn1/pem.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { BUNDLE, isHashed, signatureFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { bundleDigest, ceremonyClosing, encodeClosing, hashList, type Closing } from '../../domain/ceremony/closing.ts';
import { planHash, readPlan } from '../../domain/ceremony/plan.ts';
import { neededAtClose } from '../../domain/ceremony/seats.ts';
import { encodeSeatSignature, seatSignatureBytes } from '../../domain/ceremony/seat-signature.ts';
import type { SeatSignature } from '../../domain/ceremony/seat-signature.ts';
import { readTranscript } from '../../domain/ceremony/transcript.ts';
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
 * is written unless all of them sign.
 * @returns `sm3:<hex>` of the bundle, which the next ceremony states as `previous`.
 * @throws KmcError E_STATE (it did not run to its end), E_EXISTS (closed already), E_QUORUM (a seat is missing),
 * E_SAME_PERSON, E_FORBIDDEN, E_KEY.
 */
export async function closeCeremony(
  { engine, clock, folder }: CloseCeremonyPorts,
  file: CeremonyFile,
  participants: readonly Participant[],
): Promise<string> {
  const files = folder.files();
  if (files.has(BUNDLE.closing)) throw new KmcError('E_EXISTS', 'This ceremony is closed already.');
  const seated = seatParticipants(file, participants);
  const guide = Buffer.from(verificationText(files), 'utf8');
  const hashes = hashList(
    new Map([...files, [BUNDLE.verify, guide] as const].filter(([name]) => isHashed(name)).sort(byName)),
  );
  const closing = closingOf(files, hashes, clock.now());
  const digest = bundleDigest(closing);
  const signatures: SeatSignature[] = [];
  for (const one of seated) {
    const facts = { purpose: 'closing', ceremony: file.id, digest, at: clock.now() } as const;
    signatures.push(await signInSeat(engine, one, facts));
  }
  const { quorum } = file;
  const needed = neededAtClose(quorum);
  verifySeats(signatures, { purpose: 'closing', ceremony: file.id, digest, quorum, needed });
  folder.create(BUNDLE.verify, guide);
  folder.create(BUNDLE.hashes, hashes);
  for (const signature of signatures) writeSignature(folder, signature);
  folder.create(BUNDLE.closing, encodeClosing(closing));
  return digest;
}

function byName([a]: readonly [string, Buffer], [b]: readonly [string, Buffer]): number {
  return a < b ? -1 : 1;
}

function closingOf(files: ReadonlyMap<string, Buffer>, hashes: Buffer, now: Date): Closing {
  const read = (name: string): Buffer => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new KmcError('E_STATE', `The ceremony has no ${name} yet: run it first.`);
    return bytes;
  };
  const plan = readPlan(read(BUNDLE.plan));
  const hash = planHash(plan);
  const transcript = readTranscript(read(BUNDLE.transcript), hash);
  const [fault] = transcript.fault === undefined ? transcriptFaults(transcript, plan, files) : [transcript.fault];
  const end = transcript.records.at(-1);
  if (fault !== undefined || end === undefined) {
    throw new KmcError(
      'E_STATE',
      `The ceremony did not run to its end, or was altered: record ${fault?.record ?? 0}: ${fault?.detail ?? ''}`,
    );
  }
  const restricted = end.facts['restrictedKeys'] ?? '';
  return ceremonyClosing({
    ceremony: plan.ceremony,
    type: plan.type,
    environment: plan.environment,
    instance: plan.instance,
    plan: hash,
    transcript: transcript.head,
    records: String(transcript.records.length),
    deviations: String(transcript.records.filter((record) => record.kind === 'deviation').length),
    hashes: createDigests(hashes).sm3,
    closedAt: signedTime(now),
    after: {
      ceremonyEpoch: end.facts['ceremonyEpoch'] ?? '0',
      restrictedKeys: restricted === '' ? [] : restricted.split(' '),
    },
  });
}

/** A signature as a file of its own, and what `openssl` needs to verify it: octets, signature in DER, certificate. */
function writeSignature(folder: CeremonyFolder, signature: SeatSignature): void {
  const { seat, certSm3 } = signature.body;
  const name = (ending: string): string => signatureFile(seat, certSm3, ending);
  const der = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(signature.signature, 'base64'));
  const pem = encodePem('CERTIFICATE', Buffer.from(signature.certificate, 'base64'));
  folder.create(name('json'), encodeSeatSignature(signature));
  folder.create(name('bin'), seatSignatureBytes(signature.body));
  folder.create(name('sig'), der);
  folder.create(name('pem'), Buffer.from(pem, 'utf8'));
}
