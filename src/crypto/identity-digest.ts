/** What tells two records of one human being without keeping the official identity number (E1). */
import { KmcError } from '../errors.ts';
import { secretBuffer, wipe } from './bytes.ts';
import { pbkdf2HmacSm3 } from './gm/sm3.ts';

/** Identity numbers have little entropy: a guess is to cost a noticeable part of a second. */
const ITERATIONS = 1_000_000;
const OCTETS = 32;
const PREFIX = 'KMC-IDENTITY-V1\0';
const SHORTEST = 6;
const LONGEST = 32;
const SPACE = 0x20;

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function isCapital(octet: number): boolean {
  return octet >= 0x41 && octet <= 0x5a;
}

/** Without blanks and in capitals; the caller wipes it. @throws KmcError E_USAGE. */
function normalized(number: Buffer): Buffer {
  const kept = secretBuffer(number.length);
  let length = 0;
  for (const octet of number) {
    if (octet !== SPACE) kept[length++] = octet >= 0x61 && octet <= 0x7a ? octet - SPACE : octet;
  }
  const plain = kept.subarray(0, length);
  if (length >= SHORTEST && length <= LONGEST && plain.every((octet) => isDigit(octet) || isCapital(octet)))
    return plain;
  wipe(kept);
  throw new KmcError('E_USAGE', `An identity number has ${SHORTEST} to ${LONGEST} digits and Latin letters.`);
}

/**
 * The digest of an official identity number in one instance: PBKDF2-HMAC-SM3 over the number without blanks and in capitals,
 * salt `KMC-IDENTITY-V1` 0x00 and the id of the instance. Another instance has another digest of the same number.
 * @param number ASCII; the caller wipes it.
 * @returns `sm3:<hex>`
 * @throws KmcError E_USAGE for what is no identity number.
 */
export async function identityDigest(number: Buffer, instance: string): Promise<string> {
  const plain = normalized(number);
  try {
    const digest = await pbkdf2HmacSm3(plain, Buffer.from(PREFIX + instance, 'utf8'), ITERATIONS, OCTETS);
    return `sm3:${digest.toString('hex')}`;
  } finally {
    wipe(plain);
  }
}
