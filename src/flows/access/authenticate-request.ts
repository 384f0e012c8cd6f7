import { openersOf, sessionLasts } from '../../domain/break-glass.ts';
import type { Caller } from '../../domain/caller.ts';
import { verifySignedRequest, type ReceivedSignature, type SignedRequestParts } from '../../domain/http-signature.ts';
import { accountInForce } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import { certificateDigest, findCertifiedSigner, signingSpki, unknownSigner, type Signer } from './signer.ts';

/** Minutes that a used nonce is remembered: longer than any signature is valid. */
const NONCE_MINUTES = 10;

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

/** A signed request as evidence (C.3): whoever holds the certificate can verify it, at any time. */
export interface RequestProof {
  /** Signature base of RFC 9421. */
  readonly base: Buffer;
  /** In its JSON form: raw r||s for SM2 and ECDSA. */
  readonly signature: Buffer;
  /** The body as it was received; its digest stands in the base. */
  readonly body: Buffer;
}

export interface AuthenticatedRequest {
  readonly caller: Caller;
  readonly proof: RequestProof;
}

/** Who made the nonce that a call must be signed with: what changes a device's state takes one of the service (C.3). */
export type NonceSource = 'caller' | 'service';

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
 * the nonce was used, or is none that the service offered to this key; E_TIME outside the window.
 */
export async function authenticateRequest(
  ports: { readonly database: Database; readonly clock: Clock },
  received: ReceivedSignature,
  parts: SignedRequestParts,
  nonceOf: NonceSource = 'caller',
): Promise<AuthenticatedRequest> {
  const now = ports.clock.now();
  const digest = certificateDigest(received.parameters.keyid);
  const signer = await ports.database.read(
    async (reader) =>
      (await personOf(reader, digest, now)) ??
      (await findCertifiedSigner(reader, digest, now)) ??
      (await sealedAccountOf(reader, digest, now)),
  );
  if (signer === undefined) throw unknownSigner();
  const base = verifySignedRequest(received, parts, signer.spki, now);
  const proof = { base, signature: received.signature, body: parts.content?.body ?? Buffer.alloc(0) };
  const authenticated = { caller: signer.caller, proof };
  const expiresAt = new Date(now.getTime() + NONCE_MINUTES * 60_000);
  const { keyid, nonce } = received.parameters;
  if (nonceOf === 'service') {
    const redeemed = await ports.database.transaction((tx) => tx.nonces.redeem(keyid, nonce, now));
    if (redeemed) return authenticated;
    throw new KmcError('E_UNAUTHENTICATED', 'this call is signed with a nonce of the service: see Accept-Signature');
  }
  const fresh = await ports.database.transaction((tx) => tx.nonces.use(keyid, nonce, expiresAt));
  if (!fresh) throw new KmcError('E_UNAUTHENTICATED', 'this signed request was sent before: sign a new one');
  return authenticated;
}
