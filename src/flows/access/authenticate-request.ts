import type { Caller } from '../../domain/caller.ts';
import { verifySignedRequest, type ReceivedSignature, type SignedRequestParts } from '../../domain/http-signature.ts';
import { accountInForce } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import { findDeviceSigner, signingSpki, unknownSigner, type Signer } from './signer.ts';

/** Minutes that a used nonce is remembered: longer than any signature is valid. */
const NONCE_MINUTES = 10;

/** keyid (base64url) to the digest form of the stores (`sm3:<hex>` or `sha256:<hex>`). */
function digestOf(keyid: string): string {
  const colon = keyid.indexOf(':');
  return `${keyid.slice(0, colon)}:${Buffer.from(keyid.slice(colon + 1), 'base64url').toString('hex')}`;
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
    async (reader) => (await personOf(reader, digest, now)) ?? (await findDeviceSigner(reader, digest, now)),
  );
  if (signer === undefined) throw unknownSigner();
  verifySignedRequest(received, parts, signer.spki, now);
  const expiresAt = new Date(now.getTime() + NONCE_MINUTES * 60_000);
  const { keyid, nonce } = received.parameters;
  const fresh = await ports.database.transaction((tx) => tx.nonces.use(keyid, nonce, expiresAt));
  if (!fresh) throw new KmcError('E_UNAUTHENTICATED', 'this signed request was sent before: sign a new one');
  return signer.caller;
}
