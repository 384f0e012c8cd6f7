/** Secret bytes of the software engine: making them, and what may be computed from them. */
import { KmcError } from '../../errors.ts';
import { concat, equalConstantTime, secretBuffer, wipe } from '../bytes.ts';
import type { CryptoEngine } from '../engine.ts';
import { encryptSm2 } from '../gm/sm2-encrypt.ts';
import { hmacSm3, sm3 } from '../gm/sm3.ts';
import { randomBytes } from '../random.ts';
import { sm2PointFromSpki } from '../spki.ts';
import { issueSecret, type EngineState } from './handles.ts';

type SecretOperations = Pick<
  CryptoEngine,
  | 'generateSecret'
  | 'generateToken'
  | 'destroySecret'
  | 'digestSecret'
  | 'mac'
  | 'verifyMac'
  | 'keyCheckValue'
  | 'encryptSecretTo'
  | 'releaseToken'
>;

const SHORTEST_SECRET = 16;
const LONGEST_SECRET = 1024;
const TOKEN_BYTES = 20;
const BASE32_ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 'latin1');
const TOKEN_CHARACTERS = (TOKEN_BYTES / 5) * 8;
const KCV_PREFIX = Buffer.from('KCV', 'latin1');
const KCV_BYTES = 8;

/** The operations of the port on secrets. */
export function secretOperations(state: EngineState): SecretOperations {
  const { secrets } = state;
  return {
    async generateSecret(length) {
      if (!Number.isInteger(length) || length < SHORTEST_SECRET || length > LONGEST_SECRET) {
        throw new KmcError('E_USAGE', `A secret has ${SHORTEST_SECRET} to ${LONGEST_SECRET} octets.`);
      }
      return issueSecret(state, randomBytes(length));
    },
    async generateToken() {
      const random = randomBytes(TOKEN_BYTES);
      try {
        return issueSecret(state, base32(random));
      } finally {
        wipe(random);
      }
    },
    destroySecret(secret) {
      secrets.destroy(secret);
    },
    async digestSecret(secret) {
      return sm3(secrets.stateOf(secret));
    },
    async mac(secret, message) {
      return hmacSm3(secrets.stateOf(secret), message);
    },
    async verifyMac(secret, message, mac) {
      return equalConstantTime(hmacSm3(secrets.stateOf(secret), message), mac);
    },
    async keyCheckValue(secret, keyId) {
      const mac = hmacSm3(secrets.stateOf(secret), KCV_PREFIX, Buffer.from(keyId, 'utf8'));
      // A copy: a view would carry the rest of the MAC with it.
      return concat(mac.subarray(0, KCV_BYTES));
    },
    async encryptSecretTo(secret, recipientSpki) {
      return encryptSm2(sm2PointFromSpki(recipientSpki), secrets.stateOf(secret));
    },
    async releaseToken(secret) {
      const octets = secrets.stateOf(secret);
      if (octets.length !== TOKEN_CHARACTERS || !octets.every((octet) => BASE32_ALPHABET.includes(octet))) {
        throw new KmcError('E_USAGE', 'Only an enrolment token leaves the engine in the clear, and this is none.');
      }
      return concat(octets);
    },
  };
}

/** Base32 (RFC 4648 section 6) of a whole number of 5-octet groups, straight into a Buffer that can be wiped. */
function base32(bytes: Buffer): Buffer {
  const text = secretBuffer((bytes.length / 5) * 8);
  for (let at = 0; at < text.length; at += 1) {
    const bit = at * 5;
    const window = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    text[at] = BASE32_ALPHABET[(window >> (11 - (bit & 7))) & 31] ?? 0;
  }
  return text;
}
