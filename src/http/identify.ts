/** Who calls, by the signature of the request, and whether the route is for them. */
import type { Request } from 'express';
import { isBreakGlassOperation } from '../domain/break-glass.ts';
import type { Caller } from '../domain/caller.ts';
import { parseSignature } from '../domain/http-signature.ts';
import { KmcError } from '../errors.ts';
import type { AuthenticatedRequest, NonceSource, RequestProof } from '../flows/access/authenticate-request.ts';
import { consoleSecret } from './console-cookie.ts';
import { bodyOf, headerOf, type Exchange } from './exchange.ts';
import type { HttpPorts } from './ports.ts';
import { addressText } from './rate-limit.ts';
import { pathOf, queryOf } from './request-guard.ts';
import type { Access, Route } from './route.ts';

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);

/** Host as signed: lower case, without the default port of HTTPS. */
function authorityOf(request: Request): string {
  return withoutDefaultPort((headerOf(request, 'host') ?? '').toLowerCase());
}

function withoutDefaultPort(authority: string): string {
  return authority.endsWith(':443') ? authority.slice(0, -4) : authority;
}

/** The names by which the peer may have reached this socket: those configured, and its own address. */
function isOwnAuthority(request: Request, authority: string, configured: readonly string[]): boolean {
  if (configured.includes(authority)) return true;
  const { localAddress, localPort } = request.socket;
  const address = addressText(localAddress);
  const hosts = [address.includes(':') ? `[${address}]` : address, ...(LOOPBACK.has(address) ? ['localhost'] : [])];
  return hosts.some((host) => withoutDefaultPort(`${host}:${localPort}`) === authority);
}

/** Who calls, with the signed request that proves it where there is one. */
export interface Identified {
  readonly caller: Caller;
  readonly proof?: RequestProof;
}

/**
 * Establishes the caller; whoever uses a public route stays anonymous.
 * @throws KmcError E_UNAUTHENTICATED, E_TIME; E_FORBIDDEN when the certificate of the channel is not in force any more.
 */
export async function identify(
  ports: HttpPorts,
  exchange: Exchange,
  { access, method, console: isOfConsole }: Pick<Route, 'access' | 'method' | 'console'>,
): Promise<Identified> {
  const { request, source, channel } = exchange;
  if ('public' in access) return { caller: { type: 'anonymous', source } };
  if ('enrolling' in access && headerOf(request, 'signature-input') === undefined) {
    const { clientCertificate } = channel;
    const device = clientCertificate === undefined ? undefined : await ports.deviceOf(clientCertificate);
    return { caller: device ?? { type: 'anonymous', source } };
  }
  const secret = consoleSecret(headerOf(request, 'cookie'));
  const isSigned = headerOf(request, 'signature-input') !== undefined;
  if (isOfConsole === true && method === 'get' && !isSigned && secret !== undefined) {
    return { caller: await ports.sessionCaller(secret) };
  }
  return await signerOf(ports, request, takesOfferedNonce(access) ? 'service' : 'caller');
}

/**
 * Refuses to carry data that is to be protected over plain HTTP from another machine.
 * @throws KmcError E_FORBIDDEN.
 */
export function checkConfidential({ confidential }: Pick<Route, 'confidential'>, { channel, source }: Exchange): void {
  if (confidential !== true || channel.isPrivate || LOOPBACK.has(source)) return;
  throw new KmcError('E_FORBIDDEN', 'this call carries data that is to be protected: use HTTPS, or the TLCP front');
}

/** True where signed requests are signed with a nonce of the service. */
export function takesOfferedNonce(access: Access): boolean {
  return 'enrolling' in access || ('devices' in access && access.nonce === 'service');
}

async function signerOf(ports: HttpPorts, request: Request, nonceOf: NonceSource): Promise<AuthenticatedRequest> {
  const body = bodyOf(request);
  const type = headerOf(request, 'content-type');
  const received = parseSignature({
    signatureInput: headerOf(request, 'signature-input'),
    signature: headerOf(request, 'signature'),
    contentDigest: headerOf(request, 'content-digest'),
    hasContent: body !== undefined,
  });
  if (body === undefined && type !== undefined) {
    throw new KmcError('E_UNAUTHENTICATED', 'Content-Type stands with a body and only with one');
  }
  const authority = authorityOf(request);
  if (!isOwnAuthority(request, authority, ports.authorities)) {
    throw new KmcError('E_UNAUTHENTICATED', 'the request was signed for another host than this service');
  }
  const parts = {
    method: request.method,
    authority,
    path: pathOf(request),
    query: queryOf(request),
    ...(body === undefined ? {} : { content: { type: type ?? '', body } }),
  };
  return ports.authenticate(received, parts, nonceOf);
}

/** @throws KmcError E_FORBIDDEN when the route is not for this caller. */
export function checkAccess({ access, operationId }: Pick<Route, 'access' | 'operationId'>, caller: Caller): void {
  if ('public' in access) return;
  if ('enrolling' in access) {
    if (caller.type === 'person' || caller.type === 'application')
      throw new KmcError('E_FORBIDDEN', 'this call is for devices');
    return;
  }
  if (caller.type === 'sealed-account') {
    if (isBreakGlassOperation(operationId)) return;
    throw new KmcError('E_FORBIDDEN', 'Break-glass suspends, revokes and pauses; everything else goes the usual way.');
  }
  if ('sealedAccounts' in access)
    throw new KmcError('E_FORBIDDEN', 'this call is for sealed accounts in their session');
  if ('devices' in access) {
    if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'this call is for devices');
    return;
  }
  if ('applications' in access) {
    if (caller.type !== 'application') throw new KmcError('E_FORBIDDEN', 'this call is for registered applications');
    return;
  }
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'this call is for registered persons');
  const { persons } = access;
  if (persons === 'any' || caller.roles.some(({ role }) => persons.includes(role))) return;
  throw new KmcError('E_FORBIDDEN', `this call needs one of the roles: ${persons.join(', ')}`);
}
