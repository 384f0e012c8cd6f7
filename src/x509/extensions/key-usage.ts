/** What a key may be used for: keyUsage and extendedKeyUsage (RFC 5280 4.2.1.3 and 4.2.1.12). */
import { bitString, eachChild, oid, readBitString, readOid, sequence, TAG } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { decodeValue, extensionCodec, extensionFault, extensionRefused } from './codec.ts';

/** The named bits of keyUsage, in bit order. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsageName = (typeof KEY_USAGES)[number];

const MAX_PURPOSES = 32;

/**
 * Octets and unused bits of a named bit list: trailing zero bits are left out (X.690 11.2.2). `names` lists the bits in
 * order.
 */
export function encodeNamedBits<Name extends string>(names: readonly Name[], chosen: readonly Name[]): Buffer {
  const positions = chosen.map((name) => names.indexOf(name));
  const last = Math.max(-1, ...positions);
  const octets = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const position of positions) octets[position >> 3] = (octets[position >> 3] ?? 0) | (0x80 >> (position & 7));
  return bitString(octets, last < 0 ? 0 : 7 - (last & 7));
}

/** The names of the set bits, in bit order. Throws `E_DER` when trailing zero bits are written or a bit has no name. */
export function decodeNamedBits<Name extends string>(
  names: readonly Name[],
  bits: { bytes: Buffer; unusedBits: number },
): Name[] {
  const count = bits.bytes.length * 8 - bits.unusedBits;
  const isSet = (position: number): boolean => ((bits.bytes[position >> 3] ?? 0) & (0x80 >> (position & 7))) !== 0;
  if (count > names.length) throw extensionFault('a bit is set that has no name');
  if (count > 0 && !isSet(count - 1)) throw extensionFault('a named bit list ends with zero bits');
  return names.filter((_name, position) => isSet(position));
}

/** keyUsage: at least one named bit; critical (GM/T 0015). */
export const keyUsage = extensionCodec<readonly KeyUsageName[]>({
  oid: OID.keyUsage,
  critical: true,
  encode(usages) {
    if (usages.length === 0) throw extensionRefused('keyUsage must have at least one bit');
    return encodeNamedBits(KEY_USAGES, usages);
  },
  decode(value) {
    const usages = decodeNamedBits(KEY_USAGES, readBitString(decodeValue(value)));
    if (usages.length === 0) throw extensionFault('keyUsage has no bit set');
    return usages;
  },
});

/** extendedKeyUsage: dotted OIDs of the purposes, none twice. */
export const extendedKeyUsage = extensionCodec<readonly string[]>({
  oid: OID.extendedKeyUsage,
  critical: false,
  encode(purposes) {
    if (purposes.length === 0) throw extensionRefused('extendedKeyUsage must name a purpose');
    return sequence(...purposes.map((purpose) => oid(purpose)));
  },
  decode(value) {
    const element = decodeValue(value);
    if (element.tag !== TAG.sequence) throw extensionFault('extendedKeyUsage must be a SEQUENCE');
    const purposes: string[] = [];
    for (const child of eachChild(element)) {
      if (purposes.length === MAX_PURPOSES) throw extensionFault('extendedKeyUsage names too many purposes');
      purposes.push(readOid(child));
    }
    if (purposes.length === 0) throw extensionFault('extendedKeyUsage names no purpose');
    if (new Set(purposes).size < purposes.length) throw extensionFault('extendedKeyUsage names a purpose twice');
    return purposes;
  },
});
