import { expect } from 'chai';
import { z } from 'zod';
import { KmcError } from '../../src/errors.ts';
import { answerOnce } from '../../src/flows/access/answer-once.ts';
import { route } from '../../src/http/route.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { liveService } from './live-service.ts';

const PATH = '/api/v1/test/orders';
let made = 0;
let failing: KmcError | undefined;
let pause: Promise<void> = Promise.resolve();

const ROUTES = ['', '/again'].map((end) =>
  route({
    operationId: `testOrder${end}`,
    method: 'post',
    path: `${PATH}${end}`,
    tag: 'test',
    summary: 'makes something',
    access: { persons: 'any' },
    idempotent: true,
    body: z.strictObject({ what: z.string() }),
    answers: {},
    async handle({ body }) {
      await pause;
      if (failing !== undefined) throw failing;
      made += 1;
      return { status: 201, json: { what: body.what, number: made } };
    },
  }),
);

forEachDatabase('Idempotency-Key', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test, { routes: ROUTES });
  const client = () => live().client(test().people.caOwner);
  const order = (what: string, idempotencyKey: string): Promise<unknown> =>
    client().json('POST', PATH, { what }, { idempotencyKey });
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof KmcError ? error.code : 'no KmcError'),
    );

  beforeEach(() => {
    made = 0;
    failing = undefined;
    pause = Promise.resolve();
  });

  it('gives the same answer to the same key and body, for a day, and does it once', async () => {
    const first = await order('a', 'key-00000001');
    expect(first).to.deep.equal({ what: 'a', number: 1 });
    expect(await order('a', 'key-00000001')).to.deep.equal(first);
    expect(made).to.equal(1);
    await test().database.transaction((tx) => tx.idempotency.purge(new Date(Date.now() + 24 * 3_600_000), 100));
    expect(await order('a', 'key-00000001')).to.deep.equal(first);
  });

  it('refuses the same key with another body or for another call with 409', async () => {
    await order('a', 'key-00000002');
    expect(await codeOf(order('b', 'key-00000002'))).to.equal('E_CONFLICT');
    const again = client().json('POST', `${PATH}/again`, { what: 'a' }, { idempotencyKey: 'key-00000002' });
    expect(await codeOf(again)).to.equal('E_CONFLICT');
    expect(made).to.equal(1);
  });

  it('keeps the keys of two callers apart', async () => {
    await order('a', 'key-00000003');
    const other = live().client(test().people.securityOne);
    expect(await other.json('POST', PATH, { what: 'b' }, { idempotencyKey: 'key-00000003' })).to.deep.equal({
      what: 'b',
      number: 2,
    });
  });

  it('does it once for sixteen calls at a time: the others get the same answer, or 409 with Retry-After', async () => {
    let go: () => void = () => undefined;
    pause = new Promise((resolve) => {
      go = resolve;
    });
    const calls = Array.from({ length: 16 }, () => order('a', 'key-00000004').catch((error: unknown) => error));
    setTimeout(go, 300);
    const answers = await Promise.all(calls);
    expect(made).to.equal(1);
    for (const answer of answers) {
      if (answer instanceof KmcError) expect([answer.code, answer.retryAfter]).to.deep.equal(['E_CONFLICT', 2]);
      else expect(answer).to.deep.equal({ what: 'a', number: 1 });
    }
    expect(answers.some((answer) => !(answer instanceof KmcError))).to.equal(true);
  });

  it('lets a call that was refused be tried again, and not one whose outcome is open', async () => {
    failing = new KmcError('E_STATE', 'not now');
    expect(await codeOf(order('a', 'key-00000005'))).to.equal('E_STATE');
    failing = undefined;
    expect(await order('a', 'key-00000005')).to.deep.equal({ what: 'a', number: 1 });
    failing = new KmcError('E_STORAGE', 'the commit may have happened');
    expect(await codeOf(order('b', 'key-00000006'))).to.equal('E_STORAGE');
    failing = undefined;
    expect(await codeOf(order('b', 'key-00000006'))).to.equal('E_CONFLICT');
    expect(made).to.equal(1);
  });

  it('says that the outcome is not known once the process of the first call must be gone', async () => {
    const scope = { caller: 'person:p-1', key: 'key-00000007', bodyDigest: 'sm3:00' };
    const { database, clock } = test().instance;
    await database.transaction(async (tx) => {
      const createdAt = clock.now();
      await tx.idempotency.claim({ ...scope, createdAt, expiresAt: new Date(createdAt.getTime() + 3_600_000) });
    });
    test().clock.advance(300);
    const error: unknown = await answerOnce(test().instance, scope, () =>
      Promise.reject(new Error('must not run')),
    ).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(KmcError);
    expect(error).to.include({ code: 'E_CONFLICT', retryAfter: undefined });
  });

  it('refuses a key that is too short or has other characters', async () => {
    for (const key of ['short', 'with space in', 'a'.repeat(129)]) {
      expect(await codeOf(order('a', key))).to.equal('E_SCHEMA');
    }
  });
});
