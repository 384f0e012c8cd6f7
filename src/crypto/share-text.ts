/**
 * A share on paper: 22 groups of five characters that a person copies and types in again. Four characters of each group
 * carry 20 bits, the fifth checks them together with the place of the group, so that a wrong group is named by its number:
 * every single wrong character, every two neighbours changed over and every two groups changed over are found.
 *
 * Octets: `0x01 | setId16 | k | n | x | y32 | 0x00 0x00 0x00`, 55 in all = 440 bits = 22 groups of 20 bits. Characters:
 * the 32 of Crockford's base 32, five bits each, in capitals; I and L read as 1, O as 0, small letters as capitals.
 * The check character of the characters d1..d4 of group g (1 to 22) is 2·d1 + 4·d2 + 8·d3 + 16·d4 + 5·g in GF(2^5) modulo
 * x^5 + x^2 + 1. What guards the whole is the public commitment of the share, which every use compares.
 */
import { secretBuffer, wipe } from './bytes.ts';
import { KmcError } from '../errors.ts';
import { SHARE_VALUE_BYTES, type Share } from './shamir.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LOOK_ALIKES: Readonly<Record<string, string>> = { I: '1', L: '1', O: '0' };
const VERSION = 1;
const OFFSET = { setId: 1, threshold: 17, count: 18, index: 19, value: 20, padding: 52 } as const;
const OCTETS = 55;
const DATA = 4;
const GROUP = DATA + 1;
const BITS = 5;
export const SHARE_TEXT_GROUPS = (OCTETS * 8) / (DATA * BITS);
const LINE_GROUPS = 6;
const WEIGHTS = [2, 4, 8, 16] as const;
const PLACE_WEIGHT = 5;
const SEPARATORS: readonly number[] = [0x20, 0x2d, 0x09, 0x0a, 0x0d];
const NO_VALUE = 255;
/** By ASCII code; 255 for what is no character of the text. */
const VALUES = valuesByCode();

/** The text of a share, ASCII: groups parted by blanks, six in a line. The caller wipes it. */
export function encodeShareText(share: Share): Buffer {
  const octets = secretBuffer(OCTETS);
  octets[0] = VERSION;
  octets.write(share.setId, OFFSET.setId, 'hex');
  octets[OFFSET.threshold] = share.threshold;
  octets[OFFSET.count] = share.count;
  octets[OFFSET.index] = share.index;
  share.value.copy(octets, OFFSET.value);
  const text = secretBuffer(SHARE_TEXT_GROUPS * (GROUP + 1));
  const digits = secretBuffer(DATA);
  try {
    for (let group = 0; group < SHARE_TEXT_GROUPS; group += 1) {
      for (let place = 0; place < DATA; place += 1) digits[place] = bitsAt(octets, (group * DATA + place) * BITS);
      const at = group * (GROUP + 1);
      for (let place = 0; place < DATA; place += 1) text[at + place] = ALPHABET.charCodeAt(digits[place] ?? 0);
      text[at + DATA] = ALPHABET.charCodeAt(checkOf(digits, group + 1));
      const endsLine = (group + 1) % LINE_GROUPS === 0 || group + 1 === SHARE_TEXT_GROUPS;
      text[at + GROUP] = endsLine ? 0x0a : 0x20;
    }
    return text;
  } finally {
    wipe(octets, digits);
  }
}

/**
 * Reads a share that was typed in. Blanks, hyphens and line ends may stand anywhere.
 * @throws KmcError E_SHARE_BAD naming every wrong group by its number, or saying how many characters are missing.
 */
export function decodeShareText(text: Buffer): Share {
  const digits = secretBuffer(SHARE_TEXT_GROUPS * GROUP);
  const octets = secretBuffer(OCTETS);
  try {
    requireRightGroups(digits, readDigits(text, digits));
    for (let group = 0; group < SHARE_TEXT_GROUPS; group += 1) {
      for (let place = 0; place < DATA; place += 1) {
        putBits(octets, (group * DATA + place) * BITS, digits[group * GROUP + place] ?? 0);
      }
    }
    return shareIn(octets);
  } finally {
    wipe(digits, octets);
  }
}

/** The values of the characters, 255 for one that is none; returns how many there are. */
function readDigits(text: Buffer, digits: Buffer): number {
  let count = 0;
  for (const code of text) {
    if (SEPARATORS.includes(code)) continue;
    if (count < digits.length) digits[count] = VALUES[code] ?? NO_VALUE;
    count += 1;
  }
  return count;
}

function requireRightGroups(digits: Buffer, count: number): void {
  const wrong: number[] = [];
  for (let group = 0; group < SHARE_TEXT_GROUPS && (group + 1) * GROUP <= count; group += 1) {
    const own = digits.subarray(group * GROUP, (group + 1) * GROUP);
    if (own.includes(NO_VALUE) || checkOf(own, group + 1) !== own[DATA]) wrong.push(group + 1);
  }
  // A character too many or too few shifts every group behind it: the first one tells where.
  const lengthText = `It has ${count} characters, not ${digits.length}.`;
  if (count !== digits.length) {
    const where = wrong[0] === undefined ? '' : ` Look at group ${wrong[0]} first.`;
    throw new KmcError('E_SHARE_BAD', `The share was not typed as it is printed. ${lengthText}${where}`);
  }
  if (wrong.length === 0) return;
  const groups = `${wrong.length === 1 ? 'Group' : 'Groups'} ${wrong.join(', ')}`;
  throw new KmcError('E_SHARE_BAD', `${groups} of the share: not typed as printed. Compare and type again.`, {
    pointers: wrong.map((group) => ({ pointer: `/group/${group}`, detail: 'the check character does not fit' })),
  });
}

function shareIn(octets: Buffer): Share {
  const threshold = octets.readUInt8(OFFSET.threshold);
  const count = octets.readUInt8(OFFSET.count);
  const index = octets.readUInt8(OFFSET.index);
  const isPadded = octets.subarray(OFFSET.padding).every((octet) => octet === 0);
  if (octets[0] !== VERSION || !isPadded || index === 0 || threshold < 2 || threshold > count) {
    throw new KmcError(
      'E_SHARE_BAD',
      'This is not a share of this system; ask the holder for the paper of the ceremony.',
    );
  }
  const value = secretBuffer(SHARE_VALUE_BYTES);
  octets.copy(value, 0, OFFSET.value, OFFSET.padding);
  return { setId: octets.toString('hex', OFFSET.setId, OFFSET.threshold), threshold, count, index, value };
}

function checkOf(digits: Buffer, group: number): number {
  const sum = WEIGHTS.reduce((total, weight, place) => total ^ product(weight, digits[place] ?? 0), 0);
  return sum ^ product(PLACE_WEIGHT, group);
}

/** Product in GF(2^5) modulo x^5 + x^2 + 1, without a table that a secret would index. */
function product(a: number, b: number): number {
  let result = 0;
  let power = a;
  for (let bit = 0; bit < BITS; bit += 1) {
    result ^= power & -((b >> bit) & 1);
    power = (power << 1) ^ (0b100101 & -((power >> 4) & 1));
  }
  return result & 0b11111;
}

/** Five bits from bit `at` on. */
function bitsAt(octets: Buffer, at: number): number {
  const pair = ((octets[at >> 3] ?? 0) << 8) | (octets[(at >> 3) + 1] ?? 0);
  return (pair >> (16 - BITS - (at & 7))) & 0b11111;
}

function putBits(octets: Buffer, at: number, digit: number): void {
  const pair = digit << (16 - BITS - (at & 7));
  const first = at >> 3;
  octets[first] = (octets[first] ?? 0) | (pair >> 8);
  if (first + 1 < octets.length) octets[first + 1] = (octets[first + 1] ?? 0) | (pair & 0xff);
}

function valuesByCode(): readonly number[] {
  const values = Array.from({ length: 256 }, () => NO_VALUE);
  const put = (character: string, value: number): void => {
    values[character.charCodeAt(0)] = value;
    values[character.toLowerCase().charCodeAt(0)] = value;
  };
  for (const [value, character] of ALPHABET.split('').entries()) put(character, value);
  for (const [other, character] of Object.entries(LOOK_ALIKES)) put(other, ALPHABET.indexOf(character));
  return values;
}
