/** The HTTP and HTTPS listeners: strict parser, short timeouts, bounded everything, one list of routes. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import express, {
  type ErrorRequestHandler,
  type Express,
  type NextFunction,
  type Request,
  type Response,
} from 'express';
import { newId } from '../domain/id.ts';
import { KmcError, type ErrorCode } from '../errors.ts';
import { dispatch, reportProblem, tooManyRequests } from './dispatch.ts';
import { channelOf, proxiedAddress, proxiedChannel } from './channel.ts';
import { sendProblem, type Exchange } from './exchange.ts';
import type { HttpPorts } from './ports.ts';
import { problemOf } from './problem.ts';
import { formOf } from './problem-form.ts';
import { addressText, sourceNetwork } from './rate-limit.ts';
import { pathOf, refusalOf } from './request-guard.ts';
import type { Route } from './route.ts';

/** Octets and milliseconds. Node looks for connections that are too slow only once in an interval: 30 s unless told. */
const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};
/**
 * A client may show a certificate. Whether it counts is looked up in the inventory, by its digest: the handshake proves that
 * the client has its key, and no chain that Node could build proves more.
 */
const CLIENT_CERTIFICATES = { requestCert: true, rejectUnauthorized: false };
const MAX_CONNECTIONS = 2_000;
const MAX_REQUESTS_PER_SOCKET = 10_000;

export interface Listener {
  /** `http://127.0.0.1:8440` */
  readonly url: string;
  /** Takes over a renewed certificate without a restart (HTTPS only). */
  setCertificate(tls: TlsIdentity): void;
  close(): Promise<void>;
}

export interface TlsIdentity {
  /** Certificate chain, PEM. */
  readonly cert: string;
  /** Private key as the engine hands it to TLS: encrypted PKCS#8 PEM and its passphrase. */
  readonly key: string;
  readonly passphrase: string;
}

/** Methods that any route of a path knows, for the Allow field. */
function allowedMethods(routes: readonly Route[], path: string): string {
  const methods = routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase());
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].join(', ');
}

/**
 * Which listener it is: plain HTTP, HTTPS, or the private socket of a registered proxy, behind which it is as behind HTTPS and
 * which alone may say with which client certificate a request came.
 */
export type ListenerKind = 'plain' | 'tls' | 'proxy';

/** What a listener serves. */
export interface Application {
  readonly app: Express;
  readonly ports: HttpPorts;
  readonly kind: ListenerKind;
}

/** Builds the application of a list of routes for one kind of listener. */
export function createApplication(routes: readonly Route[], ports: HttpPorts, kind: ListenerKind): Application {
  const served = routes.filter((route) => kind !== 'plain' || route.tlsOnly !== true);
  const exchanges = new WeakMap<Request, Exchange>();
  const exchangeOf = (request: Request, response: Response): Exchange =>
    exchanges.get(request) ?? beginExchange(ports, exchanges, { request, response, isProxied: kind === 'proxy' });
  const refuse = async (exchange: Exchange, error: unknown): Promise<void> => {
    await reportProblem(ports, exchange, { type: 'anonymous', source: exchange.source }, error);
    sendProblem(exchange, error);
  };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.use(async (request: Request, response: Response, next: NextFunction) => {
    const exchange = exchangeOf(request, response);
    const limited = await ports.limits.source.refusal(sourceNetwork(exchange.source));
    if (limited === undefined) next();
    else await refuse(exchange, tooManyRequests(limited.retryAfter));
  });
  for (const route of served) {
    app[route.method](route.path, (request, response) => dispatch(ports, route, exchangeOf(request, response)));
  }
  for (const path of new Set(served.map((route) => route.path))) {
    app.all(path, (request, response) => {
      response.setHeader('allow', allowedMethods(served, path));
      sendProblem(exchangeOf(request, response), new KmcError('E_METHOD', 'this path does not know that method'));
    });
  }
  app.use((request: Request, response: Response) => {
    sendProblem(exchangeOf(request, response), new KmcError('E_NOT_FOUND', 'there is nothing at this path'));
  });
  const onError: ErrorRequestHandler = (error: unknown, request, response, _next) =>
    refuse(exchangeOf(request, response), undecodable(error) ?? error);
  app.use(onError);
  return { app, ports, kind };
}

function beginExchange(
  ports: HttpPorts,
  exchanges: WeakMap<Request, Exchange>,
  { request, response, isProxied }: { request: Request; response: Response; isProxied: boolean },
): Exchange {
  const source = isProxied ? proxiedAddress(request) : addressText(request.socket.remoteAddress);
  const channel = isProxied ? proxiedChannel(request) : channelOf(request.socket);
  const exchange = { request, response, requestId: newId('req'), source, channel, operationId: 'none' };
  const start = performance.now();
  exchanges.set(request, exchange);
  response.setHeader('x-request-id', exchange.requestId);
  response.once('finish', () => {
    ports.answered(exchange.operationId, response.statusCode, (performance.now() - start) / 1000);
  });
  return exchange;
}

/** The router's own refusal of a path whose percent-encoding is not UTF-8. */
function undecodable(error: unknown): KmcError | undefined {
  return error instanceof URIError
    ? new KmcError('E_SCHEMA', 'the path cannot be decoded', { cause: error })
    : undefined;
}

/** Sockets with a request that is not answered yet: nothing else may be written to them. */
type Answering = WeakSet<Socket>;

function guarded({ app, ports, kind }: Application, answering: Answering) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
    const refusal = refusalOf(request, kind === 'proxy');
    if (refusal === undefined) {
      app(request, response);
      return;
    }
    const problem = problemOf(refusal, newId('req'));
    countRefusal(ports, socket, refusal.code, problem.requestId);
    const { status, headers, body } = formOf(pathOf(request))(problem);
    response.writeHead(status, { ...headers, connection: 'close' });
    response.end(body, () => socket.destroySoon());
  };
}

/** A refusal before any route: the caller is not known, so it is counted for its source. */
function countRefusal(ports: HttpPorts, socket: Socket, code: ErrorCode, requestId: string): void {
  const caller = { type: 'anonymous', source: addressText(socket.remoteAddress) } as const;
  const operationId = 'none';
  ports.recordRefusal({ caller, code, operationId, requestId }).catch((cause: unknown) => {
    ports.logFault({ requestId, operationId, cause });
  });
}

/** What the parser of HTTP refuses, by its error code. */
const PARSER_ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function onClientError(ports: HttpPorts, answering: Answering, error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || answering.has(socket)) {
    socket.destroySoon();
    return;
  }
  countRefusal(ports, socket, 'E_SCHEMA', newId('req'));
  const status = PARSER_ANSWERS[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroySoon());
}

function harden(server: Server, ports: HttpPorts, answering: Answering): void {
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  server.on('clientError', (error: Error, socket: Socket) => onClientError(ports, answering, error, socket));
  server.on('checkContinue', (_request, response: ServerResponse) => {
    response.writeHead(417, { connection: 'close' }).end();
  });
}

export type ListenPlace = { readonly host: string; readonly port: number } | { readonly socket: string };

function urlOf(server: Server, at: ListenPlace, isTls: boolean): string {
  if ('socket' in at) return `unix:${at.socket}`;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : at.port;
  return `${isTls ? 'https' : 'http'}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`;
}

/**
 * Starts a listener.
 * @param at host and port, where port 0 takes a free one; or a Unix socket, for its owner and group.
 * @param tls the identity of an HTTPS listener; without it the listener is plain HTTP.
 */
export async function listen(application: Application, at: ListenPlace, tls?: TlsIdentity): Promise<Listener> {
  const answering: Answering = new WeakSet();
  const handler = guarded(application, answering);
  const secure =
    tls === undefined
      ? undefined
      : createHttpsServer({ ...LIMITS, ...tls, ...CLIENT_CERTIFICATES, minVersion: 'TLSv1.2' }, handler);
  const server: Server = secure ?? createHttpServer(LIMITS, handler);
  harden(server, application.ports, answering);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if ('socket' in at) server.listen(at.socket, resolve);
    else server.listen(at.port, at.host, resolve);
  });
  return {
    url: urlOf(server, at, tls !== undefined),
    setCertificate: (identity) => secure?.setSecureContext({ ...identity, minVersion: 'TLSv1.2' }),
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
      }),
  };
}
