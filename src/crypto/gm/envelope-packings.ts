/**
 * The packings of an unsigned private-key envelope, by the standard that devices were built to. They hold the same parts;
 * nothing else compares the names.
 */
import { packEnvelopedKey, parseEnvelopedKey } from './enveloped-key.ts';
import type { KeyEnvelope } from './key-envelope.ts';
import { encodeSkfEnvelope, parseSkfEnvelope } from './skf-envelope.ts';

interface Packing {
  /** @throws KmcError E_USAGE when the layout of the envelope cannot be packed this way. */
  pack(envelope: KeyEnvelope): Buffer;
  /** @throws KmcError E_DER, E_SIZE. */
  parse(bytes: Buffer): KeyEnvelope;
}

export const ENVELOPE_PACKINGS = {
  /** SM2EnvelopedKey, DER. */
  'gmt-0009': { pack: packEnvelopedKey, parse: parseEnvelopedKey },
  /** ENVELOPEDKEYBLOB, zeros before the encrypted key. */
  'gmt-0016-a': { pack: (envelope) => encodeSkfEnvelope(envelope, 'A'), parse: parseSkfEnvelope },
  /** ENVELOPEDKEYBLOB, zeros and key encrypted together. */
  'gmt-0016-b': { pack: (envelope) => encodeSkfEnvelope(envelope, 'B'), parse: parseSkfEnvelope },
} as const satisfies Record<string, Packing>;

export type EnvelopePacking = keyof typeof ENVELOPE_PACKINGS;
