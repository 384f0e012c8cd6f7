/** The people in a ceremony: whoever sits in a seat brings a personal key, its certificate, and shares. */
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { parseStrictJson } from '../../crypto/jcs.ts';
import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { seatsOf, type SeatName } from '../../domain/ceremony/seats.ts';
import { seatSignatureBody, seatSignatureBytes } from '../../domain/ceremony/seat-signature.ts';
import type { SeatSignature, SignaturePurpose } from '../../domain/ceremony/seat-signature.ts';
import type { KeystoreName } from '../../domain/ceremony/step-kinds.ts';
import { ID } from '../../domain/id.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { requireMembers, signedTime, sm3Text, textLike, type MemberCheck } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import type { SealedShare } from '../keystore/hand-out-shares.ts';

export interface Participant {
  /** What the command line calls the person. */
  readonly name: string;
  /** The personal SM2 key. */
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
  /** What earlier ceremonies handed out to the person. */
  readonly shares: Readonly<Partial<Record<KeystoreName, SealedShare>>>;
}

/** A participant in a seat that the file gives to the certificate. */
export interface SeatedParticipant extends Participant {
  readonly seat: SeatName;
  /** Id of the person. */
  readonly person: string;
  readonly certificateSm3: string;
}

/**
 * The participants in their seats, in the order of the file.
 * @throws KmcError E_FORBIDDEN for one whose certificate has no seat; E_KEY when key and certificate differ.
 */
export function seatParticipants(file: CeremonyFile, participants: readonly Participant[]): SeatedParticipant[] {
  const seats = seatsOf(file.quorum);
  const seated = participants.map((participant): SeatedParticipant => {
    const certificateSm3 = sm3Fingerprint(participant.certificate);
    const seat = seats.find((one) => one.certificate === certificateSm3)?.seat;
    if (seat === undefined) {
      throw new KmcError('E_FORBIDDEN', `${participant.name} has no seat in this ceremony: see quorum in its file.`);
    }
    return { ...participant, seat, certificateSm3, person: personOf(file, participant) };
  });
  if (new Set(seated.map((one) => one.person)).size !== seated.length) {
    throw new KmcError('E_SAME_PERSON', 'One person was given twice. Each seat needs another person.');
  }
  const order = seats.map((seat) => seat.certificate);
  return seated.sort((a, b) => order.indexOf(a.certificateSm3) - order.indexOf(b.certificateSm3));
}

function personOf(file: CeremonyFile, { name, key, certificate }: Participant): string {
  const parsed = parseCertificate(certificate);
  if (!parsed.spki.equals(key.spki)) {
    throw new KmcError('E_KEY', `The key of ${name} is not that of the certificate.`);
  }
  const known = file.people.find((person) => person.certificate === sm3Fingerprint(certificate));
  const id = known?.id ?? subjectPerson(parsed.subject)?.id;
  if (id === undefined) throw new KmcError('E_CERT', `The certificate of ${name} does not name a person.`);
  return id;
}

/** Lets a person sign in their seat. @throws KmcError as the engine. */
export async function signInSeat(
  engine: CryptoEngine,
  seated: SeatedParticipant,
  facts: { readonly purpose: SignaturePurpose; readonly ceremony: string; readonly digest: string; readonly at: Date },
): Promise<SeatSignature> {
  const { at, ...rest } = facts;
  const body = seatSignatureBody({
    ...rest,
    seat: seated.seat,
    certSm3: seated.certificateSm3,
    signedAt: signedTime(at),
  });
  const signature = await engine.sign(seated.key, 'SM2-SM3', seatSignatureBytes(body));
  return {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: seated.certificate.toString('base64'),
  };
}

interface ShareFile {
  readonly keystore: string;
  readonly set: string;
  readonly index: string;
  readonly person: string;
  readonly certificate: string;
  readonly ciphertext: string;
}

const SHARE_CHECKS: Readonly<Record<keyof ShareFile, MemberCheck>> = {
  keystore: textLike(/^(?:service|ceremony)$/, 'service or ceremony'),
  set: textLike(/^[0-9a-f]{32}$/, '32 hex digits'),
  index: textLike(/^[1-9][0-9]{0,2}$/, 'a decimal number'),
  person: textLike(ID, 'the id of a person'),
  certificate: sm3Text,
  ciphertext: textLike(/^[A-Za-z0-9+/]+={0,2}$/, 'base64'),
};

/** The file in which a share lies: its content is encrypted to its holder and of no use to anybody else. */
export function encodeShareFile(keystore: KeystoreName, share: SealedShare): Buffer {
  const file: ShareFile = {
    keystore,
    set: share.setId,
    index: String(share.index),
    person: share.person,
    certificate: share.certificate,
    ciphertext: share.ciphertext.toString('base64'),
  };
  return Buffer.from(`${JSON.stringify(file, undefined, 2)}\n`, 'utf8');
}

/** Reads a share file. @throws KmcError E_JSON, E_SIZE, E_SCHEMA. */
export function readShareFile(bytes: Buffer): SealedShare & { readonly keystore: KeystoreName } {
  const value: unknown = parseStrictJson(bytes, { maxBytes: 16_384 });
  requireMembers<ShareFile>(value, SHARE_CHECKS, 'share file');
  return {
    keystore: value.keystore === 'service' ? 'service' : 'ceremony',
    setId: value.set,
    index: Number(value.index),
    person: value.person,
    certificate: value.certificate,
    ciphertext: Buffer.from(value.ciphertext, 'base64'),
  };
}
