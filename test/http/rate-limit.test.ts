/** Limits on calls, and what a flood of refusals leaves in the audit log (security-and-faults D7). */
import { expect } from 'chai';
import { writeRefusalCounts } from '../../src/flows/audit/refusals/write-refusal-counts.ts';
import { addressText, RateLimiter, sourceNetwork, type RateLimits } from '../../src/http/rate-limit.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { handSigner, liveService, send } from './live-service.ts';

describe('rate limits', () => {
  it('count per key and tell the first refusal of a period', async () => {
    const limiter = new RateLimiter({ requests: 2, seconds: 60 });
    const results = [
      await limiter.refusal('a'),
      await limiter.refusal('a'),
      await limiter.refusal('a'),
      await limiter.refusal('a'),
    ];
    expect(results.map((refusal) => refusal?.isFirst)).to.deep.equal([undefined, undefined, true, false]);
    expect(results[2]?.retryAfter).to.be.within(1, 60);
    expect(await limiter.refusal('b')).to.equal(undefined);
  });

  it('take an IPv4 address as one source, and an IPv6 network of 64 bits', () => {
    expect(addressText('::ffff:192.0.2.1')).to.equal('192.0.2.1');
    expect(addressText(undefined)).to.equal('unknown');
    expect(sourceNetwork('192.0.2.1')).to.equal('192.0.2.1');
    expect(sourceNetwork('2001:db8:0:1::5')).to.equal('2001:db8:0:1::/64');
    expect(sourceNetwork('2001:DB8::5')).to.equal('2001:db8:0:0::/64');
    expect(sourceNetwork('fe80::1%eth0')).to.equal('fe80:0:0:0::/64');
    expect(sourceNetwork('::1')).to.equal('0:0:0:0::/64');
  });
});

const LIMITS: RateLimits = {
  source: { requests: 60, seconds: 60 },
  identity: { requests: 10, seconds: 60 },
  application: { requests: 20, seconds: 60 },
};

forEachDatabase('a flood of requests', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test, { limits: LIMITS });

  it('of a stranger becomes one event for the source and minute, with the count', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(live().url, 'GET', '/api/v1/keystore')));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).to.have.length(60);
    expect(statuses.filter((status) => status === 429)).to.have.length(40);
    expect(answers.find(({ status }) => status === 429)?.headers['retry-after']).to.match(/^[1-9]\d*$/);
    test().clock.advance(120);
    const { instance } = live();
    expect(await writeRefusalCounts(instance)).to.be.within(1, 2); // the flood may cross a minute
    const events = await test().history('log', 'refusals-node-1');
    const counts = events.map(({ act, det }) => [act, det['count']]);
    expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).to.equal(100);
    expect(new Set(counts.map(([act]) => act))).to.deep.equal(new Set(['access.refused']));
  });

  it('of a person becomes an event for each refusal, up to the limit, and one for the limit itself', async () => {
    const person = test().people.recoveryOfficer;
    const signer = handSigner(test().instance.engine, person);
    const statuses: number[] = [];
    for (let i = 0; i < 20; i += 1) statuses.push((await live().call(signer, 'GET', '/api/v1/people')).status);
    expect(statuses).to.deep.equal([...Array<number>(10).fill(403), ...Array<number>(10).fill(429)]);
    const events = await test().history('person', person.id);
    expect(events.map(({ code }) => code)).to.deep.equal([...Array<string>(10).fill('E_FORBIDDEN'), 'E_RATE']);
  });

  it('of one person does not touch another', async () => {
    const { engine } = test().instance;
    const [one, other] = [handSigner(engine, test().people.caOwner), handSigner(engine, test().people.auditor)];
    for (let i = 0; i < 11; i += 1) await live().call(one, 'GET', '/api/v1/keystore');
    expect((await live().call(one, 'GET', '/api/v1/keystore')).status).to.equal(429);
    expect((await live().call(other, 'GET', '/api/v1/keystore')).status).to.equal(200);
  });
});
