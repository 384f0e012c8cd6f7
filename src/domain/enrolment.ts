/** The rules of an enrolment (enrolment-and-root-upgrade B.4, B.5): its proof, what a request may ask for, how long to wait. */
import { equalConstantTime } from '../crypto/bytes.ts';
import { KmcError } from '../errors.ts';
import type { CertificationRequest } from '../x509/csr.ts';
import { EXTENSIONS, readExtension } from '../x509/extensions.ts';
import type { GeneralName } from '../x509/extensions/general-name.ts';
import { parseName, type Name } from '../x509/name.ts';

/**
 * The operations, each part of the key that one open enrolment has: first ones under a token, and those of a device that
 * is in service. `gmdualenroll` is both. The protocol stands in the audit log.
 */
export const ENROLMENT_OPERATIONS = {
  enrol: { protocol: 'json' },
  renew: { protocol: 'json' },
  gmdualenroll: { protocol: 'est' },
  simpleenroll: { protocol: 'est' },
  simplereenroll: { protocol: 'est' },
} as const;
export type EnrolmentOperation = keyof typeof ENROLMENT_OPERATIONS;

const PROOF_PREFIX = Buffer.from('KMC-ENROL-V1\0', 'ascii');

/**
 * What the `tokenMac` covers: HMAC-SM3(token, "KMC-ENROL-V1" 0x00 || csrDer). It covers the public key, so who reads the
 * message gains nothing for another key.
 */
export function tokenMacInput(csrDer: Buffer): Buffer {
  return Buffer.concat([PROOF_PREFIX, csrDer]);
}

/** What was registered, or stands in the certificate to be renewed, and thus what a request must ask for. */
export interface RegisteredNames {
  /** Name, DER. */
  readonly subject: Buffer;
  readonly alternativeNames: readonly GeneralName[];
}

/** A name as text in which only types, values and order count, not the string types of an encoder. */
function nameKey(name: Name): string {
  return JSON.stringify(name.rdns.map((rdn) => rdn.map(({ oid, value }) => [oid, value])));
}

function alternativeNamesKey(names: readonly GeneralName[]): string {
  return JSON.stringify(
    names.map((name) => `${name.type}:${'value' in name ? name.value : name.der.toString('hex')}`).sort(),
  );
}

/**
 * Refuses a request that asks for another subject or other alternative names than were registered. What else it asks for
 * is of no consequence: certificates follow the profile.
 * @throws KmcError E_POLICY naming what differs.
 */
export function requireRegisteredNames(request: CertificationRequest, registered: RegisteredNames): void {
  const sameSubject =
    request.subject.der.equals(registered.subject) ||
    nameKey(request.subject) === nameKey(parseName(registered.subject, 'E_CSR'));
  const asked = readExtension(request.requestedExtensions, EXTENSIONS.subjectAltName) ?? [];
  const sameNames = alternativeNamesKey(asked) === alternativeNamesKey(registered.alternativeNames);
  if (sameSubject && sameNames) return;
  const what = sameSubject ? 'alternative names' : 'subject';
  throw new KmcError('E_POLICY', `The request asks for another ${what} than the device was registered with.`, {
    pointers: [{ pointer: '/csr', detail: `the ${what} must be exactly as registered` }],
  });
}

/**
 * Refuses a request that was linked to another channel than it came through (RFC 7030 3.5): who sends it may not be who
 * made it. A request without a challengePassword is linked to none.
 * @param binding value of the channel; undefined where TLS does not end here, and then nothing can be linked.
 * @throws KmcError E_POP.
 */
export function requireChannel({ challengePassword }: CertificationRequest, binding: Buffer | undefined): void {
  if (challengePassword === undefined) return;
  const sent = Buffer.from(challengePassword, 'utf8');
  const wanted = Buffer.from(binding?.toString('base64') ?? '', 'ascii');
  if (binding !== undefined && equalConstantTime(sent, wanted)) return;
  throw new KmcError(
    'E_POP',
    'The challengePassword is not the base64 of the channel binding. Leave it out, or renew it.',
  );
}

interface WaitingStep {
  readonly untilSeconds: number;
  readonly retrySeconds: number;
}

const HOUR = 3_600;
const WAITING: readonly WaitingStep[] = [
  { untilSeconds: HOUR, retrySeconds: 300 },
  { untilSeconds: 24 * HOUR, retrySeconds: HOUR },
];
const LONGEST_RETRY = 6 * HOUR;

/** Seconds after which a device that waits since `since` asks again (B.4): 300, 3600 after an hour, 21600 after a day. */
export function retryAfterSeconds(since: Date, now: Date): number {
  const waited = (now.getTime() - since.getTime()) / 1000;
  return WAITING.find(({ untilSeconds }) => waited < untilSeconds)?.retrySeconds ?? LONGEST_RETRY;
}
