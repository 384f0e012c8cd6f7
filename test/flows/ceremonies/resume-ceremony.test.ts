/** A ceremony that stopped half way goes on; what must not go on is refused. Kills are in crash-ceremonies.test.ts. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readTranscript, type ReadRecord } from '../../../src/domain/ceremony/transcript.ts';
import { approveCeremony } from '../../../src/flows/ceremonies/approve-ceremony.ts';
import { closeCeremony } from '../../../src/flows/ceremonies/close-ceremony.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import type { PlannedCeremony } from '../../../src/flows/ceremonies/plan-ceremony.ts';
import { resumeCeremony } from '../../../src/flows/ceremonies/resume-ceremony.ts';
import { runCeremony } from '../../../src/flows/ceremonies/run-ceremony.ts';
import { requireVerifiedCeremony } from '../../../src/flows/ceremonies/verify-ceremony.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { Workshop } from './workshop.ts';

const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-3'];
const EVERYBODY = ['owner-1', ...CUSTODIANS, 'witness-1', 'auditor-1'];

describe('flows/ceremonies/resume-ceremony', function resumeTests() {
  this.timeout(120_000);
  let workshop: Workshop;
  before(async () => {
    workshop = await Workshop.open();
    await workshop.hold('kmc-init');
  });
  after(() => workshop.close());

  const named = (names: readonly string[]): Participant[] => names.map((name) => workshop.person(name));

  /** An approved ceremony that nobody has begun; it makes no key, so that each test leaves the keystore as it was. */
  async function approved(name: string): Promise<PlannedCeremony> {
    const prepared = workshop.prepare('ca-root', (text) => text.replaceAll('sm2-root', name));
    const planned = workshop.plan('ca-root', prepared);
    await approveCeremony(workshop.ports(name), planned, prepared.bytes, named(CUSTODIANS));
    return planned;
  }
  const ports = (name: string) => workshop.ports(name, false);
  const transcriptOf = (name: string): string => join(workshop.folder(name), 'transcript.jsonl');
  const recordsOf = (name: string, planned: PlannedCeremony): readonly ReadRecord[] =>
    readTranscript(readFileSync(transcriptOf(name)), planned.hash).records;

  /** Opens the keystore with a share of somebody else in the place of the second one: step s2 fails. */
  async function stopped(name: string): Promise<PlannedCeremony> {
    const planned = await approved(name);
    const [lead, first, second, third, ...others] = named(EVERYBODY);
    const swapped = { ...second!, shares: third!.shares };
    const participants = [lead!, first!, swapped, third!, ...others];
    const refusal = await refusalFrom(runCeremony(ports(name), { planned, participants }));
    expect(refusal?.code).to.be.oneOf(['E_SHARE_BAD', 'E_DECRYPT']);
    return planned;
  }

  it('an altered transcript is refused, naming the record, and nothing is added to it', async () => {
    const planned = await stopped('altered');
    const text = readFileSync(transcriptOf('altered'), 'utf8');
    writeFileSync(transcriptOf('altered'), text.replace('"kind":"intent"', '"kind":"result"'));
    const altered = readFileSync(transcriptOf('altered'));
    const refusal = await refusalFrom(resumeCeremony(ports('altered'), { planned, participants: named(EVERYBODY) }));
    expect(refusal?.code).to.equal('E_INTEGRITY');
    expect(refusal?.message).to.include('record 1');
    expect(readFileSync(transcriptOf('altered')).equals(altered)).to.equal(true);
  });

  it('is refused outside of the window, without a seat, and for a plan that was not approved', async () => {
    const planned = await stopped('refused');
    const resume = (people: readonly string[], now = new Date(), plan = planned) =>
      refusalFrom(
        resumeCeremony(
          { ...ports('refused'), clock: { now: () => now } },
          { planned: plan, participants: named(people) },
        ),
      );
    expect((await resume(EVERYBODY, new Date(Date.now() + 9 * 3_600_000)))?.code).to.equal('E_TIME');
    expect((await resume(EVERYBODY.slice(0, -1)))?.code).to.equal('E_FORBIDDEN');
    const other = { ...planned, plan: { ...planned.plan, ceremony: 'other' } };
    expect((await resume(EVERYBODY, new Date(), other))?.code).to.equal('E_SIGNATURE');
  });

  it('goes on after a step that failed and a line that was torn; the bundle tells both, and verifies', async () => {
    const planned = await stopped('torn');
    appendFileSync(transcriptOf('torn'), '{"hash":"sm3:00');
    expect((await refusalFrom(runCeremony(ports('torn'), { planned, participants: named(EVERYBODY) })))?.code).to.equal(
      'E_EXISTS',
    );
    const outcome = await resumeCeremony(ports('torn'), { planned, participants: named(EVERYBODY) });
    const again = await resumeCeremony(ports('torn'), { planned, participants: [] });
    expect(again).to.deep.equal(outcome);
    await closeCeremony(ports('torn'), planned.planning.file, named(EVERYBODY));
    expect(requireVerifiedCeremony(ports('torn').folder).closing.records).to.equal(
      String(recordsOf('torn', planned).length),
    );
    const kinds = recordsOf('torn', planned).map(({ kind, step, outcome: how }) => `${kind} ${step} ${how}`);
    expect(kinds).to.include.members(['result s2 failure', 'resume s2 success', 'result s2 success']);
    const elapsed = recordsOf('torn', planned).map((record) => Number(record.elapsed));
    expect([...elapsed].sort((a, b) => a - b)).to.deep.equal(elapsed);
  });
});
