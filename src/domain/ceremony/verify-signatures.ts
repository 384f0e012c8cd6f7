/** Which seats have signed, and whether it was as many different people as there must be (C5, C11). */
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { subjectPerson } from '../person-name.ts';
import type { CeremonyQuorum } from './ceremony-file.ts';
import { SEAT_NAMES, seatsOf, type SeatName } from './seats.ts';
import { verifySeatSignature, type SeatSignature, type SignaturePurpose } from './seat-signature.ts';

export interface SignatureDemand {
  readonly purpose: SignaturePurpose;
  readonly ceremony: string;
  /** What must have been signed. */
  readonly digest: string;
  readonly quorum: CeremonyQuorum;
  /** Least number of signatures from each seat; a seat that is absent must not sign at all. */
  readonly needed: Readonly<Partial<Record<SeatName, number>>>;
}

export interface SignedSeat {
  readonly seat: SeatName;
  readonly certificate: Certificate;
  readonly signature: SeatSignature;
}

/**
 * Verifies signatures and counts seats.
 * @throws KmcError E_SIGNATURE (a signature, or over another digest), E_FORBIDDEN (the certificate does not sit in that
 * seat), E_SAME_PERSON (one certificate, key or person in two seats), E_QUORUM (a seat is missing).
 */
export function verifySeats(signatures: readonly SeatSignature[], demand: SignatureDemand): SignedSeat[] {
  const seats = seatsOf(demand.quorum);
  const signed = signatures.map((signature): SignedSeat => {
    const { seat, certSm3, digest, purpose, ceremony } = signature.body;
    const certificate = verifySeatSignature(signature);
    if (digest !== demand.digest || purpose !== demand.purpose || ceremony !== demand.ceremony) {
      throw new KmcError('E_SIGNATURE', `A signature of the ${seat} stands over something else: the digest differs.`);
    }
    const sits = seats.some((known) => known.seat === seat && known.certificate === certSm3);
    if (!sits || demand.needed[seat] === undefined) {
      throw new KmcError('E_FORBIDDEN', `A certificate signed as ${seat} that does not sit there by the file.`);
    }
    return { seat, certificate, signature };
  });
  requireDistinct(signed.map((one) => one.signature.body.certSm3));
  requireDistinct(signed.map((one) => spkiSm3(one.certificate.spki)));
  requireDistinct(signed.flatMap((one) => subjectPerson(one.certificate.subject)?.id ?? []));
  const missing = SEAT_NAMES.filter(
    (seat) => signed.filter((one) => one.seat === seat).length < (demand.needed[seat] ?? 0),
  );
  if (missing.length === 0) return signed;
  throw new KmcError('E_QUORUM', `Signatures are missing over the ${demand.purpose}: ${missing.join(', ')}.`);
}

function requireDistinct(marks: readonly string[]): void {
  if (new Set(marks).size === marks.length) return;
  throw new KmcError('E_SAME_PERSON', 'One person or certificate fills two seats. Each seat needs another person.');
}
