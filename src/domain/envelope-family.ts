/**
 * The families of envelopes in which devices get their encryption key: which one is a matter of the device's profile. An
 * envelope shows its family itself, so that what was sent once is read the same way for ever.
 */
import { ENVELOPE_PACKINGS, type EnvelopePacking } from '../crypto/gm/envelope-packings.ts';
import type { KeyEnvelope } from '../crypto/gm/key-envelope.ts';
import { parseSignedEnvelopedKey } from '../crypto/gm/signed-enveloped-key.ts';
import { SKF_ENVELOPE_LENGTH, skfConventionOf } from '../crypto/gm/skf-envelope.ts';
import { decodeSequence, TAG } from '../crypto/asn1/der.ts';
import { sm2PointFromSpki } from '../crypto/spki.ts';

/** By the standard: SM2EnvelopedKey, SignedAndEnvelopedData, ENVELOPEDKEYBLOB in its two conventions. */
export const ENVELOPE_FAMILIES = ['gmt-0009', 'gmt-0010', 'gmt-0016-a', 'gmt-0016-b'] as const;
export type EnvelopeFamily = (typeof ENVELOPE_FAMILIES)[number];

/** True for a family that holds no signature, and that an engine packs by itself. */
export function isUnsigned(family: EnvelopeFamily): family is EnvelopePacking {
  return Object.hasOwn(ENVELOPE_PACKINGS, family);
}

/** The family of an envelope. @throws KmcError E_DER for octets that are of none, E_SIZE. */
export function envelopeFamilyOf(envelope: Buffer): EnvelopeFamily {
  if (envelope.length === SKF_ENVELOPE_LENGTH && envelope[0] !== TAG.sequence) {
    return skfConventionOf(envelope) === 'A' ? 'gmt-0016-a' : 'gmt-0016-b';
  }
  const first = decodeSequence(envelope, 'envelope of a key').peek()?.tag;
  return first === TAG.sequence ? 'gmt-0009' : 'gmt-0010';
}

/** The parts of an envelope of any family; `spki` (DER) is the key in it. @throws KmcError E_DER, E_SIZE. */
function readEnvelope(envelope: Buffer, spki: Buffer): KeyEnvelope {
  const family = envelopeFamilyOf(envelope);
  return isUnsigned(family)
    ? ENVELOPE_PACKINGS[family].parse(envelope)
    : parseSignedEnvelopedKey(envelope, sm2PointFromSpki(spki));
}

/**
 * The same envelope as SM2EnvelopedKey, DER, packed anew without any key: what the response of GM/T 0092 holds for devices
 * of every family. An SM2EnvelopedKey stays as it is.
 * @throws KmcError E_DER, E_SIZE.
 */
export function asEnvelopedKey(envelope: Buffer, spki: Buffer): Buffer {
  if (envelopeFamilyOf(envelope) === 'gmt-0009') return envelope;
  return ENVELOPE_PACKINGS['gmt-0009'].pack(readEnvelope(envelope, spki));
}
