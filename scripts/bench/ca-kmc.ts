/** Applications for keys over GM/T 0014: verified, answered from the pool, signed, durable. */
import { verifySignature } from '../../src/crypto/algorithms.ts';
import type { KeyHandle } from '../../src/crypto/engine.ts';
import { answerCaRequest } from '../../src/flows/ca-kmc/answer-ca-request.ts';
import { kmcIdentity, packageSigner } from '../../src/flows/ca-kmc/kmc-identity.ts';
import { fillPool } from '../../src/flows/pools/fill-pool.ts';
import { serialNumberAlone } from '../../src/x509/ca-kmc/identifier.ts';
import { parseKmcResponse } from '../../src/x509/ca-kmc/response.ts';
import { applyRequest, makeCaSide, registerCa, signedMessage, type CaSide } from '../../test/fixtures/ca-side.ts';
import { SYSTEM, TestInstance } from '../../test/fixtures/instance.ts';
import { openPlace } from './database-place.ts';
import { median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const CLIENTS = 16;
/** Applications in one message, of the second figure. */
const TOGETHER = 20;
const POOL = 'sm2-encryption';

class Applications {
  readonly #test: TestInstance;
  readonly #ca: CaSide;
  readonly #users: readonly KeyHandle[];
  #task = 0n;

  private constructor(test: TestInstance, ca: CaSide, users: readonly KeyHandle[]) {
    this.#test = test;
    this.#ca = ca;
    this.#users = users;
  }

  static async prepare(test: TestInstance): Promise<Applications> {
    const ca = await makeCaSide(test, 'Bench CA');
    await registerCa(test, 'bench-ca', ca);
    await kmcIdentity(test.instance);
    const users = await Promise.all(Array.from({ length: 64 }, () => test.instance.engine.generateKeyPair('SM2')));
    return new Applications(test, ca, users);
  }

  /** Signed messages with so many applications each, and as many keys in the pool. */
  async messages(count: number, together: number): Promise<Buffer[]> {
    // Half as many again, so that the last keys are not looked for among those that others have chosen.
    await this.#stock(Math.ceil(count * together * 1.5));
    const messages: Buffer[] = [];
    for (let index = 0; index < count; index += 1) {
      this.#task += 1n;
      const requests = Array.from({ length: together }, (_unused, at) => applyRequest(this.#user(index + at).spki));
      messages.push(await signedMessage(this.#test, this.#ca, requests, { task: this.#task }));
    }
    return messages;
  }

  /** Answers all messages, by many clients at the same time. @returns applications a second. */
  async answerAll(messages: readonly Buffer[], together: number): Promise<number> {
    const { instance } = this.#test;
    const waiting = [...messages];
    const start = performance.now();
    const client = async (): Promise<void> => {
      for (let message = waiting.pop(); message !== undefined; message = waiting.pop()) {
        const { response } = await answerCaRequest(instance, message, { node: instance.node });
        const { responses } = parseKmcResponse(response);
        if (responses.some(({ kind }) => kind !== 'apply')) throw new Error('an application was refused');
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    return (messages.length * together) / ((performance.now() - start) / 1000);
  }

  /** Applications a second if they were their SM2 operations alone: verify, envelope and sign, sign the response. */
  async sm2Alone(count: number): Promise<number> {
    const { engine } = this.#test.instance;
    const identity = await kmcIdentity(this.#test.instance);
    const message = Buffer.alloc(500, 0x4b);
    const signature = await engine.sign(this.#ca.key, 'SM2-SM3', message);
    const identifier = serialNumberAlone('01');
    const start = performance.now();
    for (let index = 0; index < count; index += 1) {
      const user = this.#user(index);
      if (!verifySignature('SM2-SM3', this.#ca.key.spki, message, signature)) throw new Error('it does not verify');
      await engine.packageKey(user, { spki: user.spki, identifier }, packageSigner(identity));
      await engine.sign(identity.key, 'SM2-SM3', message);
    }
    return count / ((performance.now() - start) / 1000);
  }

  #user(index: number): KeyHandle {
    const user = this.#users[index % this.#users.length];
    if (user === undefined) throw new Error('there are no users');
    return user;
  }

  async #stock(count: number): Promise<void> {
    const { instance } = this.#test;
    const pools = { [POOL]: { low: count + 100, high: count + 200, batch: 100, onDemand: false, needsBackup: false } };
    const stocked = { ...instance, policies: { ...instance.policies, keys: { ...instance.policies.keys, pools } } };
    const selfTestedAt = new Date();
    const input = { pool: POOL, isFilling: true, selfTest: () => Promise.resolve(selfTestedAt) } as const;
    while ((await instance.database.read((reader) => reader.escrowedKeys.count('SM2', 'spare'))) < count) {
      await fillPool(stocked, input, SYSTEM);
    }
  }
}

async function measure(url: string, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, size] = quick ? [3, 60] : [5, 240];
  const test = await TestInstance.make(url);
  try {
    const applications = await Applications.prepare(test);
    await applications.answerAll(await applications.messages(size, 1), 1);
    const single: number[] = [];
    const batched: number[] = [];
    const alone: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      single.push(await applications.answerAll(await applications.messages(size, 1), 1));
      const packed = await applications.messages(Math.ceil(size / TOGETHER), TOGETHER);
      batched.push(await applications.answerAll(packed, TOGETHER));
      alone.push(await applications.sm2Alone(size));
    }
    return {
      ...summarize(single, 'applications/s', rounds * size, { sm2Alone: median(alone) }),
      clients: CLIENTS,
      /** Applications a second when twenty come in one message. */
      batched: median(batched),
    };
  } finally {
    await test.stop();
  }
}

export const caKmcBenchmarks: readonly Benchmark[] = [
  {
    name: 'kmc.apply',
    what: `GM/T 0014 applications, one in a message, by ${CLIENTS} clients: verified, key of the pool opened, enveloped and signed, response signed, durable on SQLite; batched = ${TOGETHER} in a message; sm2Alone = the SM2 operations of one message alone`,
    async run(options) {
      const opened = await openPlace('sqlite');
      if (opened === undefined) return undefined;
      try {
        return await measure(opened.url, options);
      } finally {
        await opened.release();
      }
    },
  },
];
