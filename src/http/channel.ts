/** What the connection of a request proves by itself: the certificate of its client, and a value that binds to it. */
import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { KmcError } from '../errors.ts';

export interface Channel {
  /** Certificate (DER) whose key the client has shown to hold. Nothing is said of whether it is in force. */
  readonly clientCertificate: Buffer | undefined;
  /**
   * Value of the channel for the proof that request and channel have one sender (RFC 7030 3.5): tls-unique in TLS 1.2,
   * tls-exporter in TLS 1.3 (RFC 9266). Undefined where TLS does not end here.
   */
  readonly binding: Buffer | undefined;
  /** Nobody between can read it: TLS, or TLCP that ended at a registered proxy. */
  readonly isPrivate: boolean;
}

const PLAIN_CHANNEL: Channel = { clientCertificate: undefined, binding: undefined, isPrivate: false };

const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_OCTETS = 32;

/** Looks at the socket when it is asked, which most requests never do. */
class TlsChannel implements Channel {
  readonly isPrivate = true;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  get clientCertificate(): Buffer | undefined {
    // An empty object when the client sent no certificate.
    const { raw }: { readonly raw?: Buffer } = this.#socket.getPeerCertificate();
    return raw;
  }

  get binding(): Buffer | undefined {
    const socket = this.#socket;
    if (socket.getProtocol() === 'TLSv1.3') {
      return socket.exportKeyingMaterial(EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0));
    }
    // The first Finished of the handshake: the client's, or the server's where a session is resumed (RFC 5929 3.1).
    return socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished();
  }
}

/** The channel of a socket: of TLS, or a plain one. */
export function channelOf(socket: Socket): Channel {
  return socket instanceof TLSSocket ? new TlsChannel(socket) : PLAIN_CHANNEL;
}

const CLIENT_CERT = /^:([A-Za-z0-9+/]{4,12000}={0,2}):$/;

/** TLS, or TLCP, ended at a registered proxy: it says with which certificate (RFC 9440 2.2), and nothing can be bound to it. */
class ProxiedChannel implements Channel {
  readonly isPrivate = true;
  readonly binding = undefined;
  readonly #request: IncomingMessage;

  constructor(request: IncomingMessage) {
    this.#request = request;
  }

  /** @throws KmcError E_SCHEMA when the field is not as RFC 9440 writes it. */
  get clientCertificate(): Buffer | undefined {
    const field = this.#request.headers['client-cert'];
    if (field === undefined || field === '') return undefined;
    const text = typeof field === 'string' ? CLIENT_CERT.exec(field)?.[1] : undefined;
    const der = Buffer.from(text ?? '', 'base64');
    if (text !== undefined && der.toString('base64') === text) return der;
    throw new KmcError('E_SCHEMA', 'Client-Cert must be one byte sequence: a colon, base64 of DER, a colon');
  }
}

/** The channel of a request on the private socket of a registered proxy. */
export function proxiedChannel(request: IncomingMessage): Channel {
  return new ProxiedChannel(request);
}

/** Address of the client as the proxy saw it; the proxy itself when it does not say. */
export function proxiedAddress(request: IncomingMessage): string {
  const address = request.headers['x-real-ip'];
  return typeof address === 'string' && isIP(address) !== 0 ? address : 'proxy';
}
