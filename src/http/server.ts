/** The HTTP and HTTPS listeners: strict parser, short timeouts, bounded everything, one list of routes. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { newId } from '../domain/id.ts';
import { KmcError } from '../errors.ts';
import { dispatch, sendProblem, type Exchange } from './dispatch.ts';
import type { HttpPorts } from './ports.ts';
import { refusalOf } from './request-guard.ts';
import type { Route } from './route.ts';

/** Octets of a JSON body at the most. */
export const MAX_BODY_BYTES = 1024 * 1024;
const LIMITS = { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 };
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

function exchangeOf(request: Request, response: Response): Exchange {
  const requestId = newId('req');
  response.setHeader('x-request-id', requestId);
  return { request, response, requestId, source: request.socket.remoteAddress ?? 'unknown' };
}

/** Body-parser faults are the client's: wrong size, wrong type, cut short. */
function bodyFault(error: unknown): KmcError | undefined {
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  if (status === 413) return new KmcError('E_SIZE', 'the body is larger than this service accepts');
  if (status === 415) return new KmcError('E_TYPE', 'the body has an encoding that is not accepted');
  if (status === 400) return new KmcError('E_SCHEMA', 'the request cannot be read');
  return undefined;
}

/** Builds the application of a list of routes. `tls` says which listener it serves. */
export function createApplication(routes: readonly Route[], ports: HttpPorts, tls: boolean): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  const json = express.raw({ type: 'application/json', limit: MAX_BODY_BYTES, inflate: false });
  for (const route of routes) {
    if (route.tlsOnly === true && !tls) continue;
    app[route.method](route.path, json, (request, response) => {
      const exchange = exchangeOf(request, response);
      const length = request.headers['content-length'];
      if (length !== undefined && length !== '0' && !Buffer.isBuffer(request.body)) {
        sendProblem(exchange, new KmcError('E_TYPE', 'send the body as application/json'));
        return;
      }
      void dispatch(ports, route, exchange);
    });
  }
  const paths = new Set(routes.map((route) => route.path));
  for (const path of paths) {
    app.all(path, (request, response) => {
      sendProblem(exchangeOf(request, response), new KmcError('E_METHOD', 'this path does not know that method'));
    });
  }
  app.use((request: Request, response: Response) => {
    sendProblem(exchangeOf(request, response), new KmcError('E_NOT_FOUND', 'there is nothing at this path'));
  });
  const onError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
    const exchange = exchangeOf(request, response);
    const fault = bodyFault(error);
    if (fault === undefined) ports.logFault({ requestId: exchange.requestId, operationId: 'none', cause: error });
    sendProblem(exchange, fault ?? error);
  };
  app.use(onError);
  return app;
}

function guarded(app: Express) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const why = refusalOf(request);
    if (why === undefined) {
      app(request, response);
      return;
    }
    const body = JSON.stringify({
      type: 'urn:kmc:error:schema',
      title: 'E_SCHEMA',
      status: 400,
      code: 'E_SCHEMA',
      detail: why,
      requestId: newId('req'),
    });
    response.writeHead(400, {
      'content-type': 'application/problem+json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    });
    response.end(body, () => request.socket.destroySoon());
  };
}

function onClientError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) return;
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function harden(server: Server): void {
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  server.on('clientError', onClientError);
  server.on('checkContinue', (_request, response: ServerResponse) => response.writeHead(417).end());
}

/**
 * Starts a listener.
 * @param at host and port; port 0 takes a free one.
 * @param tls the identity of an HTTPS listener; without it the listener is plain HTTP.
 */
export async function listen(
  app: Express,
  at: { readonly host: string; readonly port: number },
  tls?: TlsIdentity,
): Promise<Listener> {
  const handler = guarded(app);
  const secure =
    tls === undefined ? undefined : createHttpsServer({ ...LIMITS, ...tls, minVersion: 'TLSv1.2' }, handler);
  const server: Server = secure ?? createHttpServer(LIMITS, handler);
  harden(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`,
    setCertificate: (identity) => secure?.setSecureContext({ ...identity, minVersion: 'TLSv1.2' }),
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
      }),
  };
}
