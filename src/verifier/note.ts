/** Signed notes: the statement that the log had `size` leaves with this root, signed by the log and by witnesses. */
import { portableSm3 } from '../crypto/gm/sm3-portable.ts';
import { base64, equal, fromBase64, utf8 } from './octets.ts';
import { verifySm2 } from './sm2.ts';

const SIGNER_TYPES = { log: 'sm2-sm3-ckpt/v1', witness: 'sm2-sm3-cosig/v1' } as const;
export type Signer = keyof typeof SIGNER_TYPES;

export interface NoteKey {
  readonly name: string;
  readonly signer: Signer;
  /** 65 octets. */
  readonly point: Uint8Array;
}

interface SignatureLine {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly time: number;
  readonly signature: Uint8Array;
}

export interface Note {
  readonly text: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly lines: readonly SignatureLine[];
}

const ORIGIN = /^[a-z0-9][a-z0-9.-]{0,63}(?:\/[a-z0-9][a-z0-9._-]{0,31}){0,4}$/;
const LONGEST_NOTE = 16_384;
/** Key id (4), time (8), r || s (64). Lines of another length belong to other schemes. */
const LINE_OCTETS = 76;

/** Reads a note in its one form. Undefined for anything else. */
export function parseNote(text: string): Note | undefined {
  const [origin = '', size = '', root = '', blank, ...rest] = text.length > LONGEST_NOTE ? [] : text.split('\n');
  const hash = fromBase64(root);
  const lines = rest.slice(0, -1).map(parseLine);
  const fits =
    ORIGIN.test(origin) &&
    /^(?:0|[1-9]\d{0,15})$/.test(size) &&
    Number.isSafeInteger(Number(size)) &&
    hash?.length === 32 &&
    blank === '' &&
    rest.at(-1) === '' &&
    lines.length > 0 &&
    lines.length <= 32;
  if (!fits || lines.includes(undefined)) return undefined;
  return { text, origin, size: Number(size), root: hash, lines: lines.filter((line) => line !== undefined).flat() };
}

/** Undefined for a line that breaks the form, nothing for one of another scheme. */
function parseLine(line: string): SignatureLine[] | undefined {
  const [, name, blob = ''] = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const octets = fromBase64(blob);
  if (name === undefined || octets === undefined || octets.length <= 4) return undefined;
  if (octets.length !== LINE_OCTETS) return [];
  const time = Number(new DataView(octets.buffer, octets.byteOffset).getBigUint64(4));
  if (!Number.isSafeInteger(time)) return undefined;
  return [{ name, keyId: octets.subarray(0, 4), time, signature: octets.subarray(12) }];
}

function keyIdOf({ name, signer, point }: NoteKey): Uint8Array {
  return portableSm3(utf8(`${name}\n`), Uint8Array.of(0xff), utf8(SIGNER_TYPES[signer]), point).subarray(0, 4);
}

/**
 * When the key signed the note, in seconds since 1970 (the newest, should it have signed twice); undefined when it did
 * not; `false` when a line claims to be by this key and does not verify, which rejects the note.
 */
export function signedAt({ origin, size, root, lines }: Note, key: NoteKey): number | undefined | false {
  const keyId = keyIdOf(key);
  const own = lines.filter((line) => line.name === key.name && equal(line.keyId, keyId));
  for (const { time, signature } of own) {
    const body = `${SIGNER_TYPES[key.signer]}\ntime ${time}\n${origin}\n${size}\n${base64(root)}\n`;
    if (!verifySm2(key.point, utf8(body), signature)) return false;
  }
  return own.length === 0 ? undefined : Math.max(...own.map((line) => line.time));
}
