/** What a ceremony refuses, and that it has done nothing by then. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { verifySeats } from '../../../src/domain/ceremony/verify-signatures.ts';
import { planHash } from '../../../src/domain/ceremony/plan.ts';
import { approveCeremony } from '../../../src/flows/ceremonies/approve-ceremony.ts';
import { closeCeremony } from '../../../src/flows/ceremonies/close-ceremony.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import { seatParticipants, signInSeat } from '../../../src/flows/ceremonies/participant.ts';
import { planCeremony, type PlannedCeremony } from '../../../src/flows/ceremonies/plan-ceremony.ts';
import type { ConductInput } from '../../../src/flows/ceremonies/conduct-ceremony.ts';
import { runCeremony } from '../../../src/flows/ceremonies/run-ceremony.ts';
import { encodePlan } from '../../../src/domain/ceremony/plan.ts';
import { readTranscript } from '../../../src/domain/ceremony/transcript.ts';
import { openCeremonyKeystore } from '../../../src/flows/keystore/open-ceremony-keystore.ts';
import { transferShare } from '../../../src/flows/keystore/transfer-share.ts';
import { refusalFrom, refusalOf } from '../../domain/refusal.ts';
import { Workshop, type Prepared } from './workshop.ts';

const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-3'];
const EVERYBODY = ['owner-1', ...CUSTODIANS, 'witness-1', 'auditor-1'];

describe('flows/ceremonies/run-ceremony', function runTests() {
  this.timeout(120_000);
  let workshop: Workshop;
  let count = 0;

  before(async () => {
    workshop = await Workshop.open();
    await workshop.hold('kmc-init');
  });
  after(() => workshop.close());

  const named = (names: readonly string[]): Participant[] => names.map((name) => workshop.person(name));
  const rootKeys = (): string[] => {
    const folder = join(workshop.root, 'home', 'ceremony', 'root');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  interface Attempt {
    readonly name: string;
    readonly prepared: Prepared;
    readonly planned: PlannedCeremony;
  }

  /** A ca-root ceremony with an id of its own, approved by these. */
  async function approved(approvers: readonly string[] = CUSTODIANS): Promise<Attempt> {
    const name = `root-${(count += 1)}`;
    const prepared = workshop.prepare('ca-root', (text) => text.replaceAll('sm2-root', name));
    const planned = workshop.plan('ca-root', prepared);
    if (approvers.length > 0) await approveCeremony(workshop.ports(name), planned, prepared.bytes, named(approvers));
    return { name, prepared, planned };
  }

  const run = (attempt: Attempt, people: readonly string[], more: Partial<ConductInput> = {}) =>
    runCeremony(workshop.ports(attempt.name, false), {
      planned: attempt.planned,
      participants: named(people),
      ...more,
    });

  it('planning twice gives the same bytes and writes nothing', () => {
    const prepared = workshop.prepare('ca-root');
    const before = readdirSync(workshop.root, { recursive: true }).length;
    const [first, second] = [workshop.plan('ca-root', prepared), workshop.plan('ca-root', prepared)];
    expect(encodePlan(first.plan).equals(encodePlan(second.plan))).to.equal(true);
    expect(readdirSync(workshop.root, { recursive: true }).length).to.equal(before);
  });

  it('a plan is refused after another bundle, by another tool, and with another input than the file states', () => {
    const { setting, inputs } = workshop;
    const prepared = workshop.prepare('ca-root');
    expect(refusalOf(() => planCeremony(setting, { ...prepared, inputs }))?.code).to.equal('E_LINT');
    const pinned = workshop.prepare('ca-root', (text) =>
      text.replace('quorum:', `software: {bundle: "sm3:${'1'.repeat(64)}"}\nquorum:`),
    );
    expect(refusalOf(() => workshop.plan('ca-root', pinned))?.message).to.include('bundle');
    workshop.input('sm2-root.cer', workshop.output('kmc-init', 'admin-ca.cer'));
    workshop.input('sm2-issuing.csr', Buffer.from('not what it was'));
    const issuing = workshop.prepare('ca-issuing');
    workshop.input('sm2-issuing.csr', Buffer.from('something else'));
    expect(refusalOf(() => workshop.plan('ca-issuing', issuing))?.code).to.equal('E_LINT');
  });

  it('only custodians of the file approve, each once', async () => {
    const { name, prepared, planned } = await approved([]);
    const approve = (people: readonly string[]) =>
      refusalFrom(approveCeremony(workshop.ports(name), planned, prepared.bytes, named(people)));
    expect((await approve(['owner-1']))?.code).to.equal('E_FORBIDDEN');
    expect((await approve(['security-1']))?.code).to.equal('E_FORBIDDEN');
    expect(await approve(['custodian-1'])).to.equal(undefined);
    expect((await approve(['custodian-1']))?.code).to.equal('E_EXISTS');
  });

  it('does not run with fewer approvals than k', async () => {
    const attempt = await approved(['custodian-1', 'custodian-2']);
    expect((await refusalFrom(run(attempt, EVERYBODY)))?.code).to.equal('E_QUORUM');
    expect(rootKeys()).to.deep.equal([]);
  });

  it('does not run another plan than the approved one: the plan hash differs', async () => {
    const attempt = await approved();
    const changed = workshop.prepare('ca-root', () =>
      attempt.prepared.bytes.toString('utf8').replace('Root CA G2', 'Root CA G3'),
    );
    const planned = workshop.plan('ca-root', changed);
    const refusal = await refusalFrom(run({ ...attempt, planned }, EVERYBODY));
    expect(refusal?.code).to.equal('E_SIGNATURE');
    expect(refusal?.message).to.include('plan hash differs');
  });

  for (const seat of ['owner-1', 'witness-1', 'auditor-1']) {
    it(`does not run without ${seat}`, async () => {
      const attempt = await approved();
      const present = EVERYBODY.filter((name) => name !== seat);
      expect((await refusalFrom(run(attempt, present)))?.code).to.equal('E_FORBIDDEN');
      expect(rootKeys()).to.deep.equal([]);
    });
  }

  it('does not run with one custodian less than k, nor with somebody who has no seat', async () => {
    const attempt = await approved();
    const few = EVERYBODY.filter((name) => name !== 'custodian-2');
    expect((await refusalFrom(run(attempt, few)))?.code).to.equal('E_SHARES_FEW');
    expect((await refusalFrom(run(attempt, [...EVERYBODY, 'operator-1'])))?.code).to.equal('E_FORBIDDEN');
    expect((await refusalFrom(run(attempt, [...EVERYBODY, 'witness-1'])))?.code).to.equal('E_SAME_PERSON');
  });

  it('does not run outside of its window, nor when the clock of the witness differs', async () => {
    const attempt = await approved();
    const late = { now: () => new Date(Date.now() + 9 * 3_600_000) };
    const ports = { ...workshop.ports(attempt.name, false), clock: late };
    const input = { planned: attempt.planned, participants: named(EVERYBODY) };
    expect((await refusalFrom(runCeremony(ports, input)))?.code).to.equal('E_TIME');
    const witnessTime = new Date(Date.now() - 600_000);
    expect((await refusalFrom(run(attempt, EVERYBODY, { witnessTime })))?.code).to.equal('E_TIME');
  });

  it('does not begin when an output is there already', async () => {
    const attempt = await approved();
    workshop.ports(attempt.name).folder.create(`outputs/${attempt.name}.cer`, Buffer.from('older'));
    expect((await refusalFrom(run(attempt, EVERYBODY)))?.code).to.equal('E_EXISTS');
    expect(rootKeys()).to.deep.equal([]);
  });

  it('does not begin when a private key lies in its folder, where it would become part of the bundle', async () => {
    const { name, prepared, planned } = await approved([]);
    const key = { name: 'key.p12', sm3: `sm3:${'0'.repeat(64)}`, secret: true };
    const plan = { ...planned.plan, inputs: [key] };
    const keyed = { ...planned, plan, hash: planHash(plan) };
    await approveCeremony(workshop.ports(name), keyed, prepared.bytes, named(CUSTODIANS));
    workshop.ports(name).folder.create('inputs/key.p12', Buffer.from('a key'));
    expect((await refusalFrom(run({ name, prepared, planned: keyed }, EVERYBODY)))?.code).to.equal('E_LINT');
    expect(rootKeys()).to.deep.equal([]);
  });

  it('a step that fails is written down, the keystore closes, and the ceremony cannot be closed', async () => {
    const attempt = await approved();
    const withoutShare = named(EVERYBODY).map((one) => ({ ...one, shares: {} }));
    const ports = workshop.ports(attempt.name, false);
    const refusal = await refusalFrom(runCeremony(ports, { planned: attempt.planned, participants: withoutShare }));
    expect(refusal?.code).to.equal('E_NOT_FOUND');
    const transcript = ports.folder.read('transcript.jsonl') ?? Buffer.alloc(0);
    const last = readTranscript(transcript, attempt.planned.hash).records.at(-1);
    expect(last).to.include({ kind: 'result', step: 's2', outcome: 'failure' });
    const closing = await refusalFrom(closeCeremony(ports, attempt.prepared.file, named(EVERYBODY)));
    expect(closing?.code).to.equal('E_STATE');
    expect((await refusalFrom(run(attempt, EVERYBODY)))?.code).to.equal('E_EXISTS');
  });

  it('one certificate never signs in two seats, and every seat must sign the close', async () => {
    const attempt = await approved();
    await run(attempt, EVERYBODY);
    const ports = workshop.ports(attempt.name, false);
    const { file } = attempt.prepared;
    for (const seat of ['owner-1', 'custodian-3', 'witness-1', 'auditor-1']) {
      const people = named(EVERYBODY.filter((name) => name !== seat));
      expect((await refusalFrom(closeCeremony(ports, file, people)))?.code, seat).to.equal('E_QUORUM');
    }
    const [witness] = seatParticipants(file, named(['witness-1']));
    const twice = witness === undefined ? [] : [witness, { ...witness, seat: 'auditor' as const }];
    const facts = { purpose: 'closing', ceremony: file.id, digest: `sm3:${'0'.repeat(64)}`, at: new Date() } as const;
    const signatures = await Promise.all(twice.map((one) => signInSeat(workshop.instance.engine, one, facts)));
    const quorum = { ...file.quorum, auditor: witness?.certificateSm3 ?? '' };
    const demand = { ...facts, quorum, needed: { witness: 1, auditor: 1 } };
    expect(refusalOf(() => verifySeats(signatures, demand))?.code).to.equal('E_SAME_PERSON');
    await closeCeremony(ports, file, named(EVERYBODY));
    expect((await refusalFrom(closeCeremony(ports, file, named(EVERYBODY))))?.code).to.equal('E_EXISTS');
  });

  it('after the ceremony its root key is out of reach: two shares open nothing, and an old epoch is refused', async () => {
    const { engine, clock, openKeystoreFiles } = workshop.ports('none');
    const files = openKeystoreFiles();
    try {
      // Epoch 1 when it was made, 2 with the root key of the test above.
      const opening = await openCeremonyKeystore({ engine, clock, files }, { lastEpoch: 2 });
      for (const custodian of named(CUSTODIANS.slice(0, 2))) {
        const share = custodian.shares.ceremony;
        if (share === undefined) throw new Error('no share');
        const holderCertificateSm3 = Buffer.from(share.certificate.slice(4), 'hex');
        const sessionSpki = opening.session.spki;
        const given = { holder: custodian.key, holderCertificateSm3, share: share.ciphertext, sessionSpki };
        expect(await opening.submit(share.person, await transferShare(engine, given))).to.equal(undefined);
      }
      opening.cancel();
      const old = await refusalFrom(openCeremonyKeystore({ engine, clock, files }, { lastEpoch: 9 }));
      expect(old?.code).to.equal('E_ROLLBACK');
    } finally {
      files.close();
    }
  });
});
