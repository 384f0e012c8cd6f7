export { TAG } from './der-value.ts';
export { children, decodeDer, eachChild, implicitAs } from './der-gate.ts';
export type { DerElement, DerLimits } from './der-gate.ts';
export {
  cursor,
  decodeSequence,
  DerCursor,
  readBitString,
  readBoolean,
  readEnumerated,
  readGeneralizedTime,
  readInteger,
  readOctetString,
  readOid,
  readSmallInteger,
  readString,
  readTime,
  readUnsignedInteger,
} from './der-reader.ts';
export {
  bitString,
  boolean,
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  enumerated,
  generalizedTime,
  ia5String,
  integer,
  nullValue,
  octetString,
  oid,
  printableString,
  sequence,
  sequenceOf,
  set,
  time,
  utf8String,
} from './der-writer.ts';
