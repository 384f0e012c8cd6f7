/**
 * Checkpoints: the signed statement "the log `origin` had `size` leaves with this `root`", as a C2SP signed note with
 * SM2 signatures (a profile: type 0xff and a long name, since C2SP knows no SM2).
 */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { sm2PointFromSpki } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { ORIGIN } from './record.ts';
import { HASH_OCTETS } from './tree.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** RFC 6962 root over SM3, 32 octets. */
  readonly root: Buffer;
}

/** What a signature on a note says: the log's own word, or a witness's "the largest consistent tree I had seen". */
const NOTE_SIGNATURE_TYPES = { log: 'sm2-sm3-ckpt/v1', witness: 'sm2-sm3-cosig/v1' } as const;
export type NoteSigner = keyof typeof NOTE_SIGNATURE_TYPES;

export interface NoteSignature {
  /** Name of the signer; the log signs as its origin. */
  readonly name: string;
  /** First 4 octets of SM3(name || 0x0A || 0xff || type || public point). */
  readonly keyId: Buffer;
  /** Seconds since 1970. */
  readonly time: number;
  /** r || s, 64 octets. */
  readonly signature: Buffer;
}

export interface SignedNote {
  readonly checkpoint: Checkpoint;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteKey {
  readonly name: string;
  readonly signer: NoteSigner;
  /** subjectPublicKeyInfo of an SM2 key, DER. */
  readonly spki: Buffer;
}

const MAX_NOTE_OCTETS = 16_384;
const MAX_SIGNATURES = 32;
const KEY_ID_OCTETS = 4;
const TIME_OCTETS = 8;
const SIGNATURE_OCTETS = 64;
const TYPE_OF_OTHERS = 0xff;
const SIGNATURE_LINE = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/;

/** The name of a person as a witness of the log. */
export function witnessName(personId: string): string {
  return `witness/${personId}`;
}

/** The three lines that are signed, each with its newline: origin, size in decimal, root in base64. */
function checkpointBody({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** The octets a signer signs: `<type>\ntime <seconds>\n` and the body. */
export function checkpointMessage(signer: NoteSigner, time: number, checkpoint: Checkpoint): Buffer {
  return Buffer.from(`${NOTE_SIGNATURE_TYPES[signer]}\ntime ${time}\n${checkpointBody(checkpoint)}`, 'utf8');
}

/** The key id that stands in a note for this name and key. @throws KmcError E_POINT, E_DER for a key that is not SM2. */
export function noteKeyId({ name, signer, spki }: NoteKey): Buffer {
  const type = Buffer.concat([Buffer.from([TYPE_OF_OTHERS]), Buffer.from(NOTE_SIGNATURE_TYPES[signer])]);
  return sm3(Buffer.from(`${name}\n`), type, sm2PointFromSpki(spki)).subarray(0, KEY_ID_OCTETS);
}

/** The text of a note, UTF-8, with its final newline. */
export function encodeNote({ checkpoint, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, keyId, time, signature }) => {
    const seconds = Buffer.alloc(TIME_OCTETS);
    seconds.writeBigUInt64BE(BigInt(time));
    return `\u2014 ${name} ${Buffer.concat([keyId, seconds, signature]).toString('base64')}\n`;
  });
  return `${checkpointBody(checkpoint)}\n${lines.join('')}`;
}

/**
 * Reads a note; only the exact form that encodeNote writes is accepted, with no extension lines. Signature lines of
 * another length than ours belong to other schemes and are left out, as signed-note asks.
 * @throws KmcError E_SCHEMA
 */
export function parseNote(text: string): SignedNote {
  const malformed = (): KmcError => new KmcError('E_SCHEMA', 'The checkpoint is not a well-formed signed note.');
  const [origin = '', size = '', root = '', blank, ...rest] = text.length > MAX_NOTE_OCTETS ? [] : text.split('\n');
  const lines = rest.slice(0, -1);
  const checkpoint = { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  const fits =
    ORIGIN.test(origin) &&
    /^(?:0|[1-9]\d{0,15})$/.test(size) &&
    Number.isSafeInteger(checkpoint.size) &&
    checkpoint.root.length === HASH_OCTETS &&
    blank === '' &&
    rest.at(-1) === '' &&
    lines.length > 0 &&
    lines.length <= MAX_SIGNATURES;
  if (!fits || !text.startsWith(`${checkpointBody(checkpoint)}\n`)) throw malformed();
  return { checkpoint, signatures: lines.flatMap((line) => parseSignatureLine(line, malformed)) };
}

function parseSignatureLine(line: string, malformed: () => KmcError): NoteSignature[] {
  const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
  if (name === undefined || base64 === undefined) throw malformed();
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64 || bytes.length <= KEY_ID_OCTETS) throw malformed();
  if (bytes.length !== KEY_ID_OCTETS + TIME_OCTETS + SIGNATURE_OCTETS) return [];
  const time = Number(bytes.readBigUInt64BE(KEY_ID_OCTETS));
  if (!Number.isSafeInteger(time)) throw malformed();
  return [
    {
      name,
      keyId: bytes.subarray(0, KEY_ID_OCTETS),
      time,
      signature: bytes.subarray(KEY_ID_OCTETS + TIME_OCTETS),
    },
  ];
}

/**
 * The verified signature of `key` on the note; undefined when the note has none of it. A key may sign twice only with
 * another time; the newest counts.
 * @throws KmcError E_SIGNATURE when a line names this key but does not verify: that rejects the whole note.
 */
export function verifyNote({ checkpoint, signatures }: SignedNote, key: NoteKey): NoteSignature | undefined {
  const keyId = noteKeyId(key);
  const own = signatures.filter((line) => line.name === key.name && line.keyId.equals(keyId));
  for (const { time, signature } of own) {
    const message = checkpointMessage(key.signer, time, checkpoint);
    if (!verifySignature('SM2-SM3', key.spki, message, SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(signature))) {
      throw new KmcError('E_SIGNATURE', `The signature of ${key.name} on the checkpoint does not verify.`);
    }
  }
  return own.sort((a, b) => b.time - a.time)[0];
}
