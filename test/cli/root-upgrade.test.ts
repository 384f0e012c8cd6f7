import { expect } from 'chai';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { servedCommands } from './served-commands.ts';

const PLAN = `schema: kmc.root-upgrade-plan/1
id: g2-to-g3
kind: REKEY
bundle: extranet
from: {generation: G2, root: sm2-root, issuing: sm2-issuing}
to: {generation: G3, root: sm2-root-g3, issuing: sm2-issuing-g3, algorithm: SM2}
standby: {generation: G4, root: sm2-root-g4}
ends: 2032-01-01T00:00:00Z
waves: [{percent: 1}, {all: true}]
gates: {ring-regions: 1}
capability-report: sm3:${'a'.repeat(64)}
`;

forEachDatabase('kmc root-upgrade', (fixture) => {
  const test = testInstance(fixture);
  const kmc = servedCommands(test);

  it('plans, says what blocks, waits for approvals, and moves once they are there', async function () {
    this.timeout(60_000);
    const { caOwner, securityOne, caOperatorOne, systemOne, auditor } = test().people;
    const { files } = kmc();
    const plan = files.write('plan.yaml', Buffer.from(PLAN, 'utf8'));
    const checked = await runKmc(['root-upgrade', 'plan', plan, '--check', '--json']);
    expect(checked.code, checked.err).to.equal(0);
    expect(checked.json()).to.deep.include({ weakerGates: ['ring-regions: 32 -> 1'] });
    expect((await kmc().run(systemOne, 'root-upgrade', 'plan', plan)).code, 'another role').to.equal(6);
    await kmc().json(caOwner, 'root-upgrade', 'plan', plan);

    const blocked = await kmc().run(caOwner, 'root-upgrade', 'advance', 'g2-to-g3');
    expect(blocked.code).to.equal(7);
    expect(blocked.out).to.contain('T1 is blocked by').and.contain('staging-rehearsal');
    const document = files.write('rehearsal.txt', Buffer.from('rehearsed', 'utf8'));
    const attest = ['root-upgrade', 'attest', 'g2-to-g3', '--kind', 'staging-rehearsal', '--document', document];
    expect((await kmc().run(auditor, ...attest)).code, 'another role').to.equal(6);
    await kmc().json(caOwner, ...attest);
    expect((await kmc().run(caOwner, ...attest, '--failed')).code).to.equal(0);
    const failed = await kmc().run(caOwner, 'root-upgrade', 'advance', 'g2-to-g3');
    expect(failed.code, 'what failed later takes it back').to.equal(7);
    const again = files.write('again.txt', Buffer.from('rehearsed again', 'utf8'));
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await kmc().json(caOwner, 'root-upgrade', 'attest', 'g2-to-g3', '--kind', 'staging-rehearsal', '--document', again);

    const asked = await kmc().run(caOperatorOne, 'root-upgrade', 'advance', 'g2-to-g3', '--json');
    expect(asked.code, asked.err).to.equal(3);
    const request = String(asked.json()['request']);
    expect((await kmc().run(caOperatorOne, 'root-upgrade', 'advance', 'g2-to-g3')).out).to.contain(
      'waits for approvals',
    );
    await kmc().approve(request, [caOwner, securityOne]);
    const made = await kmc().json(caOperatorOne, 'root-upgrade', 'advance', 'g2-to-g3');
    expect(made).to.include({ outcome: 'made', state: 'PLANNED' });

    const status = await kmc().run(auditor, 'root-upgrade', 'status', 'g2-to-g3');
    expect(status.out)
      .to.contain('PLANNED')
      .and.contain('T2 -> KEYED')
      .and.contain('new-root: The root sm2-root-g3 is not here');
    expect((await kmc().run(auditor, 'root-upgrade', 'status')).out).to.contain('g2-to-g3');
    expect((await kmc().run(caOwner, 'root-upgrade', 'plan', plan)).code, 'the plan is frozen').to.equal(7);
    const suspend = ['root-upgrade', 'suspend', 'g2-to-g3', '--reason', 'incident 12'];
    expect((await kmc().run(systemOne, ...suspend)).code, 'nothing runs yet').to.equal(7);
    expect((await kmc().run(systemOne, 'root-upgrade', 'wave', 'g2-to-g3')).code).to.equal(7);
    expect((await kmc().run(caOwner, 'root-upgrade', 'status', 'no-such')).code).to.equal(5);

    const back = ['root-upgrade', 'rollback', 'g2-to-g3', '--reason', 'the budget was cut'];
    const asking = await kmc().run(caOwner, ...back, '--json');
    expect(asking.code, asking.err).to.equal(3);
    await kmc().approve(String(asking.json()['request']), [securityOne, caOperatorOne]);
    expect(await kmc().json(caOwner, ...back)).to.include({ outcome: 'made', transition: 'R1', state: 'ABORTED' });
  });
});
