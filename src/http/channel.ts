/** What the connection of a request proves by itself: the certificate of its client, and a value that binds to it. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface Channel {
  /** Certificate (DER) whose key the client has shown to hold. Nothing is said of whether it is in force. */
  readonly clientCertificate: Buffer | undefined;
  /**
   * Value of the channel for the proof that request and channel have one sender (RFC 7030 3.5): tls-unique in TLS 1.2,
   * tls-exporter in TLS 1.3 (RFC 9266). Undefined where TLS does not end here.
   */
  readonly binding: Buffer | undefined;
}

const PLAIN_CHANNEL: Channel = { clientCertificate: undefined, binding: undefined };

const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_OCTETS = 32;

/** Looks at the socket when it is asked, which most requests never do. */
class TlsChannel implements Channel {
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
