import { expect } from 'chai';
import { BREAK_GLASS_SECONDS, REVIEW_SECONDS } from '../../../src/domain/break-glass.ts';
import { verifyBreakGlassReport } from '../../../src/domain/break-glass-report.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { endBreakGlass } from '../../../src/flows/break-glass/end-break-glass.ts';
import { openBreakGlass } from '../../../src/flows/break-glass/open-break-glass.ts';
import { reportBreakGlass } from '../../../src/flows/break-glass/report-break-glass.ts';
import { reviewBreakGlass } from '../../../src/flows/break-glass/review-break-glass.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { keepHouse } from '../../../src/flows/housekeeping/keep-house.ts';
import { KeyUseTally } from '../../../src/domain/key-use-tally.ts';
import type { KeyUseBlock } from '../../../src/flows/ports/key-uses.ts';
import { RefusalTally } from '../../../src/domain/audit/refusals.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService, send, type HandSigner } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';
import { storePair } from '../certificates/device-pair.ts';
import { addPerson, carryOut, NEWCOMER, propose } from '../people/people-acts.ts';
import { bagSigner, breakGlass, sealBag, sealing, statementsOf, type Bag } from './sealed-accounts.ts';

forEachDatabase('break-glass', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  let bags: readonly [Bag, Bag, Bag];
  beforeEach(async () => {
    bags = [
      await sealBag(test(), 'sealed-1', 'A-0017'),
      await sealBag(test(), 'sealed-2', 'A-0018'),
      await sealBag(test(), 'sealed-3', 'A-0019'),
    ];
  });

  const call = (signer: HandSigner, method: string, path: string, body?: unknown) =>
    live().call(signer, method, path, body, { created: Math.floor(test().clock.now().getTime() / 1000) });
  const source = { node: 'node-1' };
  const invariant = async (id: string): Promise<readonly string[]> =>
    (await checkInstance(test().instance)).find((result) => result.id === id)?.violations ?? ['not looked at'];

  it('suspends, revokes and pauses for four hours, and nothing else', async () => {
    const { sign } = await storePair(test(), fixture);
    const { caOperatorOne, securityOne } = test().people;
    const { session } = await breakGlass(test(), bags.slice(0, 2));
    const signer = bagSigner(test(), bags[0]);
    const suspended = await call(signer, 'POST', `/api/v1/people/${caOperatorOne.id}/suspension`, { reason: 'stolen' });
    expect([suspended.status, suspended.json['status']]).to.deep.equal([201, 'disabled']);
    const revocations = `/api/v1/certificates/${sign.id}/revocations`;
    const revoked = await call(bagSigner(test(), bags[1]), 'POST', revocations, { reason: 'keyCompromise' });
    expect(revoked.status, revoked.text).to.equal(201);
    expect((await call(signer, 'POST', '/api/v1/issuance/pause', { reason: 'forged' })).status).to.equal(201);
    for (const [method, path, body] of [
      ['GET', '/api/v1/people'],
      ['GET', '/api/v1/audit/events'],
      ['POST', '/api/v1/requests', { op: 'person.enable', targetId: 'p-x', params: {}, reason: 'x' }],
      ['POST', `/api/v1/certificates/${sign.id}/release`, {}],
      ['POST', `/api/v1/break-glass/${session}/reviews`, {}],
    ] as const) {
      const { status, json } = await call(signer, method, path, body);
      expect([status, json['code']], path).to.deep.equal([403, 'E_FORBIDDEN']);
    }
    const unopened = await call(bagSigner(test(), bags[2]), 'POST', revocations, { reason: 'superseded' });
    expect(unopened.status, 'the third bag is still sealed').to.equal(401);
    const asPerson = await call(handSigner(test().instance.engine, securityOne), 'POST', '/api/v1/issuance/pause', {
      reason: 'x',
    });
    expect(asPerson.status).to.equal(403);
    test().clock.advance(BREAK_GLASS_SECONDS);
    expect((await call(signer, 'POST', '/api/v1/issuance/pause', { reason: 'late' })).status).to.equal(401);
    expect(await invariant('I14')).to.deep.equal([]);
  });

  it('pauses issuance in the database itself, until an approved act resumes it', async () => {
    await breakGlass(test(), bags.slice(0, 2));
    await call(bagSigner(test(), bags[0]), 'POST', '/api/v1/issuance/pause', { reason: 'forged' });
    const error = await refusal('E_STATE', () => storePair(test(), fixture));
    expect(error.message).to.contain('paused');
    expect((await call(bagSigner(test(), bags[0]), 'POST', '/api/v1/issuance/pause', { reason: 'x' })).status).to.equal(
      409,
    );
    await addPerson(test(), { ...NEWCOMER, id: 'p-owner-9' }, { role: 'ca-owner' });
    const resume = { op: 'issuance.resume' as const, targetId: 'certificates', params: {} };
    await carryOut(test(), resume, [test().people.systemOne, test().people.securityOne]);
    await storePair(test(), fixture);
    await refusal('E_STATE', () => propose(test(), resume));
  });

  it('is loud: every answer, readiness, figures and the overview tell of it', async () => {
    const { raOne } = test().people;
    expect((await send(live().url, 'GET', '/readyz')).headers['kmc-break-glass']).to.equal(undefined);
    test().clock.advance(2);
    const { session } = await breakGlass(test(), bags.slice(0, 2));
    live().instance.glass.forget();
    const ready = await send(live().url, 'GET', '/readyz');
    expect(ready.headers['kmc-break-glass']).to.match(new RegExp(`^${session}; until=.*Z$`));
    expect(ready.json['breakGlass']).to.deep.include({ session });
    expect((await send(live().url, 'GET', '/nowhere')).status).to.equal(404);
    expect((await send(live().url, 'GET', '/metrics')).text).to.match(/^kmc_break_glass_open 1$/m);
    const seen = await call(handSigner(test().instance.engine, raOne), 'GET', '/api/v1/break-glass');
    expect(seen.headers['kmc-break-glass']).to.contain(session);
    expect(seen.text).to.contain('"lasts":true').and.to.contain('forged registrations').and.to.contain('A-0017');
    test().clock.advance(BREAK_GLASS_SECONDS);
    const after = await send(live().url, 'GET', '/readyz');
    expect(after.headers['kmc-break-glass']).to.equal(undefined);
    expect(after.json['unreviewedBreakGlass']).to.deep.equal([session]);
  });

  it('takes two different sealed accounts, in their bags, about this instance, now, and once', async () => {
    const open = (statements: readonly unknown[]) => openBreakGlass(test().instance, { statements, source });
    const [one, two] = await statementsOf(test(), bags.slice(0, 2));
    if (one === undefined || two === undefined) throw new Error('two statements were made');
    await refusal('E_QUORUM', () => open([one]));
    await refusal('E_SAME_PERSON', () => open([one, one]));
    await refusal('E_SIGNATURE', () => open([one, { ...two, signature: one.signature }]));
    await refusal('E_APPROVAL', () => open([one, { ...two, certificate: one.certificate }]));
    const [other] = await statementsOf(test(), bags.slice(1, 2));
    await refusal('E_APPROVAL', () => open([one, other]));
    const changed = async (change: object) => open(await statementsOf(test(), bags.slice(0, 2), change));
    await refusal('E_APPROVAL', () => changed({ environment: 'production/kmc-test' }));
    await refusal('E_APPROVAL', () => changed({ environment: 'development/kmc-other' }));
    await refusal('E_APPROVAL', () => changed({ bag: 'A-9999' }));
    await refusal('E_TIME', () => changed({ declaredAt: '2020-01-01T00:00:00Z' }));
    expect(await test().database.read(({ breakGlass: glass }) => glass.sessions())).to.deep.equal([]);
    await open([one, two]);
    await refusal('E_CONFLICT', () => open([one, two]));
    test().clock.advance(BREAK_GLASS_SECONDS);
    await refusal('E_TIME', () => open([one, two]));
    await refusal('E_APPROVAL', () => breakGlass(test(), [bags[0], bags[2]]));
    const fresh = await sealBag(test(), 'sealed-1', 'A-0020');
    await breakGlass(test(), [fresh, bags[2]]);
    expect((await test().database.read(({ breakGlass: glass }) => glass.sessions())).length).to.equal(2);
    expect(await invariant('I14')).to.deep.equal([]);
  });

  it('opens once for many who try at once', async () => {
    const pairs = await Promise.all([statementsOf(test(), bags.slice(0, 2)), statementsOf(test(), bags.slice(1, 3))]);
    const tries = [...pairs, ...pairs, ...pairs].map((statements) =>
      openBreakGlass(test().instance, { statements, source }),
    );
    const ends = await Promise.allSettled(tries);
    expect(ends.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
  });

  it('does not let two sealed accounts lock the instance', async () => {
    await breakGlass(test(), bags.slice(0, 2));
    const path = `/api/v1/people/${test().people.caOwner.id}/suspension`;
    const { status, json } = await call(bagSigner(test(), bags[0]), 'POST', path, { reason: 'x' });
    expect([status, json['code']]).to.deep.equal([409, 'E_QUORUM']);
  });

  it('ends by itself, by a sealed account or a security administrator, and by nobody else', async () => {
    const { securityOne, caOwner } = test().people;
    await refusal('E_NOT_FOUND', () => endBreakGlass(test().instance, securityOne.caller));
    const { session } = await breakGlass(test(), bags.slice(0, 2));
    await refusal('E_FORBIDDEN', () => endBreakGlass(test().instance, caOwner.caller));
    await refusal('E_FORBIDDEN', () => endBreakGlass(test().instance, { type: 'anonymous', source: '::1' }));
    expect(await endBreakGlass(test().instance, SYSTEM)).to.equal(undefined);
    expect((await call(bagSigner(test(), bags[1]), 'POST', '/api/v1/break-glass/end', {})).status).to.equal(200);
    expect((await call(bagSigner(test(), bags[1]), 'POST', '/api/v1/break-glass/end', {})).status).to.equal(401);
    expect((await test().history('break-glass', session)).map(({ act }) => act)).to.deep.equal([
      'breakglass.open',
      'breakglass.act',
      'breakglass.end',
    ]);
  });

  it('leaves a report that proves itself, and that two auditors review', async () => {
    const { sign } = await storePair(test(), fixture);
    const { auditor, caOperatorOne, securityOne } = test().people;
    const { session } = await breakGlass(test(), bags.slice(0, 2));
    const report = () => reportBreakGlass(test().instance, session);
    await refusal('E_STATE', report);
    await call(bagSigner(test(), bags[0]), 'POST', `/api/v1/people/${caOperatorOne.id}/suspension`, {
      reason: 'stolen',
    });
    const hold = { reason: 'certificateHold' };
    await call(bagSigner(test(), bags[0]), 'POST', `/api/v1/certificates/${sign.id}/revocations`, hold);
    test().clock.advance(BREAK_GLASS_SECONDS + 1);
    const tallies = { tally: new RefusalTally(), uses: new KeyUseTally<KeyUseBlock>() };
    const house = { ...test().instance, ...tallies, handlers: actionHandlers(test().instance) };
    expect(await keepHouse(house)).to.deep.equal([]);
    const { text, digest } = await report();
    const verified = verifyBreakGlassReport(text);
    expect(verified.acts.map(({ account, operation }) => [account, operation])).to.deep.equal([
      ['sealed-1', 'suspendPerson'],
      ['sealed-1', 'revokeCertificate'],
    ]);
    expect(verified.effects.map(({ act }) => act).sort()).to.deep.equal([
      'certificate.suspend',
      'certificate.suspend',
      'person.disable',
    ]);
    const review = (by: typeof auditor, given = digest) =>
      reviewBreakGlass(test().instance, by.caller, {
        session,
        report: given,
        findings: 'as needed',
        requestId: 'req-1',
      });
    await refusal('E_FORBIDDEN', () => review(securityOne));
    await refusal('E_STALE', () => review(auditor, `sm3:${'0'.repeat(64)}`));
    await review(auditor);
    await refusal('E_SAME_PERSON', () => review(auditor));
    test().clock.advance(REVIEW_SECONDS + 1);
    expect(await invariant('I14')).to.have.length(1);
    await addPerson(test(), { ...NEWCOMER, id: 'p-auditor-2' }, { role: 'auditor' });
    await review({ ...auditor, caller: { ...auditor.caller, id: 'p-auditor-2' } });
    expect(await invariant('I14')).to.deep.equal([]);
    expect((await report()).text, 'the same after its reviews').to.equal(text);
  });

  it('is found out by kmc check where somebody wrote into the database', async () => {
    const { session } = await breakGlass(test(), bags.slice(0, 2));
    const later = new Date(test().clock.now().getTime() + 86_400_000).toISOString();
    const change = 'update break_glass set expires_at = ?, last_audit_event = ?';
    const error: unknown = await fixture.sql(change, [later, await recordEvent(fixture)]).catch((e: unknown) => e);
    expect(String(error)).to.match(/E_FORBIDDEN/);
    if (fixture.engine === 'sqlite') await fixture.sql('drop trigger break_glass_fixed');
    else await fixture.sql('alter table break_glass disable trigger user');
    await fixture.sql(change, [later, await recordEvent(fixture)]);
    expect(await invariant('I14')).to.deep.equal([`${session}: it lasts too long`]);
  });

  it('seals an account by an approved act, with a key and a bag of its own', async () => {
    const { asked, certificate } = await sealing(test(), 'sealed-1', 'A-0030');
    await refusal('E_NOT_FOUND', () => propose(test(), { ...asked, targetId: 'sealed-4' }));
    await refusal('E_SCHEMA', () => propose(test(), { ...asked, params: { ...asked.params, bag: 'no. 7' } }));
    const used = { bag: 'A-0031', certificate: bags[1].certificate.toString('base64') };
    await refusal('E_CONFLICT', () => propose(test(), { ...asked, params: used }));
    const owner = test().people.caOwner.certificate.der.toString('base64');
    await refusal('E_POP', () => propose(test(), { ...asked, params: { ...asked.params, certificate: owner } }));
    await refusal('E_CONFLICT', () => carryOut(test(), { ...asked, params: { ...asked.params, bag: 'A-0018' } }));
    const { result } = await carryOut(test(), {
      ...asked,
      params: { bag: 'A-0032', certificate: certificate.toString('base64') },
    });
    expect(result).to.include({ account: 'sealed-1', bag: 'A-0032' });
  });
});
