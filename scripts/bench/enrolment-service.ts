/**
 * The service that `enrol.dual` measures, in a process of its own: a whole development instance with its audit log, and
 * the means to prepare devices and to read the processor time. It takes orders from its parent over IPC.
 */
import { join } from 'node:path';
import { readEnvironment } from '../../src/config/environment.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { wipe } from '../../src/crypto/bytes.ts';
import { hmacSm3 } from '../../src/crypto/gm/sm3.ts';
import { assertSm2KeyPair, generateSm2Key } from '../../src/crypto/gm/sm2-key.ts';
import { encryptSm2 } from '../../src/crypto/gm/sm2-encrypt.ts';
import { verifySignature } from '../../src/crypto/algorithms.ts';
import type { KeyHandle } from '../../src/crypto/engine.ts';
import { sm2PointFromSpki } from '../../src/crypto/spki.ts';
import type { PersonCaller } from '../../src/domain/caller.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { tokenMacInput } from '../../src/domain/enrolment.ts';
import { issueToken } from '../../src/flows/devices/issue-token.ts';
import { registerDevice } from '../../src/flows/devices/register-device.ts';
import { ceremonySiteOf } from '../../src/main/ceremony-place.ts';
import { makeDevelopmentInstance } from '../../src/main/development/make-instance.ts';
import { DevelopmentStage } from '../../src/main/development/stage.ts';
import { openInstance, type OpenedInstance } from '../../src/main/open-instance.ts';
import { serve, type RunningService } from '../../src/main/serve.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../../src/x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../../src/x509/extensions.ts';

/** What the parent may ask for; each order gets one answer. */
export type Order =
  | { readonly op: 'prepare' | 'prepare-est'; readonly count: number }
  | { readonly op: 'usage' | 'sm2' | 'tls' | 'stop' };

/** A device that only has to send its request over EST. */
export interface EstRequest {
  /** Value of Authorization. */
  readonly credential: string;
  /** Base64 of DER. */
  readonly csr: string;
}

/** Where HTTPS is, and its trust anchor, PEM. */
export interface TlsPlace {
  readonly url: string;
  readonly anchor: string;
}

export interface Usage {
  /** Processor time of the process so far, all of its threads, in milliseconds. */
  readonly cpuMs: number;
}

const REGION = '110000';
const SM2_ROUND = 40;
/** A plain SM4 key: what an enrolment encrypts by SM2. */
const SM4_KEY_OCTETS = 16;
/** About the length of a TBSCertificate. */
const TBS_OCTETS = 500;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Processor milliseconds of one call of `work`, called with 0 to `count` - 1. */
async function cost(count: number, work: (index: number) => unknown): Promise<number> {
  const start = cpuMs();
  for (let index = 0; index < count; index += 1) await work(index);
  return (cpuMs() - start) / count;
}

/**
 * What the SM2 operations of one enrolment cost, one after the other as in an enrolment: verification and encryption
 * under a key never seen, a key pair and the check that its halves belong together, two signatures.
 */
async function sm2Cost({ engine }: OpenedInstance): Promise<number> {
  const message = Buffer.alloc(TBS_OCTETS, 0x4b);
  const plain = Buffer.alloc(SM4_KEY_OCTETS, 0x4d);
  const none = Buffer.alloc(0);
  const pair = generateSm2Key();
  const signer = await engine.generateKeyPair('SM2');
  const keys = await Promise.all(Array.from({ length: SM2_ROUND }, () => engine.generateKeyPair('SM2')));
  const signatures = await Promise.all(keys.map((key) => engine.sign(key, 'SM2-SM3', message)));
  const points = keys.map(({ spki }) => sm2PointFromSpki(spki));
  const made: KeyHandle[] = [];
  const spent = await cost(SM2_ROUND, async (at) => {
    const holds = verifySignature('SM2-SM3', keys[at]?.spki ?? none, message, signatures[at] ?? none);
    if (!holds) throw new Error('a signature of the benchmark does not verify');
    made.push(await engine.generateKeyPair('SM2'));
    assertSm2KeyPair(pair.scalar, pair.point);
    encryptSm2(points[at] ?? none, plain);
    await engine.sign(signer, 'SM2-SM3', message);
    await engine.sign(signer, 'SM2-SM3', message);
  });
  wipe(pair.scalar);
  for (const key of [...keys, ...made, signer]) engine.destroyKey(key);
  return spent;
}

interface PreparedDevice {
  readonly id: string;
  /** DER. */
  readonly csr: Buffer;
  readonly token: Buffer;
}

/** Waits for HTTPS, which starts with the opened keystore. */
async function tlsPlace(instance: OpenedInstance, service: RunningService): Promise<TlsPlace> {
  while (service.tlsUrl() === undefined) await pause(20);
  const [authority] = await instance.database.read((reader) => reader.authorities.list({ kind: 'transport' }));
  if (authority === undefined) throw new Error('there is no transport CA');
  return { url: service.tlsUrl() ?? '', anchor: encodePem('CERTIFICATE', authority.certificate) };
}

class EnrolmentService {
  readonly #instance: OpenedInstance;
  readonly #stage: DevelopmentStage;
  #made = 0;

  constructor(instance: OpenedInstance, stage: DevelopmentStage) {
    this.#instance = instance;
    this.#stage = stage;
  }

  /** Registers devices, issues their tokens, makes keys and requests: the bodies that only have to be sent. */
  async prepare(count: number): Promise<string[]> {
    return await this.#devices(count, ({ id, csr, token }) => {
      const tokenMac = hmacSm3(token, tokenMacInput(csr)).toString('hex');
      return JSON.stringify({ deviceId: id, csr: csr.toString('base64'), tokenMac });
    });
  }

  /** As `prepare`, for EST. */
  async prepareEst(count: number): Promise<EstRequest[]> {
    return await this.#devices(count, ({ id, csr, token }) => {
      const pair = Buffer.concat([Buffer.from(`SN-${id}:`), token]);
      return { credential: `Basic ${pair.toString('base64')}`, csr: csr.toString('base64') };
    });
  }

  async #devices<T>(count: number, form: (device: PreparedDevice) => T): Promise<T[]> {
    const [first, second] = [await this.#caller(`ra-${REGION}-1`), await this.#caller(`ra-${REGION}-2`)];
    const bodies: T[] = [];
    for (let index = 0; index < count; index += 1) bodies.push(form(await this.#device(first, second)));
    // What preparing left for the audit log is no part of the enrolments.
    while ((await this.#instance.database.read((reader) => reader.audit.pending())) > 0) await pause(50);
    return bodies;
  }

  async #device(registrar: PersonCaller, issuer: PersonCaller): Promise<PreparedDevice> {
    const { engine } = this.#instance;
    const id = `bench-${(this.#made += 1)}`;
    const registration = {
      id,
      kind: 'gateway',
      vendor: 'Example Networks',
      model: 'SG-2000',
      serial: `SN-${id}`,
      unit: 'Beijing Extranet Office',
      profile: 'gateway',
      organization: 'Government Extranet',
      commonName: `${id}.extranet.example`,
      dnsNames: [`${id}.extranet.example`],
      ipAddresses: ['192.0.2.10'],
    } as const;
    const { device } = await registerDevice(this.#instance, registrar, { registration, region: REGION });
    const { ciphertext } = await issueToken(this.#instance, issuer, { deviceId: id, delivery: 'in-person' });
    const secret = await engine.decryptSecret(this.#stage.person(`ra-${REGION}-2`).key, ciphertext);
    const token = await engine.releaseToken(secret);
    engine.destroySecret(secret);
    const key = await engine.generateKeyPair('SM2');
    const names = readAlternativeNames(device.alternativeNames);
    const extensions = [extensionOf(EXTENSIONS.subjectAltName, names)];
    const info = encodeCertificationRequestInfo({ subject: device.subject, spki: key.spki, extensions });
    const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
    engine.destroyKey(key);
    return { id, csr, token };
  }

  async #caller(name: string): Promise<PersonCaller> {
    const certificateSm3 = sm3Fingerprint(this.#stage.person(name).certificate);
    const person = await this.#instance.database.read((reader) => reader.people.findByCertificate(certificateSm3));
    if (person === undefined) throw new Error(`${name} is not a person of this instance`);
    return { type: 'person', id: person.id, unit: person.unit, roles: person.roles, certificateSm3 };
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Opens the instance of the environment variables, or makes it, and serves it until told to stop. */
async function run(answer: (value: unknown) => void): Promise<void> {
  const environment = readEnvironment({ listen: '127.0.0.1:0', tlsListen: '127.0.0.1:0' });
  const instance = await openInstance(environment);
  const site = ceremonySiteOf(environment, instance.engine);
  const folder = join(environment.home, 'DEVELOPMENT-ONLY');
  const stage = new DevelopmentStage({ environment, instance, site, folder });
  if (instance.keystore.state === 'UNINIT') await makeDevelopmentInstance(stage, instance);
  else {
    await stage.loadPeople();
    await stage.unseal();
  }
  const service = await serve(environment, instance, {
    info: () => undefined,
    fault: (message, cause) =>
      process.stderr.write(cause instanceof Error ? `${message} ${cause.message}\n` : `${message}\n`),
  });
  const devices = new EnrolmentService(instance, stage);
  const orders: Readonly<Record<Order['op'], (order: Order) => Promise<unknown>>> = {
    prepare: (order) => devices.prepare('count' in order ? order.count : 0),
    'prepare-est': (order) => devices.prepareEst('count' in order ? order.count : 0),
    tls: () => tlsPlace(instance, service),
    usage: () => Promise.resolve({ cpuMs: cpuMs() }),
    sm2: () => sm2Cost(instance),
    async stop() {
      await service.close();
      await instance.close();
      setImmediate(() => process.disconnect());
      return true;
    },
  };
  process.on('message', (order: Order) => {
    orders[order.op](order).then(answer, (error: unknown) => answer({ error: String(error) }));
  });
  answer(service.url);
}

if (process.send !== undefined) await run((value) => void process.send?.(value));
