import { parseCertificate } from '../../x509/certificate.ts';
import { openersOf, sessionLasts } from '../../domain/break-glass.ts';
import type { Caller } from '../../domain/caller.ts';
import { verifySignedRequest, type ReceivedSignature, type SignedRequestParts } from '../../domain/http-signature.ts';
import { accountInForce } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';

/** Minutes that a used nonce is remembered: longer than any signature is valid. */
const NONCE_MINUTES = 10;

interface Signer {
  readonly caller: Caller;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
}

/** One text for every reason, so that a stranger learns nothing about what is registered. */
function unknownSigner(): KmcError {
  return new KmcError('E_UNAUTHENTICATED', 'the signing certificate is not registered, or not in force');
}

/** keyid (base64url) to the digest form of the stores (`sm3:<hex>` or `sha256:<hex>`). */
function digestOf(keyid: string): string {
  const colon = keyid.indexOf(':');
  return `${keyid.slice(0, colon)}:${Buffer.from(keyid.slice(colon + 1), 'base64url').toString('hex')}`;
}

/** Certificates for encryption never sign requests. */
function signingSpki(der: Buffer): Buffer {
  const certificate = parseCertificate(der);
  if (certificate.keyUsage?.includes('digitalSignature') !== true) throw unknownSigner();
  return certificate.spki;
}

async function personOf(reader: Reader, digest: string, now: Date): Promise<Signer | undefined> {
  const person = await reader.people.findByCertificate(digest);
  if (person === undefined) return undefined;
  const certificate = await reader.people.certificate(digest);
  if (person.status !== 'active' || certificate === undefined) throw unknownSigner();
  if (accountInForce(person, digest, now) === undefined) throw unknownSigner();
  const { id, unit, roles } = person;
  return {
    caller: { type: 'person', id, unit, roles, certificateSm3: digest },
    spki: signingSpki(certificate),
  };
}

async function deviceOf(reader: Reader, digest: string, now: Date): Promise<Signer | undefined> {
  const row = await reader.certificates.findByDigest(digest);
  if (row?.certificate === undefined || row.deviceId === undefined || row.certificateSm3 === undefined)
    return undefined;
  const device = await reader.devices.find(row.deviceId);
  const authority = await reader.authorities.find(row.authorityId);
  const inForce = row.status === 'good' && row.notBefore <= now && now <= row.notAfter;
  if (device?.status !== 'in-service' || authority?.state === 'revoked' || !inForce) throw unknownSigner();
  const { id, region } = device;
  return {
    caller: { type: 'device', id, region, certificateSm3: row.certificateSm3 },
    spki: signingSpki(row.certificate),
  };
}

/** A sealed account signs requests only in the session that it opened, and only while that lasts. */
async function sealedAccountOf(reader: Reader, digest: string, now: Date): Promise<Signer | undefined> {
  const account = await reader.breakGlass.accountByCertificate(digest);
  if (account === undefined) return undefined;
  const session = await reader.breakGlass.unended();
  if (session === undefined || !sessionLasts(session, now)) throw unknownSigner();
  const isOpener = openersOf(session.statements).some((opener) => opener === digest);
  if (!isOpener || account.state !== 'used') throw unknownSigner();
  return {
    caller: { type: 'sealed-account', id: account.id, session: session.id, certificateSm3: digest },
    spki: signingSpki(account.certificate),
  };
}

/**
 * Finds who signed a request, verifies the signature, then burns its nonce.
 * @throws KmcError E_UNAUTHENTICATED when the certificate is unknown or not in force, the signature does not verify or
 * the nonce was used; E_TIME outside the window.
 */
export async function authenticateRequest(
  ports: { readonly database: Database; readonly clock: Clock },
  received: ReceivedSignature,
  parts: SignedRequestParts,
): Promise<Caller> {
  const now = ports.clock.now();
  const digest = digestOf(received.parameters.keyid);
  const signer = await ports.database.read(
    async (reader) =>
      (await personOf(reader, digest, now)) ??
      (await deviceOf(reader, digest, now)) ??
      (await sealedAccountOf(reader, digest, now)),
  );
  if (signer === undefined) throw unknownSigner();
  verifySignedRequest(received, parts, signer.spki, now);
  const expiresAt = new Date(now.getTime() + NONCE_MINUTES * 60_000);
  const { keyid, nonce } = received.parameters;
  const fresh = await ports.database.transaction((tx) => tx.nonces.use(keyid, nonce, expiresAt));
  if (!fresh) throw new KmcError('E_UNAUTHENTICATED', 'this signed request was sent before: sign a new one');
  return signer.caller;
}
