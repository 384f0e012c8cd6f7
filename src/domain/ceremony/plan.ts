/**
 * The plan of a ceremony (C4, C5): everything that will be done, made from file, tool and inputs alone, so that making it
 * twice gives the same bytes. People approve its hash.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import { isObject, oneOf, requireMembers, signedDigest, sm3Text, textLike } from '../signed-body.ts';
import type { MemberCheck, SignedObject } from '../signed-body.ts';
import type { CeremonyInputFile } from './ceremony-file.ts';

/** What runs the ceremony (C13): digests of its own files, of the runtime and of the lock file. */
export interface ToolIdentity {
  /** Of all program files: names and contents. */
  readonly bundleSm3: string;
  readonly bundleSha256: string;
  readonly node: string;
  readonly nodeSm3: string;
  readonly openssl: string;
  /** Name of the system image. */
  readonly os: string;
  /** Commit of the sources, 40 hex digits; `none` where they did not come with their history. */
  readonly commit: string;
  readonly lockSm3: string;
  readonly engine: string;
}

/** What a step will sign, as far as it is known before the step. */
export type PlannedCertificate = Readonly<Record<string, string>>;

export interface PlannedStep {
  readonly id: string;
  readonly do: string;
  readonly text: string;
  /** Names below `outputs/`. */
  readonly outputs: readonly string[];
  /** Events that the audit log will hold. */
  readonly audits: readonly string[];
  /** Fields of the certificate or CRL; `tbs` is its base64 DER where the key is known already. */
  readonly signs?: PlannedCertificate;
}

export interface CeremonyPlan {
  readonly schema: typeof SCHEMA;
  readonly ceremony: string;
  readonly type: string;
  readonly environment: string;
  readonly instance: string;
  /** The file, in the form of the plan. */
  readonly file: SignedObject;
  /** `sm3:<hex>` of the file's octets. */
  readonly fileSm3: string;
  readonly policyDigest: string;
  readonly tool: ToolIdentity;
  readonly inputs: readonly CeremonyInputFile[];
  readonly steps: readonly PlannedStep[];
  /** What the ceremonies before have left: epoch of the ceremony keystore, keys that sign no certificates any more. */
  readonly before: CeremonyRegister;
}

/** What one ceremony hands on to the next. */
export interface CeremonyRegister {
  /** Epoch of the ceremony keystore, in decimal; `0` before it is made. */
  readonly ceremonyEpoch: string;
  /** Root keys that sign only CRLs any more. */
  readonly restrictedKeys: readonly string[];
}

export const FIRST_REGISTER: CeremonyRegister = { ceremonyEpoch: '0', restrictedKeys: [] };

const SCHEMA = 'kmc.ceremony-plan/1';
const MAX_BYTES = 1_048_576;
const list: MemberCheck = (value) => (Array.isArray(value) ? undefined : 'must be a list');
const object: MemberCheck = (value) => (isObject(value) ? undefined : 'must be an object');
const name = textLike(/^[a-z0-9][a-z0-9-]{0,63}$/, 'a name');

const CHECKS: Readonly<Record<keyof CeremonyPlan, MemberCheck>> = {
  schema: oneOf([SCHEMA]),
  ceremony: textLike(ID, 'the id of a ceremony'),
  type: name,
  environment: oneOf(['production', 'development']),
  instance: name,
  file: object,
  fileSm3: sm3Text,
  policyDigest: sm3Text,
  tool: object,
  inputs: list,
  steps: list,
  before: object,
};

/** A plan of these facts. */
export function ceremonyPlan(facts: Omit<CeremonyPlan, 'schema'>): CeremonyPlan {
  return { schema: SCHEMA, ...facts };
}

/** The plan hash, `sm3:<hex>` over `KMC-CEREMONY-V1 0x00 || JCS(plan)`. */
export function planHash(plan: CeremonyPlan): string {
  return signedDigest('ceremony', plan);
}

/** The file plan.json: canonical JSON and a line feed. */
export function encodePlan(plan: CeremonyPlan): Buffer {
  return Buffer.from(`${canonicalizeSigned(plan)}\n`, 'utf8');
}

/**
 * Reads plan.json. Its details are not looked at: its hash is approved, and a tool that makes it again compares.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA.
 */
export function readPlan(bytes: Buffer): CeremonyPlan {
  const value: unknown = parseStrictJson(bytes, { maxBytes: MAX_BYTES });
  requireMembers<CeremonyPlan>(value, CHECKS, 'plan');
  if (!encodePlan(value).equals(bytes)) throw new KmcError('E_SCHEMA', 'The plan is not in its canonical form.');
  return value;
}
