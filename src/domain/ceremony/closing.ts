/** The closing of a ceremony (C11, C16, C20): one body that names everything, signed from every seat. */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { createDigests } from '../../crypto/digests.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import { isObject, oneOf, requireMembers, signedDigest, signedTimeText, sm3Text, textLike } from '../signed-body.ts';
import type { MemberCheck } from '../signed-body.ts';
import type { CeremonyRegister } from './plan.ts';

const SCHEMA = 'kmc.ceremony-closing/1';

export interface Closing {
  readonly schema: typeof SCHEMA;
  readonly ceremony: string;
  readonly type: string;
  readonly environment: string;
  readonly instance: string;
  /** Plan hash. */
  readonly plan: string;
  /** Hash of the last record of the transcript. */
  readonly transcript: string;
  /** Number of records, in decimal. */
  readonly records: string;
  readonly deviations: string;
  /** `sm3:<hex>` of hashes.txt. */
  readonly hashes: string;
  readonly closedAt: string;
  /** What the next ceremony begins with. */
  readonly after: CeremonyRegister;
}

const name = textLike(/^[a-z0-9][a-z0-9-]{0,63}$/, 'a name');
const count = textLike(/^(?:0|[1-9][0-9]{0,8})$/, 'a decimal number');

const CHECKS: Readonly<Record<keyof Closing, MemberCheck>> = {
  schema: oneOf([SCHEMA]),
  ceremony: textLike(ID, 'the id of a ceremony'),
  type: name,
  environment: oneOf(['production', 'development']),
  instance: name,
  plan: sm3Text,
  transcript: sm3Text,
  records: count,
  deviations: count,
  hashes: sm3Text,
  closedAt: signedTimeText,
  after: (value) => (isObject(value) ? undefined : 'must be an object'),
};
const REGISTER_CHECKS: Readonly<Record<keyof CeremonyRegister, MemberCheck>> = {
  ceremonyEpoch: count,
  restrictedKeys: (value) =>
    Array.isArray(value) && value.every((key) => typeof key === 'string' && ID.test(key)) ? undefined : 'must be keys',
};

/** A closing of these facts. */
export function ceremonyClosing(facts: Omit<Closing, 'schema'>): Closing {
  return { schema: SCHEMA, ...facts };
}

/** The digest that every seat signs, and by which the next ceremony names this bundle (`previous`). */
export function bundleDigest(closing: Closing): string {
  return signedDigest('ceremony', closing);
}

/** The file closing.json: canonical JSON and a line feed. */
export function encodeClosing(closing: Closing): Buffer {
  return Buffer.from(`${canonicalizeSigned(closing)}\n`, 'utf8');
}

/**
 * Reads closing.json; what it states is not compared with anything yet.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA.
 */
export function readClosing(bytes: Buffer): Closing {
  const value: unknown = parseStrictJson(bytes, { maxBytes: 65_536 });
  requireMembers<Closing>(value, CHECKS, 'closing');
  requireMembers<CeremonyRegister>(value.after, REGISTER_CHECKS, 'register of the closing');
  if (!encodeClosing(value).equals(bytes)) throw new KmcError('E_SCHEMA', 'The closing is not in its canonical form.');
  return value;
}

/** hashes.txt: `<SM3 hex> <SHA-256 hex>  <name>`, by name; the end of each line is what `sha256sum -c` reads. */
export function hashList(files: ReadonlyMap<string, Buffer>): Buffer {
  const lines = [...files].map(([file, bytes]) => {
    const digests = createDigests(bytes);
    return `${digests.sm3.slice('sm3:'.length)} ${digests.sha256.slice('sha256:'.length)}  ${file}\n`;
  });
  return Buffer.from(lines.join(''), 'utf8');
}
