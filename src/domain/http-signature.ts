/**
 * HTTP message signatures, profile `kmc-gw-v1` of RFC 9421: one signature labelled `gw` over a fixed list of components,
 * made by the key of a registered certificate. The algorithm follows from the key; `alg` never appears.
 */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, verifySignature } from '../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { sha256 } from '../crypto/digests.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { parseSpki } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';

/** What of a request is signed. `body` is absent for a request without content. */
export interface SignedRequestParts {
  /** Upper case. */
  readonly method: string;
  /** Lower-case host, with the port unless it is 443. */
  readonly authority: string;
  /** Raw path, not decoded. */
  readonly path: string;
  /** Includes the leading `?`; `?` alone when there is no query. */
  readonly query: string;
  readonly content?: { readonly type: string; readonly body: Buffer };
}

export interface SignatureParameters {
  /** Seconds since the epoch. */
  readonly created: number;
  /** Seconds since the epoch, at most `created` + 120. */
  readonly expires: number;
  /** 16 octets or more, base64url. */
  readonly nonce: string;
  /** `sm3:` or `sha256:` and base64url of that digest of the signing certificate's DER. */
  readonly keyid: string;
}

export interface SignatureHeaders {
  readonly 'signature-input': string;
  readonly signature: string;
  readonly 'content-digest'?: string;
}

/** A signature as received: parsed, not yet verified. */
export interface ReceivedSignature {
  readonly parameters: SignatureParameters;
  /** JSON form: raw r||s for SM2 and ECDSA. */
  readonly signature: Buffer;
  readonly contentDigest: string | undefined;
}

/** Seconds a signed request is valid before and after its `created` time. */
export const REQUEST_WINDOW_SECONDS = 120;

const WITHOUT_CONTENT = '("@method" "@authority" "@path" "@query")';
const WITH_CONTENT = '("@method" "@authority" "@path" "@query" "content-type" "content-digest")';
const DIGESTS = { sm3, 'sha-256': sha256 } as const satisfies Record<string, (body: Buffer) => Buffer>;

function refuse(message: string): KmcError {
  return new KmcError('E_UNAUTHENTICATED', message);
}

/** The `Content-Digest` field value (RFC 9530) of a body. `algorithm` is `sm3` or `sha-256`. */
export function contentDigest(body: Buffer, algorithm: 'sm3' | 'sha-256'): string {
  return `${algorithm}=:${DIGESTS[algorithm](body).toString('base64')}:`;
}

/** The `sm3:` keyid of a certificate (DER). */
export function signatureKeyId(certificate: Buffer): string {
  return `sm3:${sm3(certificate).toString('base64url')}`;
}

/**
 * The `Accept-Signature` field (RFC 9421 section 5.1) that tells a caller what to sign.
 * @param nonce of the service, where the call takes one: it is to be signed as it is.
 */
export function acceptSignature(withContent: boolean, nonce?: string): string {
  const wanted = nonce === undefined ? 'nonce' : `nonce="${nonce}"`;
  return `gw=${withContent ? WITH_CONTENT : WITHOUT_CONTENT};created;expires;${wanted};keyid;tag="kmc-gw-v1"`;
}

/** The nonce of the service in an `Accept-Signature` field, if it holds one. */
export function offeredNonce(field: string): string | undefined {
  return /^gw=\([a-z@" -]*\);created;expires;nonce="([A-Za-z0-9_-]{22,128})";/.exec(field)?.[1];
}

/** The keyid that a `Signature-Input` field of the profile names, whatever else is wrong with the request. */
export function namedKeyId(field: string | undefined): string | undefined {
  return field === undefined ? undefined : INPUT.exec(field)?.[5];
}

function parametersText(parameters: SignatureParameters, withContent: boolean): string {
  const { created, expires, nonce, keyid } = parameters;
  const list = withContent ? WITH_CONTENT : WITHOUT_CONTENT;
  return `${list};created=${created};expires=${expires};nonce="${nonce}";keyid="${keyid}";tag="kmc-gw-v1"`;
}

/** The signature base (RFC 9421 section 2.5) as octets: lines joined by LF, no LF at the end. */
export function signatureBase(
  parts: SignedRequestParts,
  parameters: SignatureParameters,
  digestField: string | undefined,
): Buffer {
  const lines = [
    `"@method": ${parts.method}`,
    `"@authority": ${parts.authority}`,
    `"@path": ${parts.path}`,
    `"@query": ${parts.query}`,
  ];
  if (parts.content !== undefined) {
    lines.push(`"content-type": ${parts.content.type}`, `"content-digest": ${digestField ?? ''}`);
  }
  lines.push(`"@signature-params": ${parametersText(parameters, parts.content !== undefined)}`);
  return Buffer.from(lines.join('\n'), 'utf8');
}

/**
 * Signs a request with a key of the caller.
 * @param certificate DER of the caller's signing certificate.
 * @param nonce base64url, 16 octets or more; a fresh random one, or the server's.
 */
export async function signRequest(
  signer: { readonly engine: CryptoEngine; readonly key: KeyHandle; readonly certificate: Buffer },
  parts: SignedRequestParts,
  at: { readonly createdSeconds: number; readonly nonce: string },
): Promise<SignatureHeaders> {
  const parameters: SignatureParameters = {
    created: at.createdSeconds,
    expires: at.createdSeconds + REQUEST_WINDOW_SECONDS,
    nonce: at.nonce,
    keyid: signatureKeyId(signer.certificate),
  };
  const digestField = parts.content === undefined ? undefined : contentDigest(parts.content.body, 'sm3');
  const base = signatureBase(parts, parameters, digestField);
  const algorithm = KEY_ALGORITHMS[signer.key.algorithm].jsonSignature;
  const signature = await signer.engine.sign(signer.key, algorithm, base);
  const raw = SIGNATURE_ALGORITHMS[algorithm].toRaw(signature);
  return {
    'signature-input': `gw=${parametersText(parameters, parts.content !== undefined)}`,
    signature: `gw=:${raw.toString('base64')}:`,
    ...(digestField === undefined ? {} : { 'content-digest': digestField }),
  };
}

const INPUT =
  /^gw=(\((?:"[a-z@-]+"(?: "[a-z@-]+")*)\));created=([1-9][0-9]{0,11});expires=([1-9][0-9]{0,11});nonce="([A-Za-z0-9_-]{22,128})";keyid="((?:sm3|sha256):[A-Za-z0-9_-]{43})";tag="kmc-gw-v1"$/;
const SIGNATURE = /^gw=:([A-Za-z0-9+/]{4,1024}={0,2}):$/;

/**
 * Parses the two signature fields and the content digest of a request.
 * @throws KmcError E_UNAUTHENTICATED when a field is missing or not exactly of the profile.
 */
export function parseSignature(headers: {
  readonly signatureInput: string | undefined;
  readonly signature: string | undefined;
  readonly contentDigest: string | undefined;
  readonly hasContent: boolean;
}): ReceivedSignature {
  if (headers.signatureInput === undefined || headers.signature === undefined) {
    throw refuse(
      'this call needs a signed request (RFC 9421, profile kmc-gw-v1); kmc signs with --key (or --key-file) and --cert',
    );
  }
  const input = INPUT.exec(headers.signatureInput);
  const value = SIGNATURE.exec(headers.signature);
  if (input === null || value === null) throw refuse('the signature fields do not follow profile kmc-gw-v1');
  const [, components, created, expires, nonce, keyid] = input;
  if (components !== (headers.hasContent ? WITH_CONTENT : WITHOUT_CONTENT)) {
    throw refuse('the signature does not cover the components of profile kmc-gw-v1');
  }
  const signature = Buffer.from(value[1] ?? '', 'base64');
  if (signature.toString('base64') !== value[1]) throw refuse('the signature is not canonical base64');
  if (headers.hasContent !== (headers.contentDigest !== undefined)) {
    throw refuse('Content-Digest stands with a body and only with one');
  }
  return {
    parameters: { created: Number(created), expires: Number(expires), nonce: nonce ?? '', keyid: keyid ?? '' },
    signature,
    contentDigest: headers.contentDigest,
  };
}

function checkContentDigest(field: string, body: Buffer, allowed: readonly string[]): void {
  const match = /^(sm3|sha-256)=:([A-Za-z0-9+/]{43}=):$/.exec(field);
  const name = match?.[1] ?? '';
  if (match === null || !allowed.includes(name))
    throw refuse('Content-Digest is not one of those allowed for this key');
  if (contentDigest(body, name === 'sm3' ? 'sm3' : 'sha-256') !== field) {
    throw refuse('Content-Digest does not match the body');
  }
}

function isSignatureOf(algorithm: SignatureAlgorithmName, spki: Buffer, base: Buffer, raw: Buffer): boolean {
  try {
    return verifySignature(algorithm, spki, base, SIGNATURE_ALGORITHMS[algorithm].fromRaw(raw));
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_SIGNATURE') return false;
    throw error;
  }
}

/** An SM2 key always goes with SM3; RSA and ECDSA keys serve devices from before the upgrade. */
const DIGESTS_OF_KEY = { SM2: ['sm3'], RSA: ['sm3', 'sha-256'], 'EC-P256': ['sm3', 'sha-256'] } as const;

/**
 * Verifies a parsed signature against the request and the signer's key. The caller has looked up the certificate by
 * `keyid` and checked its status; it burns the nonce only after this returns.
 * @param spki subjectPublicKeyInfo (DER) of the signer's certificate.
 * @returns the signature base, which is evidence together with the signature.
 * @throws KmcError E_TIME outside the window, E_UNAUTHENTICATED for every other fault.
 */
export function verifySignedRequest(
  received: ReceivedSignature,
  parts: SignedRequestParts,
  spki: Buffer,
  now: Date,
): Buffer {
  const { created, expires, keyid } = received.parameters;
  const seconds = now.getTime() / 1000;
  if (Math.abs(seconds - created) > REQUEST_WINDOW_SECONDS || expires <= seconds) {
    throw new KmcError('E_TIME', 'the request was signed outside the accepted time window: check the clock');
  }
  if (expires > created + REQUEST_WINDOW_SECONDS || expires <= created) throw refuse('expires is too far from created');
  const key = parseSpki(spki);
  const allowed: readonly string[] = DIGESTS_OF_KEY[key.algorithm];
  if (keyid.startsWith('sha256:') && !allowed.includes('sha-256')) throw refuse('an SM2 key is named by its sm3 keyid');
  if (parts.content !== undefined) checkContentDigest(received.contentDigest ?? '', parts.content.body, allowed);
  const base = signatureBase(parts, received.parameters, received.contentDigest);
  const algorithm = KEY_ALGORITHMS[key.algorithm].jsonSignature;
  if (!isSignatureOf(algorithm, spki, base, received.signature)) throw refuse('the signature does not verify');
  return base;
}

/** What a signature base of the profile says: the lines before the parameters, and the parameters. */
export interface ReadSignatureBase {
  readonly method: string;
  readonly path: string;
  readonly contentDigest: string;
  readonly created: Date;
  readonly keyid: string;
}

const BASE =
  /^"@method": ([A-Z]+)\n"@authority": [!-~]+\n"@path": ([!-~]+)\n"@query": \?[!-~]*\n"content-type": [ -~]+\n"content-digest": ([!-~]+)\n"@signature-params": \("@method" "@authority" "@path" "@query" "content-type" "content-digest"\);created=([1-9][0-9]{0,11});expires=[1-9][0-9]{0,11};nonce="[A-Za-z0-9_-]{22,128}";keyid="((?:sm3|sha256):[A-Za-z0-9_-]{43})";tag="kmc-gw-v1"$/;

/** Reads the signature base of a request with a body: kept ones are evidence. @throws KmcError E_UNAUTHENTICATED. */
export function readSignatureBase(base: Buffer): ReadSignatureBase {
  const [, method, path, digest, created, keyid] = BASE.exec(base.toString('latin1')) ?? [];
  if (method === undefined || path === undefined || digest === undefined || keyid === undefined) {
    throw refuse('the octets are no signature base of profile kmc-gw-v1');
  }
  return { method, path, contentDigest: digest, created: new Date(Number(created) * 1000), keyid };
}

/** True when a kept request is what the holder of the key signed: the signature over the base, and the digest of the body in it. */
export function isKeptRequestGenuine(
  { base, signature, body }: { readonly base: Buffer; readonly signature: Buffer; readonly body: Buffer },
  spki: Buffer,
): boolean {
  const { contentDigest: field } = readSignatureBase(base);
  const key = parseSpki(spki);
  const matches = DIGESTS_OF_KEY[key.algorithm].some((algorithm) => contentDigest(body, algorithm) === field);
  return matches && isSignatureOf(KEY_ALGORITHMS[key.algorithm].jsonSignature, spki, base, signature);
}
