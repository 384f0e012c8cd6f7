import { secretBuffer, wipe } from '../bytes.ts';
import { sm3, SM3_LENGTH } from './sm3.ts';

/** KDF(Z, klen) of GB/T 32918.4 5.4.3: `length` octets of SM3(z || ct) for ct = 1, 2, … The caller wipes the result. */
export function sm2Kdf(z: Buffer, length: number): Buffer {
  const stream = secretBuffer(length);
  const counter = Buffer.alloc(4);
  for (let at = 0, ct = 1; at < length; at += SM3_LENGTH, ct += 1) {
    counter.writeUInt32BE(ct);
    const block = sm3(z, counter);
    block.copy(stream, at);
    wipe(block);
  }
  return stream;
}
