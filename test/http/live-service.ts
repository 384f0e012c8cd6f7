/** The whole API on a real listener and a real instance, and requests signed by hand, so that a test can sign them wrongly. */
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../src/crypto/engine.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { createClient, type KmcClient } from '../../src/agent/signed-client.ts';
import { RefusalTally } from '../../src/domain/audit/refusals.ts';
import { KeyUseTally } from '../../src/domain/key-use-tally.ts';
import { sha256 } from '../../src/crypto/digests.ts';
import { contentDigest, signatureBase, type SignedRequestParts } from '../../src/domain/http-signature.ts';
import type { ActionHandlers } from '../../src/flows/approvals/action-handler.ts';
import { advanceAuditLog } from '../../src/flows/audit/log/advance-audit-log.ts';
import { GlassSight } from '../../src/flows/break-glass/glass-state.ts';
import { CheckpointSight } from '../../src/flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../../src/flows/audit/receipts/outstanding-receipts.ts';
import type { Instance } from '../../src/flows/instance.ts';
import { createRowMac } from '../../src/flows/audit/events/row-mac.ts';
import { Metrics } from '../../src/http/metrics.ts';
import { DEFAULT_RATE_LIMITS, type RateLimits } from '../../src/http/rate-limit.ts';
import type { HttpPorts } from '../../src/http/ports.ts';
import type { Route } from '../../src/http/route.ts';
import { allRoutes } from '../../src/http/routes/index.ts';
import { createRepositoryClient } from '../../src/http/repository-client.ts';
import { httpPorts, type ServedInstance } from '../../src/http/served-instance.ts';
import { createApplication, listen, type Application, type Listener } from '../../src/http/server.ts';
import { createServiceAuthority } from '../../src/flows/authorities/create-service-authority.ts';
import { issueServiceTls } from '../../src/flows/certificates/issue-service-tls.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { encodeName } from '../../src/x509/name.ts';
import type { RegisteredProxy } from '../../src/config/environment.ts';
import { consoleFiles } from '../../src/main/console-files.ts';
import { OPENSSL_VERIFIER } from '../../src/main/openssl-verifier.ts';
import { listenForProxy } from '../../src/main/private-socket.ts';
import { createAuditSignerState } from '../../src/keystore/audit-signer-state.ts';
import type { CastMember } from '../fixtures/estate.ts';
import type { TestInstance } from '../fixtures/instance.ts';

export interface LiveOptions {
  readonly limits?: RateLimits;
  readonly handlers?: ActionHandlers;
  readonly authorities?: readonly string[];
  /** Besides those of the product. */
  readonly routes?: readonly Route[];
  /** Also over HTTPS, under a transport CA that the instance gets for it. */
  readonly tls?: boolean;
  /** Also on the private socket of a registered proxy. */
  readonly proxy?: () => RegisteredProxy;
  /** Whose key and certificate stand in for those of the audit log; otherwise it has a key and no certificate. */
  readonly log?: CastMember;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The JSON body, for the members that a test asks for. */
  readonly json: Readonly<Record<string, unknown>>;
}

export class LiveService {
  readonly instance: ServedInstance;
  readonly faults: unknown[] = [];
  readonly #test: TestInstance;
  readonly #listener: Listener;
  readonly #tls: TlsSide | undefined;
  #further: readonly Listener[] = [];
  readonly #outstanding = new OutstandingReceipts();
  #logKey: KeyHandle | undefined;

  private constructor(test: TestInstance, instance: ServedInstance, listener: Listener, tls?: TlsSide) {
    this.#test = test;
    this.instance = instance;
    this.#listener = listener;
    this.#tls = tls;
  }

  static async start(test: TestInstance, options: LiveOptions = {}): Promise<LiveService> {
    const served = servedInstanceOf(test.instance, options.handlers);
    const instance = options.log === undefined ? served : { ...served, audit: loggedBy(test, options.log) };
    const faults: unknown[] = [];
    const ports = httpPorts(instance, {
      authorities: options.authorities ?? [],
      limits: options.limits ?? DEFAULT_RATE_LIMITS,
      logFault: ({ cause }) => void faults.push(cause),
    });
    const routes = [...allRoutes(instance), ...(options.routes ?? [])];
    const listener = await listen(createApplication(routes, ports, 'plain'), { host: '127.0.0.1', port: 0 });
    const tls = options.tls === true ? await startTls(instance, createApplication(routes, ports, 'tls')) : undefined;
    const front = options.proxy;
    const application = createApplication(routes, ports, 'proxy');
    const proxied = front === undefined ? undefined : await listenForProxy(application, front());
    const live = new LiveService(test, instance, listener, tls);
    live.#logKey = options.log?.key;
    live.#further = proxied === undefined ? [] : [proxied];
    return Object.assign(live, { faults });
  }

  /** The HTTPS side of a service that was started with one. */
  get tls(): TlsSide {
    if (this.#tls === undefined) throw new Error('This service was started without HTTPS.');
    return this.#tls;
  }

  get url(): string {
    return this.#listener.url;
  }

  get authority(): string {
    return new URL(this.url).host;
  }

  client(person: CastMember): KmcClient {
    const signer = { engine: this.instance.engine, key: person.key, certificate: person.certificate.der };
    return createClient({ baseUrl: this.url, signer });
  }

  /** Sequences what waits and signs it. */
  async advanceLog(): Promise<void> {
    const { database, clock, engine, keystore, audit } = this.instance;
    this.#logKey ??= await engine.generateKeyPair('SM2');
    const key = this.#logKey;
    this.#test.clock.advance(2);
    await advanceAuditLog(
      {
        database,
        clock,
        engine,
        auditLog: this.#test.database.auditLog,
        signerState: createAuditSignerState(join(this.#test.folder, 'signer')),
        rowMac: createRowMac(engine, keystore.auditMacKeys),
        sight: new CheckpointSight({ name: audit.origin, signer: 'log', spki: key.spki }),
        outstanding: this.#outstanding,
      },
      { origin: audit.origin, key },
    );
  }

  /** Sends a request signed as told. */
  async call(signer: HandSigner, method: string, target: string, body?: unknown, hand: Hand = {}): Promise<Answer> {
    const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const created = hand.created ?? Math.floor(this.instance.clock.now().getTime() / 1000);
    const [path = '', query] = target.split('?', 2);
    const parts: SignedRequestParts = {
      method,
      authority: hand.authority ?? this.authority,
      path,
      query: query === undefined ? '?' : `?${query}`,
      ...(bytes === undefined ? {} : { content: { type: 'application/json', body: bytes } }),
    };
    const headers = await signByHand(signer, parts, { ...hand, created });
    return send(this.url, method, target, bytes, { ...headers, ...hand.headers });
  }

  async close(): Promise<void> {
    const all = [this.#listener, ...(this.#tls === undefined ? [] : [this.#tls.listener]), ...this.#further];
    await Promise.all(all.map((listener) => listener.close()));
  }
}

function servedInstanceOf(instance: Instance, handlers: ActionHandlers = {}): ServedInstance {
  return {
    ...instance,
    version: '0.1.0',
    console: consoleFiles(),
    handlers,
    links: OPENSSL_VERIFIER,
    tally: new RefusalTally(),
    uses: new KeyUseTally(),
    metrics: new Metrics(),
    repositories: createRepositoryClient({ loopback: true, timeout: 2_000 }),
    glass: new GlassSight(instance),
    isAuditBlocked: () => false,
  };
}

/** What the HTTP layer asks of an instance, with the limits of the product. */
export function httpPortsOf(instance: Instance): HttpPorts {
  const options = { authorities: [], limits: DEFAULT_RATE_LIMITS, logFault: () => undefined };
  return httpPorts(servedInstanceOf(instance), options);
}

export interface TlsSide {
  readonly listener: Listener;
  /** The transport root, PEM. */
  readonly anchor: string;
}

async function startTls(instance: ServedInstance, application: Application): Promise<TlsSide> {
  const subject = encodeName([{ type: 'CN', value: 'Transport CA' }]);
  const system = { type: 'system', id: 'kmc' } as const;
  const { certificate } = await createServiceAuthority(instance, system, {
    id: 'transport-ca',
    kind: 'transport',
    subject,
  });
  const identity = await issueServiceTls(instance, ['127.0.0.1', 'localhost']);
  const listener = await listen(application, { host: '127.0.0.1', port: 0 }, identity);
  return { listener, anchor: encodePem('CERTIFICATE', certificate) };
}

function loggedBy({ instance }: TestInstance, { certificate }: CastMember): Instance['audit'] {
  return { ...instance.audit, certificate: () => Promise.resolve(certificate.der) };
}

/** Whoever signs: a key in an engine, and the certificate that names it. */
export interface HandSigner {
  readonly engine: CryptoEngine;
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
}

/** What of a signed request a test wants otherwise. */
export interface Hand {
  readonly created?: number;
  readonly nonce?: string;
  readonly authority?: string;
  /** Of Content-Digest. */
  readonly digest?: 'sm3' | 'sha-256';
  readonly keyid?: 'sm3' | 'sha256';
  /** Breaks the signature. */
  readonly broken?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export function handSigner(engine: CryptoEngine, person: CastMember): HandSigner {
  return { engine, key: person.key, certificate: person.certificate.der };
}

async function signByHand(
  { engine, key, certificate }: HandSigner,
  parts: SignedRequestParts,
  hand: Hand & { readonly created: number },
): Promise<Record<string, string>> {
  const named = hand.keyid === 'sha256' ? sha256(certificate) : sm3(certificate);
  const parameters = {
    created: hand.created,
    expires: hand.created + 120,
    nonce: hand.nonce ?? randomBytes(18).toString('base64url'),
    keyid: `${hand.keyid ?? 'sm3'}:${named.toString('base64url')}`,
  };
  const digest = parts.content === undefined ? undefined : contentDigest(parts.content.body, hand.digest ?? 'sm3');
  const base = signatureBase(parts, parameters, digest);
  const algorithm = KEY_ALGORITHMS[key.algorithm].jsonSignature;
  const raw = SIGNATURE_ALGORITHMS[algorithm].toRaw(await engine.sign(key, algorithm, base));
  if (hand.broken === true) raw.writeUInt8(raw.readUInt8(5) ^ 1, 5);
  const input = base.toString('utf8').split('"@signature-params": ')[1] ?? '';
  return {
    'signature-input': `gw=${input}`,
    signature: `gw=:${raw.toString('base64')}:`,
    ...(digest === undefined ? {} : { 'content-digest': digest, 'content-type': 'application/json' }),
  };
}

/** Sends a request as it is. */
export function send(
  url: string,
  method: string,
  target: string,
  body?: Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(body.length) };
    const { hostname, port } = new URL(url);
    const outgoing = httpRequest(
      { hostname, port, path: target, method, headers: { ...length, ...headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: objectOf(text) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** A live service for each test of the enclosing suite; call the result inside a test. */
export function liveService(test: () => TestInstance, options: LiveOptions = {}): () => LiveService {
  let current: LiveService | undefined;
  beforeEach(async () => {
    current = await LiveService.start(test(), options);
  });
  afterEach(async () => {
    await current?.close();
    current = undefined;
  });
  return () => {
    if (current === undefined) throw new Error('There is a service only while a test runs.');
    return current;
  };
}
