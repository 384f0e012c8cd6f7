/**
 * The outermost form of a backup file: a mark, then frames of one kind octet, four octets of length (big endian) and as
 * many octets. The signature is the last frame and covers every octet before it.
 */
import { KmcError } from '../../errors.ts';

const FRAME_KINDS = { header: 1, keystore: 2, part: 3, signature: 4 } as const;
export type FrameKind = keyof typeof FRAME_KINDS;

export interface BackupFrame {
  readonly kind: FrameKind;
  readonly content: Buffer;
  /** The octets of the frame as they stand in the file. */
  readonly octets: Buffer;
}

export const BACKUP_MARK = Buffer.from('KMC-BACKUP-1\n', 'latin1');
/** A part holds 256 KiB; the files of a keystore at most 4 MiB each. */
const MOST_OCTETS = 8_388_608;
const HEAD_OCTETS = 5;
const KIND_OF_NUMBER = new Map<number, FrameKind>(
  Object.entries(FRAME_KINDS).map(([kind, number]) => [number, kind as FrameKind]),
);

/** The octets of a frame. */
export function encodeFrame(kind: FrameKind, content: Buffer): Buffer {
  const octets = Buffer.alloc(HEAD_OCTETS + content.length);
  octets.writeUInt8(FRAME_KINDS[kind]);
  octets.writeUInt32BE(content.length, 1);
  content.copy(octets, HEAD_OCTETS);
  return octets;
}

/** Cuts octets that come in pieces of any size into pieces of the sizes that are asked for. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** So many octets; fewer only at the end. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#held.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) break;
        this.#held = next.value;
      }
      const part = this.#held.subarray(0, missing);
      this.#held = this.#held.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }
}

/**
 * Reads the frames of a backup file one after another.
 * @throws KmcError E_SCHEMA for a file that is no backup; E_INTEGRITY when it ends within a frame or holds another one.
 */
export async function* readFrames(source: AsyncIterable<Buffer>): AsyncGenerator<BackupFrame> {
  const pieces = new Pieces(source);
  if (!(await pieces.take(BACKUP_MARK.length)).equals(BACKUP_MARK)) {
    throw new KmcError('E_SCHEMA', 'The file is no backup of this product, or of another version of its form.');
  }
  for (;;) {
    const head = await pieces.take(HEAD_OCTETS);
    if (head.length === 0) return;
    const kind = KIND_OF_NUMBER.get(head[0] ?? 0);
    const length = head.length === HEAD_OCTETS ? head.readUInt32BE(1) : MOST_OCTETS + 1;
    if (kind === undefined || length > MOST_OCTETS) throw brokenBackup();
    const content = await pieces.take(length);
    if (content.length !== length) throw brokenBackup();
    yield { kind, content, octets: Buffer.concat([head, content]) };
  }
}

/** The one error for a backup file that is not what was written, whatever differs. */
export function brokenBackup(cause?: unknown): KmcError {
  const text = 'The backup is damaged, altered or not whole. Take another copy of it.';
  return new KmcError('E_INTEGRITY', text, cause === undefined ? {} : { cause });
}
