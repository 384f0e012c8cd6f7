/**
 * Break-glass (enrolment-and-root-upgrade D.5): two of three sealed accounts, whose keys lie in numbered bags, may stop
 * things for four hours when the usual approvals take too long. They may suspend, revoke and pause, and nothing else.
 */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../crypto/algorithms.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { isId } from './id.ts';
import {
  isBase64,
  type MemberCheck,
  oneOf,
  plainText,
  readSignedTime,
  requireMembers,
  signedBytes,
  signedTimeText,
  sm3Text,
  textLike,
} from './signed-body.ts';

export const SEALED_ACCOUNTS = ['sealed-1', 'sealed-2', 'sealed-3'] as const;
export type SealedAccountId = (typeof SEALED_ACCOUNTS)[number];

/** Sealed accounts that open a session together. */
export const BREAK_GLASS_QUORUM = 2;
export const BREAK_GLASS_SECONDS = 4 * 3600;
/** Auditors who review a session, and within how long after its end. */
export const BREAK_GLASS_REVIEWERS = 2;
export const REVIEW_SECONDS = 72 * 3600;
/** How old a declaration may be when it comes in: the bags may lie far apart. */
const DECLARATION_SECONDS = 4 * 3600;
/** Seconds by which clocks may differ. */
const CLOCK_SECONDS = 120;

/** The operations of the API that a sealed account may call while its session lasts: they stop, and start nothing. */
const BREAK_GLASS_OPERATIONS = ['revokeCertificate', 'suspendPerson', 'pauseIssuance', 'endBreakGlass'] as const;
export type BreakGlassOperation = (typeof BREAK_GLASS_OPERATIONS)[number];

/** True for an operation of the table. */
export function isBreakGlassOperation(name: string): name is BreakGlassOperation {
  return (BREAK_GLASS_OPERATIONS as readonly string[]).includes(name);
}

export const BREAK_GLASS_SCHEMA = 'kmc.break-glass/1';

/** What each of the sealed accounts signs. All but the last four members are the same in every statement. */
export interface OpeningBody {
  readonly schema: typeof BREAK_GLASS_SCHEMA;
  /** Id of the session, made by whoever declares it first. */
  readonly id: string;
  /** `<environment>/<instance id>` */
  readonly environment: string;
  readonly reason: string;
  readonly declaredAt: string;
  readonly account: SealedAccountId;
  /** Number of the bag that was broken. */
  readonly bag: string;
  readonly certSm3: string;
  readonly nonce: string;
}

export interface OpeningStatement {
  readonly body: OpeningBody;
  /** base64 of raw r||s over "KMC-BREAK-GLASS-V1" 0x00 || JCS(body). */
  readonly signature: string;
  /** base64 of the certificate, DER. */
  readonly certificate: string;
}

const BAG = /^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/;
/** The number of a tamper-evident bag as it is printed on it. */
export const bagNumber: MemberCheck = textLike(BAG, 'the number of a bag: letters, digits and hyphens');

const CHECKS: Readonly<Record<keyof OpeningBody, MemberCheck>> = {
  schema: oneOf([BREAK_GLASS_SCHEMA]),
  id: (value) => (typeof value === 'string' && isId(value) ? undefined : 'must be an identifier'),
  environment: textLike(/^[a-z]{1,32}\/[a-z0-9][a-z0-9-]{0,63}$/, 'an environment, a slash and an instance id'),
  reason: plainText(200),
  declaredAt: signedTimeText,
  account: oneOf(SEALED_ACCOUNTS),
  bag: bagNumber,
  certSm3: sm3Text,
  nonce: textLike(/^[0-9a-f]{32,64}$/, '32 to 64 lower-case hex digits'),
};

const STATEMENT_CHECKS: Readonly<Record<keyof OpeningStatement, MemberCheck>> = {
  body: () => undefined,
  signature: textLike(/^[A-Za-z0-9+/]{86}==$/, 'base64 of 64 octets'),
  certificate: (value) =>
    typeof value === 'string' && value.length <= 8192 && isBase64(value)
      ? undefined
      : 'must be base64 of a certificate',
};

/** @throws KmcError E_SCHEMA with pointers. */
export function readOpeningBody(value: unknown): OpeningBody {
  requireMembers<OpeningBody>(value, CHECKS, 'break-glass statement');
  return value;
}

/** Checks the form of a statement; the signature is for `verifyOpening`. @throws KmcError E_SCHEMA. */
export function readOpeningStatement(value: unknown): OpeningStatement {
  requireMembers<OpeningStatement>(value, STATEMENT_CHECKS, 'signed break-glass statement');
  readOpeningBody(value.body);
  return value;
}

/** The bytes that a sealed account signs. */
export function openingBytes(body: OpeningBody): Buffer {
  return signedBytes('breakGlass', body);
}

/** A sealed account as it is registered. */
export interface RegisteredSeal {
  readonly id: SealedAccountId;
  readonly bag: string;
  /** `sm3:<hex>` */
  readonly certificateSm3: string;
  readonly state: 'sealed' | 'used';
}

/** Whether two statements are about one opening. */
function isSameDeclaration(a: OpeningBody, b: OpeningBody): boolean {
  return a.id === b.id && a.environment === b.environment && a.reason === b.reason && a.declaredAt === b.declaredAt;
}

function requireSeal({ body, certificate, signature }: OpeningStatement, accounts: readonly RegisteredSeal[]): void {
  const der = Buffer.from(certificate, 'base64');
  const account = accounts.find(({ id }) => id === body.account);
  if (account?.state !== 'sealed' || account.bag !== body.bag) {
    throw new KmcError('E_APPROVAL', `${body.account} is not sealed in bag ${body.bag}.`);
  }
  if (account.certificateSm3 !== body.certSm3 || sm3Fingerprint(der) !== body.certSm3) {
    throw new KmcError('E_APPROVAL', `The certificate is not that of ${body.account}.`);
  }
  const { spki } = parseCertificate(der);
  const value = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(signature, 'base64'));
  if (!verifySignature('SM2-SM3', spki, openingBytes(body), value)) {
    throw new KmcError('E_SIGNATURE', `The signature of ${body.account} does not verify.`);
  }
}

/**
 * The statements of an opening, if they are of two or more sealed accounts, each registered and still sealed in its bag,
 * all about one declaration of this instance, made not long ago.
 * @returns the declaration, as the first statement has it.
 * @throws KmcError E_QUORUM, E_APPROVAL, E_SAME_PERSON, E_SIGNATURE, E_TIME, E_DER, E_CERT.
 */
export function verifyOpening(
  statements: readonly OpeningStatement[],
  accounts: readonly RegisteredSeal[],
  { environment, at }: { readonly environment: string; readonly at: Date },
): OpeningBody {
  const [first] = statements;
  if (first === undefined || statements.length < BREAK_GLASS_QUORUM) {
    throw new KmcError('E_QUORUM', `${BREAK_GLASS_QUORUM} of the ${SEALED_ACCOUNTS.length} sealed accounts open it.`);
  }
  if (new Set(statements.map(({ body }) => body.account)).size !== statements.length) {
    throw new KmcError('E_SAME_PERSON', 'The statements must be of different sealed accounts.');
  }
  const { body } = first;
  if (body.environment !== environment) {
    throw new KmcError('E_APPROVAL', 'The statements are about another instance or environment.');
  }
  if (!statements.every((one) => isSameDeclaration(one.body, body))) {
    throw new KmcError('E_APPROVAL', 'The statements are not about one and the same declaration.');
  }
  const age = (at.getTime() - (readSignedTime(body.declaredAt)?.getTime() ?? Number.NaN)) / 1000;
  if (!(age >= -CLOCK_SECONDS && age <= DECLARATION_SECONDS)) {
    throw new KmcError('E_TIME', 'The declaration is too old, or lies in the future. Declare anew.');
  }
  for (const statement of statements) requireSeal(statement, accounts);
  return body;
}

/** `sm3:<hex>` of the certificates that opened a session, from its statements as JSON. @throws KmcError E_JSON, E_SCHEMA. */
export function openersOf(statements: string): string[] {
  const value: unknown = parseStrictJson(statements);
  return Array.isArray(value) ? value.map((one) => readOpeningStatement(one).body.certSm3) : [];
}

/** What of a session says whether it lasts. */
export interface SessionSpan {
  readonly openedAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | undefined;
}

/** True while the session lasts: whether or not anybody noticed its end. */
export function sessionLasts({ openedAt, expiresAt, endedAt }: SessionSpan, at: Date): boolean {
  return endedAt === undefined && openedAt <= at && at < expiresAt;
}

/** When the session ended, by itself or by somebody; undefined while it lasts. */
export function sessionEnd({ expiresAt, endedAt }: SessionSpan, at: Date): Date | undefined {
  const end = endedAt ?? expiresAt;
  return end <= at ? end : undefined;
}
