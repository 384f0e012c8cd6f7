/**
 * Shamir shares of a 32-octet secret over GF(2^8). The package combines wrong shares into a wrong secret without a word,
 * so that everything which names a wrong share stands here: the share envelope, the public commitments, and the check
 * of each share against them before anything is combined.
 */
import { combine, split } from 'shamir-secret-sharing';
import { KmcError, type ErrorCode } from '../errors.ts';
import { equalConstantTime, secretBuffer, wipe } from './bytes.ts';
import type { ShareSetPublic } from './engine.ts';
import { sm3 } from './gm/sm3.ts';
import { randomBytes } from './random.ts';

/** A share in clear. `value` is y (32 octets) and is wiped by whoever holds the share. */
export interface Share {
  /** 32 lower-case hex digits. */
  readonly setId: string;
  readonly threshold: number;
  readonly count: number;
  /** x coordinate, 1..255. */
  readonly index: number;
  readonly value: Buffer;
}

export const SHARE_VALUE_BYTES = 32;
/**
 * What the package works on: the secret and as many zeros. It makes its arrays with `new Uint8Array`, and V8 keeps those of
 * up to 64 octets in its heap, where the garbage collector leaves copies behind; longer ones can be wiped. Each octet has a
 * polynomial of its own, so that the zeros change nothing.
 */
const PADDED_BYTES = 64;

const ENVELOPE_VERSION = 1;
const SET_ID = /^[0-9a-f]{32}$/;
const HOLDER_BYTES = 32;
const CHECKSUM_BYTES = 8;
// ver | setId16 | k | n | x | y32 | holder32
const OFFSET = { setId: 1, threshold: 17, count: 18, index: 19, value: 20, holder: 52, checksum: 84 } as const;
const ENVELOPE_BYTES = OFFSET.checksum + CHECKSUM_BYTES;
const COMMITMENT_PREFIX = Buffer.from('share', 'latin1');

/**
 * Splits a 32-octet secret into `count` shares of which `threshold` restore it, under a new random set id. The x
 * coordinates are a random choice from 1..255.
 * @throws KmcError E_USAGE when not 2 <= threshold <= count <= 255, or for a secret of another length.
 */
export async function splitSecret(
  secret: Buffer,
  threshold: number,
  count: number,
): Promise<{ shares: Share[]; set: ShareSetPublic }> {
  if (!isThreshold(threshold, count)) {
    throw new KmcError('E_USAGE', 'A share set has 2 to 255 shares and a threshold from 2 to their number.');
  }
  if (secret.length !== SHARE_VALUE_BYTES) throw new KmcError('E_USAGE', 'Only a secret of 32 octets can be shared.');
  const setId = randomBytes(16).toString('hex');
  const plain = plainArray(PADDED_BYTES);
  plain.set(secret);
  let points: Uint8Array[] = [];
  try {
    points = await split(plain, count, threshold);
    const shares = points.map((point) => shareOfPoint(point, setId, threshold, count));
    shares.sort((a, b) => a.index - b.index);
    return { shares, set: { setId, threshold, count, commitments: shares.map(commitmentEntry) } };
  } finally {
    wipe(plain, ...points);
  }
}

/**
 * The commitment of a share: hex of SM3("share" || setId || x || y). Shares are 256 random bits, so that the plain hash
 * hides them.
 */
export function shareCommitment(share: Pick<Share, 'setId' | 'index' | 'value'>): string {
  return sm3(COMMITMENT_PREFIX, Buffer.from(share.setId, 'hex'), Buffer.from([share.index]), share.value).toString(
    'hex',
  );
}

/**
 * Checks each share against the public list, then restores the secret from the first `threshold` of them.
 * @returns 32 octets, which the caller wipes.
 * @throws KmcError E_SHARE_SET (share of another set), E_SHARE_BAD (does not match its commitment), E_SAME_PERSON (an
 * index twice), each naming every such share by index in its text and by position in `pointers`; E_SHARES_FEW;
 * E_SCHEMA (the public list contradicts itself).
 */
export async function combineShares(shares: readonly Share[], set: ShareSetPublic): Promise<Buffer> {
  const commitments = commitmentsByIndex(set);
  refuseWrongShares(shares, set, commitments);
  if (shares.length < set.threshold) {
    throw new KmcError('E_SHARES_FEW', `${set.threshold} shares are needed and ${shares.length} are here; add more.`);
  }
  const points = shares.slice(0, set.threshold).map((share) => {
    const point = plainArray(PADDED_BYTES + 1);
    point.set(share.value);
    point[PADDED_BYTES] = share.index;
    return point;
  });
  let secret: Uint8Array = new Uint8Array(0);
  try {
    secret = await combine(points);
    const restored = secretBuffer(SHARE_VALUE_BYTES);
    restored.set(secret.subarray(0, SHARE_VALUE_BYTES));
    return restored;
  } finally {
    wipe(secret, ...points);
  }
}

/**
 * Encodes the envelope of a share: `ver | setId16 | k | n | x | y32 | holder32 | checksum8`, where holder is SM3 of the
 * holder's certificate and the checksum the first 8 octets of SM3 of what stands before it. It is to be encrypted.
 * @returns 92 octets, which the caller wipes.
 * @throws KmcError E_USAGE (holder digest of another length), E_SHARE_BAD (a share that cannot be).
 */
export function encodeShareEnvelope(share: Share, holderCertificateSm3: Buffer): Buffer {
  if (holderCertificateSm3.length !== HOLDER_BYTES) {
    throw new KmcError('E_USAGE', 'The holder of a share is named by the SM3 digest of a certificate, 32 octets.');
  }
  if (!SET_ID.test(share.setId) || !isThreshold(share.threshold, share.count) || !isIndex(share.index)) {
    throw new KmcError('E_SHARE_BAD', 'The share has numbers that no share can have.');
  }
  const envelope = secretBuffer(ENVELOPE_BYTES);
  envelope[0] = ENVELOPE_VERSION;
  envelope.write(share.setId, OFFSET.setId, 'hex');
  envelope[OFFSET.threshold] = share.threshold;
  envelope[OFFSET.count] = share.count;
  envelope[OFFSET.index] = share.index;
  share.value.copy(envelope, OFFSET.value);
  holderCertificateSm3.copy(envelope, OFFSET.holder);
  checksumOf(envelope).copy(envelope, OFFSET.checksum);
  return envelope;
}

/**
 * Reads the envelope of a share and checks that it is this holder's. The value is a copy.
 * @throws KmcError E_SHARE_BAD when it is damaged, of an unknown version or another holder's.
 */
export function decodeShareEnvelope(envelope: Buffer, holderCertificateSm3: Buffer): Share {
  if (envelope.length !== ENVELOPE_BYTES || envelope[0] !== ENVELOPE_VERSION) {
    throw new KmcError(
      'E_SHARE_BAD',
      'This is not a share of this system; ask the holder for the file of the ceremony.',
    );
  }
  const index = envelope.readUInt8(OFFSET.index);
  if (!equalConstantTime(checksumOf(envelope), envelope.subarray(OFFSET.checksum))) {
    throw new KmcError('E_SHARE_BAD', `Share ${index} is damaged; take the holder's other copy.`);
  }
  const holder = envelope.subarray(OFFSET.holder, OFFSET.checksum);
  if (!holder.equals(holderCertificateSm3)) {
    throw new KmcError('E_SHARE_BAD', `Share ${index} belongs to another holder than the one who gave it.`);
  }
  const threshold = envelope.readUInt8(OFFSET.threshold);
  const count = envelope.readUInt8(OFFSET.count);
  if (!isThreshold(threshold, count) || !isIndex(index)) {
    throw new KmcError('E_SHARE_BAD', `Share ${index} has numbers that no share can have.`);
  }
  const value = secretBuffer(SHARE_VALUE_BYTES);
  envelope.copy(value, 0, OFFSET.value, OFFSET.holder);
  return { setId: envelope.toString('hex', OFFSET.setId, OFFSET.threshold), threshold, count, index, value };
}

interface ShareFault {
  readonly code: ErrorCode;
  /** Stands in brackets after the indices. */
  readonly text: string;
  readonly holds: (share: Share, position: number) => boolean;
}

/** Faults in the order in which they are told: a share of another set is not also called damaged. */
function refuseWrongShares(
  shares: readonly Share[],
  set: ShareSetPublic,
  commitments: ReadonlyMap<number, string>,
): void {
  const faults: readonly ShareFault[] = [
    { code: 'E_SHARE_SET', text: 'of another share set', holds: (share) => share.setId !== set.setId },
    { code: 'E_SHARE_BAD', text: 'damaged', holds: (share) => !matchesCommitment(share, set, commitments) },
    {
      code: 'E_SAME_PERSON',
      text: 'given more than once',
      holds: (share, position) => shares.findIndex((other) => other.index === share.index) !== position,
    },
  ];
  for (const { code, text, holds } of faults) {
    const positions = shares.flatMap((share, position) => (holds(share, position) ? [position] : []));
    if (positions.length === 0) continue;
    const indices = positions.map((position) => shares[position]?.index);
    const pointers = positions.map((position) => ({ pointer: `/${position}`, detail: text }));
    throw new KmcError(code, `Wrong shares: ${indices.join(', ')} (${text}). Leave them out and try again.`, {
      pointers,
    });
  }
}

function matchesCommitment(share: Share, set: ShareSetPublic, commitments: ReadonlyMap<number, string>): boolean {
  const commitment = commitments.get(share.index);
  return (
    commitment !== undefined &&
    share.threshold === set.threshold &&
    share.count === set.count &&
    share.value.length === SHARE_VALUE_BYTES &&
    shareCommitment(share) === commitment
  );
}

function commitmentsByIndex(set: ShareSetPublic): ReadonlyMap<number, string> {
  const byIndex = new Map(set.commitments.map(({ index, commitment }) => [index, commitment]));
  const indices = [...byIndex.keys()];
  if (
    !SET_ID.test(set.setId) ||
    !isThreshold(set.threshold, set.count) ||
    byIndex.size !== set.count ||
    set.commitments.length !== set.count ||
    !indices.every(isIndex)
  ) {
    throw new KmcError('E_SCHEMA', 'The public list of the share set contradicts itself; restore the seal file.');
  }
  return byIndex;
}

function commitmentEntry(share: Share): { index: number; commitment: string } {
  return { index: share.index, commitment: shareCommitment(share) };
}

/** The package takes no Buffer; outside V8's heap for the reason that `secretBuffer` gives. */
function plainArray(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

function shareOfPoint(point: Uint8Array, setId: string, threshold: number, count: number): Share {
  const value = secretBuffer(SHARE_VALUE_BYTES);
  value.set(point.subarray(0, SHARE_VALUE_BYTES));
  return { setId, threshold, count, index: point[PADDED_BYTES] ?? 0, value };
}

function checksumOf(envelope: Buffer): Buffer {
  return sm3(envelope.subarray(0, OFFSET.checksum)).subarray(0, CHECKSUM_BYTES);
}

function isThreshold(threshold: number, count: number): boolean {
  return [threshold, count].every(Number.isInteger) && threshold >= 2 && threshold <= count && count <= 255;
}

function isIndex(index: number): boolean {
  return Number.isInteger(index) && index >= 1 && index <= 255;
}
