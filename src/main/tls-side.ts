import { issueServiceTls } from '../flows/certificates/issue-service-tls.ts';
import type { Instance } from '../flows/instance.ts';
import type { Listener, TlsIdentity } from '../http/server.ts';

/** A TLS certificate is replaced when this part of its life is over. */
const TLS_RENEWAL = 0.5;
/** After a failure it is tried again, and reported again, after that long. */
const RETRY_MS = 30_000;

export type StartTls = (identity: TlsIdentity) => Promise<Listener>;

/**
 * HTTPS of the service: starts when the keystore is open for the first time, and takes a new certificate in good time, by
 * itself and without a restart. Connections that are open go on under the old one.
 */
export class TlsSide {
  #listener: Listener | undefined;
  #renewAt = 0;
  readonly #start: StartTls;
  readonly #instance: Instance;
  readonly #hosts: readonly string[];

  /** @param hosts names and addresses by which clients reach the service: they stand in the certificate. */
  constructor(instance: Instance, hosts: readonly string[], start: StartTls) {
    this.#instance = instance;
    this.#hosts = [...new Set(hosts)];
    this.#start = start;
  }

  get url(): string | undefined {
    return this.#listener?.url;
  }

  /** Does what is due; called again and again. @throws what `issueServiceTls` and the start of the listener throw. */
  async refresh(): Promise<void> {
    const now = this.#instance.clock.now().getTime();
    if (this.#instance.keystore.state !== 'UNSEALED' || now < this.#renewAt) return;
    this.#renewAt = now + RETRY_MS;
    const identity = await issueServiceTls(this.#instance, this.#hosts);
    if (this.#listener === undefined) this.#listener = await this.#start(identity);
    else this.#listener.setCertificate(identity);
    this.#renewAt = now + (identity.notAfter.getTime() - now) * TLS_RENEWAL;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }
}
