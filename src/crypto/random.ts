/**
 * Randomness for keys, nonces and salts: node:crypto only, watched by a health test. A generator that repeats itself (a
 * stuck device, a cloned state) would give two people one key, so every output is compared with the latest ones.
 */
import { randomFillSync } from 'node:crypto';
import { KmcError } from '../errors.ts';
import { isAllZero, secretBuffer, wipe } from './bytes.ts';
import { sm3 } from './gm/sm3.ts';

export interface RandomSource {
  /** `length` random octets in a Buffer of its own. Throws `E_SELF_TEST` when the generator is stuck. */
  bytes(length: number): Buffer;
  /**
   * A uniform number of [1, maximum], big-endian, as long as `maximum`, by rejection sampling. `maximum` must have its
   * top bit set, as the group orders here have, so that a second draw is rare. Throws `E_SELF_TEST`.
   */
  scalar(maximum: Buffer): Buffer;
}

// Shorter draws are cut from this many octets, for short outputs repeat in a healthy generator too.
const MINIMUM_DRAW = 16;
const REMEMBERED_DRAWS = 256;
const MAXIMUM_REJECTIONS = 128;

/** A source over `fill`, which overwrites its whole argument. The product uses {@link systemRandom}; tests make others. */
export function createRandomSource(fill: (target: Buffer) => void): RandomSource {
  // Digests, not outputs: what is remembered here must not tell what was handed out.
  const remembered = new Set<string>();

  function draw(length: number): Buffer {
    const drawn = secretBuffer(Math.max(length, MINIMUM_DRAW));
    fill(drawn);
    const digest = sm3(drawn).toString('latin1');
    if (remembered.has(digest)) {
      throw new KmcError('E_SELF_TEST', 'The random generator repeated an output; stop and examine this machine.');
    }
    remembered.add(digest);
    for (const oldest of remembered) {
      if (remembered.size <= REMEMBERED_DRAWS) break;
      remembered.delete(oldest);
    }
    return drawn;
  }

  function bytes(length: number): Buffer {
    const drawn = draw(length);
    if (drawn.length === length) return drawn;
    const cut = secretBuffer(length);
    drawn.copy(cut);
    wipe(drawn);
    return cut;
  }

  function scalar(maximum: Buffer): Buffer {
    if (maximum.length < MINIMUM_DRAW || (maximum[0] ?? 0) < 0x80) {
      throw new KmcError('E_USAGE', 'The upper bound of a random scalar must be a group order of at least 128 bits.');
    }
    for (let attempt = 0; attempt < MAXIMUM_REJECTIONS; attempt += 1) {
      const drawn = draw(maximum.length);
      if (!isAllZero(drawn) && drawn.compare(maximum) <= 0) return drawn;
      wipe(drawn);
    }
    throw new KmcError('E_SELF_TEST', 'The random generator gives no usable number; stop and examine this machine.');
  }

  return { bytes, scalar };
}

/** The generator of the operating system through OpenSSL. */
export const systemRandom: RandomSource = createRandomSource((target) => randomFillSync(target));

/** {@link RandomSource.bytes} of the system generator. */
export function randomBytes(length: number): Buffer {
  return systemRandom.bytes(length);
}
