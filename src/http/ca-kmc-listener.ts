/** GM/T 0014 over plain TCP: frames of a length and a message, one answer for each, in their order. */
import { createServer, type Socket } from 'node:net';
import { newId } from '../domain/id.ts';
import { KmcError } from '../errors.ts';
import { frameOf, FrameReader } from './frame-reader.ts';
import type { HttpPorts } from './ports.ts';
import { addressText, sourceNetwork } from './rate-limit.ts';
import { LONGEST_CA_REQUEST } from './routes/ca-kmc.ts';
import { CA_KMC_OPERATION, serveCaRequest } from './serve-ca-request.ts';
import type { ServedInstance } from './served-instance.ts';

export interface CaKmcListener {
  /** `tcp://127.0.0.1:8441` */
  readonly url: string;
  close(): Promise<void>;
}

/** Milliseconds, and connections at a time. */
export interface CaKmcLimits {
  /** From the first octet of a frame to its last. */
  readonly frame: number;
  /** Without any octet in either direction. */
  readonly idle: number;
  readonly connections: number;
}

const LIMITS: CaKmcLimits = { frame: 10_000, idle: 60_000, connections: 200 };
/** Ends of a connection that are not worth a line in the log of faults. */
const ORDINARY: ReadonlySet<string> = new Set(['E_SEALED', 'E_SIZE', 'E_RATE', 'E_STATE']);

type ConnectionPorts = Pick<HttpPorts, 'limits' | 'logFault' | 'recordRefusal'>;

/** One CA on one connection, from its first frame to its end. */
async function serveConnection(
  instance: ServedInstance,
  ports: ConnectionPorts,
  limits: CaKmcLimits,
  socket: Socket,
): Promise<void> {
  const source = addressText(socket.remoteAddress);
  const reader = new FrameReader(LONGEST_CA_REQUEST);
  let deadline: NodeJS.Timeout | undefined;
  const watch = (): void => {
    if (!reader.isUnfinished) {
      clearTimeout(deadline);
      deadline = undefined;
    }
    if (reader.isUnfinished) deadline ??= setTimeout(() => socket.destroy(), limits.frame);
  };
  try {
    // While a frame is being answered nothing more is read: a CA that does not wait is slowed down.
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      reader.push(chunk);
      for (let message = reader.next(); message !== undefined; message = reader.next()) {
        clearTimeout(deadline);
        deadline = undefined;
        await answerOne(instance, ports, socket, { message, source });
      }
      watch();
    }
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

async function answerOne(
  instance: ServedInstance,
  ports: ConnectionPorts,
  socket: Socket,
  { message, source }: { readonly message: Buffer; readonly source: string },
): Promise<void> {
  const limited = await ports.limits.source.refusal(sourceNetwork(source));
  if (limited !== undefined) throw new KmcError('E_RATE', 'too many messages: wait a little', limited);
  const response = await serveCaRequest(instance, message, { requestId: newId('req'), source });
  await new Promise<void>((resolve, reject) => {
    socket.write(frameOf(response), (error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}

/** What ended a connection: a refusal is counted, a fault of ours is logged, a lost peer is neither. */
async function reportEnd(ports: ConnectionPorts, socket: Socket, cause: unknown): Promise<void> {
  if (!(cause instanceof KmcError)) return;
  const requestId = newId('req');
  const operationId = CA_KMC_OPERATION;
  if (!ORDINARY.has(cause.code)) ports.logFault({ requestId, operationId, cause });
  if (cause.code !== 'E_SIZE' && cause.code !== 'E_RATE') return;
  const caller = { type: 'anonymous', source: addressText(socket.remoteAddress) } as const;
  await ports.recordRefusal({ caller, code: cause.code, operationId, requestId });
}

/**
 * Starts the listener. A connection is closed without an answer while the keystore is sealed, when it sends too much or
 * too slowly, and when it is idle for a minute.
 * @param at host and port; port 0 takes a free one.
 */
export async function listenForCas(
  instance: ServedInstance,
  ports: ConnectionPorts,
  at: { readonly host: string; readonly port: number },
  limits: CaKmcLimits = LIMITS,
): Promise<CaKmcListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(limits.idle, () => socket.destroy());
    serveConnection(instance, ports, limits, socket)
      .catch((cause: unknown) => reportEnd(ports, socket, cause))
      .catch((cause: unknown) => {
        ports.logFault({ requestId: newId('req'), operationId: CA_KMC_OPERATION, cause });
      });
  });
  server.maxConnections = limits.connections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : at.port;
  return {
    url: `tcp://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
