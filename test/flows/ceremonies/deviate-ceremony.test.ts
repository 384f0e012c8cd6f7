/** Deviations (C12), and the two rules that one can lift: the network (C15) and the window (C17). */
import { expect } from 'chai';
import { approveCeremony } from '../../../src/flows/ceremonies/approve-ceremony.ts';
import type { CeremonyRunPorts } from '../../../src/flows/ceremonies/ceremony-run.ts';
import { closeCeremony } from '../../../src/flows/ceremonies/close-ceremony.ts';
import { deviateCeremony, type Deviation } from '../../../src/flows/ceremonies/deviate-ceremony.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import { planCeremony, type PlannedCeremony } from '../../../src/flows/ceremonies/plan-ceremony.ts';
import { resumeCeremony } from '../../../src/flows/ceremonies/resume-ceremony.ts';
import { runCeremony } from '../../../src/flows/ceremonies/run-ceremony.ts';
import { verifyCeremony } from '../../../src/flows/ceremonies/verify-ceremony.ts';
import { transcriptFaults } from '../../../src/domain/ceremony/verify-transcript.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { Workshop } from './workshop.ts';

const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-3'];
const EVERYBODY = ['owner-1', ...CUSTODIANS, 'witness-1', 'auditor-1'];

describe('flows/ceremonies/deviate-ceremony', function deviations() {
  this.timeout(120_000);
  let workshop: Workshop;
  before(async () => {
    workshop = await Workshop.open();
    await workshop.hold('kmc-init');
  });
  after(() => workshop.close());
  const named = (names: readonly string[]): Participant[] => names.map((name) => workshop.person(name));

  /** An approved ceremony, in an environment and on a machine with these connections. */
  async function approved(name: string, environment: 'production' | 'development', network: readonly string[]) {
    const prepared = workshop.prepare('ca-root', (text) => text.replaceAll('sm2-root', name));
    const file = { ...prepared.file, environment };
    const setting = { ...workshop.setting, environment };
    const previous = workshop.previous!;
    const planned = planCeremony(setting, { file, bytes: prepared.bytes, inputs: workshop.inputs, previous });
    const ports: CeremonyRunPorts = { ...workshop.ports(name, false), network: () => network };
    await approveCeremony(ports, planned, prepared.bytes, named(CUSTODIANS));
    return { ports, planned };
  }
  const held = (planned: PlannedCeremony, names = EVERYBODY) => ({
    planned,
    participants: named(names),
    witnessTime: new Date(),
  });
  const deviation = (planned: PlannedCeremony, more: Partial<Deviation> = {}): Deviation => ({
    planned,
    participants: named(['owner-1', 'witness-1']),
    step: 's2',
    text: 'the room has no other machine',
    ...more,
  });

  it('production refuses a connected machine before anything is done', async () => {
    const { ports, planned } = await approved('connected', 'production', ['interface eth0 is up']);
    const refusal = await refusalFrom(runCeremony(ports, held(planned)));
    expect(refusal?.code).to.equal('E_FORBIDDEN');
    expect(refusal?.message).to.include('eth0');
    expect(ports.folder.read('transcript.jsonl')).to.equal(undefined);
  });

  it('a deviation needs lead and witness, a step of the plan, and a text that can be printed', async () => {
    const { ports, planned } = await approved('refused', 'development', []);
    const refusal = (more: Partial<Deviation>) => refusalFrom(deviateCeremony(ports, deviation(planned, more)));
    expect((await refusal({ participants: named(['owner-1']) }))?.code).to.equal('E_FORBIDDEN');
    expect((await refusal({ participants: named(['witness-1']) }))?.code).to.equal('E_FORBIDDEN');
    expect((await refusal({ step: 's99' }))?.code).to.equal('E_NOT_FOUND');
    expect((await refusal({ text: 'a\nb' }))?.code).to.equal('E_SCHEMA');
    expect(ports.folder.read('transcript.jsonl')).to.equal(undefined);
  });

  it('a deviation that allows the network lets it run; the bundle is flagged, and names it', async () => {
    const { ports, planned } = await approved('allowed', 'production', ['interface eth0 is up']);
    await deviateCeremony(ports, deviation(planned, { allows: 'network' }));
    await runCeremony(ports, held(planned));
    await closeCeremony(ports, planned.planning.file, named(EVERYBODY));
    const strict = verifyCeremony(ports.folder);
    expect(strict.findings?.map(({ file }) => file)).to.deep.equal(['deviations.jsonl']);
    const { bundle } = verifyCeremony(ports.folder, { allowDeviations: true });
    expect(bundle?.closing.deviations).to.equal('1');
    expect(ports.folder.read('deviations.jsonl')?.toString('utf8')).to.include('the room has no other machine');
    const opened = bundle?.transcript.records.find(({ kind }) => kind === 'open');
    expect(opened?.facts['network']).to.equal('interface eth0 is up');
    workshop.previous = bundle;
  });

  it('a deviation may come before the first step; without its initials the bundle does not verify', async () => {
    const { ports, planned } = await approved('forged', 'development', []);
    await deviateCeremony(ports, deviation(planned));
    await resumeCeremony(ports, held(planned));
    await closeCeremony(ports, planned.planning.file, named(EVERYBODY));
    const { bundle } = verifyCeremony(ports.folder, { allowDeviations: true });
    const records = bundle?.transcript.records ?? [];
    expect(records.slice(0, 4).map(({ kind }) => kind)).to.deep.equal(['deviation', 'initials', 'initials', 'open']);
    const without = { ...bundle!.transcript, records: records.filter((_record, at) => at !== 1) };
    expect(transcriptFaults(without, planned.plan, ports.folder.files())[0]).to.deep.equal({
      record: 0,
      detail: 'the witness did not initial the record',
    });
    workshop.previous = verifyCeremony(ports.folder, { allowDeviations: true }).bundle;
  });

  it('a development instance runs on a connected machine and says so', async () => {
    const { ports, planned } = await approved('recorded', 'development', ['a route leads to eth0']);
    await runCeremony(ports, held(planned));
    await closeCeremony(ports, planned.planning.file, named(EVERYBODY));
    workshop.previous = verifyCeremony(ports.folder).bundle;
    const text = ports.folder.read('transcript.jsonl')?.toString('utf8') ?? '';
    expect(text).to.include('"network":"a route leads to eth0"');
  });

  it('after the window a ceremony goes on only with a deviation that allows it', async () => {
    const { ports, planned } = await approved('late', 'development', []);
    const withoutShares = named(EVERYBODY).map((one) => ({ ...one, shares: {} }));
    expect((await refusalFrom(runCeremony(ports, { ...held(planned), participants: withoutShares })))?.code).to.equal(
      'E_NOT_FOUND',
    );
    const later = new Date(Date.now() + 9 * 3_600_000);
    const late = { ...ports, clock: { now: () => later } };
    const input = { ...held(planned), witnessTime: later };
    expect((await refusalFrom(resumeCeremony(late, input)))?.code).to.equal('E_TIME');
    await deviateCeremony(late, deviation(planned, { allows: 'window' }));
    await resumeCeremony(late, input);
    const ended = await refusalFrom(deviateCeremony(late, deviation(planned)));
    expect(ended?.code).to.equal('E_STATE');
  });
});
