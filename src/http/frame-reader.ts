/** Frames of a byte stream: four octets of length, big-endian, then as many octets. */
import { KmcError } from '../errors.ts';

const HEADER = 4;

/** Puts chunks together to frames; holds one unfinished frame and what came behind it at the most. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True while a frame has begun and is not complete. */
  get isUnfinished(): boolean {
    return this.#held > 0;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /**
   * The next complete frame, without its length; undefined when more octets are needed.
   * @throws KmcError E_SIZE for an empty frame or one above the bound, as soon as its length is known.
   */
  next(): Buffer | undefined {
    const length = this.#length();
    if (length === undefined || this.#held < HEADER + length) return undefined;
    const all = Buffer.concat(this.#chunks);
    const rest = all.subarray(HEADER + length);
    this.#chunks = rest.length === 0 ? [] : [Buffer.from(rest)];
    this.#held = rest.length;
    return all.subarray(HEADER, HEADER + length);
  }

  #length(): number | undefined {
    if (this.#held < HEADER) return undefined;
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.length < HEADER) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = (this.#chunks[0] ?? first).readUInt32BE();
    if (length >= 1 && length <= this.#maxBytes) return length;
    throw new KmcError('E_SIZE', `a frame holds 1 to ${this.#maxBytes} octets`);
  }
}

/** A frame of these octets. */
export function frameOf(content: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(content.length);
  return Buffer.concat([header, content]);
}
