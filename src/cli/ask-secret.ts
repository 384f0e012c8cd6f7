/** A secret from the terminal: octet by octet into a Buffer, never as a string, and without an echo. */
import { KmcError } from '../errors.ts';
import type { Io } from './command.ts';

/** A terminal as far as it is needed here: `process.stdin`. */
export interface SecretInput {
  setRawMode(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

const MAX_OCTETS = 1024;
const ENTER = [0x0a, 0x0d, 0x04];
const ERASE = [0x08, 0x7f];
const INTERRUPT = 0x03;

/** Where the character that ends at `length` begins: the octets after the first of a UTF-8 character are 10xxxxxx. */
function withoutLast(secret: Buffer, length: number): number {
  let end = Math.max(0, length - 1);
  while (end > 0 && ((secret[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  secret.fill(0, end, length);
  return end;
}

function readSecret(input: SecretInput): Promise<Buffer> {
  const secret = Buffer.alloc(MAX_OCTETS);
  let length = 0;
  return new Promise((resolve, reject) => {
    const finish = (refused?: KmcError) => {
      input.off('data', take);
      input.setRawMode(false);
      input.pause();
      const answer = Buffer.alloc(length);
      secret.copy(answer, 0, 0, length);
      secret.fill(0);
      if (refused === undefined) resolve(answer);
      else {
        answer.fill(0);
        reject(refused);
      }
    };
    const take = (chunk: Buffer) => {
      for (const octet of chunk) {
        if (ENTER.includes(octet)) return finish();
        if (octet === INTERRUPT) return finish(new KmcError('E_USAGE', 'It was broken off.'));
        if (ERASE.includes(octet)) length = withoutLast(secret, length);
        else if (length === MAX_OCTETS) return finish(new KmcError('E_USAGE', `More than ${MAX_OCTETS} octets.`));
        else secret[length++] = octet;
      }
      chunk.fill(0);
    };
    input.setRawMode(true);
    input.on('data', take);
    input.resume();
  });
}

/**
 * Asks for a secret. Enter ends it, the erase key takes a character away.
 * @returns the octets as they were typed (UTF-8); the caller wipes them.
 * @throws KmcError E_USAGE without a terminal, when it was broken off (Ctrl-C), or above 1,024 octets.
 */
export async function askSecret(purpose: string, io: Io, input: SecretInput = process.stdin): Promise<Buffer> {
  if (!io.isTerminal) throw new KmcError('E_USAGE', `${purpose} is needed: give --passphrase-file.`);
  io.err(`${purpose}:`);
  return await readSecret(input);
}
