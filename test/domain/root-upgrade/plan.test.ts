import { expect } from 'chai';
import fc from 'fast-check';
import { readPlanFile } from '../../../src/config/root-upgrade-plan.ts';
import { GATE_NAMES, GATES, gateText, readGates, weakerGates } from '../../../src/domain/root-upgrade/gates.ts';
import { planDigest, readPlan } from '../../../src/domain/root-upgrade/plan.ts';
import { refusalOf } from '../refusal.ts';

const YAML = `
schema: kmc.root-upgrade-plan/1
id: rsa-to-sm2
kind: ALG_CHANGE
bundle: extranet
from: {generation: G1, root: legacy-root, issuing: legacy-issuing}
to: {generation: G2, root: sm2-root, issuing: sm2-issuing, algorithm: SM2}
standby: {generation: G3, root: sm2-standby}
ends: 2030-01-01T00:00:00Z
signers: {set: sm2, threshold: 3, emergency-threshold: 4, holders: [s-1, s-2, s-3, s-4, s-5]}
waves: [{percent: 1}, {percent: 10}, {regions: ["110000"]}, {all: true}]
capability-report: sm3:${'a'.repeat(64)}
`;

const read = (yaml: string) => readPlanFile(Buffer.from(yaml, 'utf8'));

describe('the plan of a root upgrade', () => {
  it('takes the gates of part A unless it states others, and says which are weaker', () => {
    const { plan } = read(YAML);
    expect(plan.gates).to.include({
      'hold-down-days': 30,
      'installed-overall': 9990,
      'installed-region': 9950,
      'verified-hub': 10_000,
      dark: 50,
      'soak-days': 7,
      'ring-regions': 32,
    });
    expect(weakerGates(plan.gates, plan.kind)).to.deep.equal([]);
    const weaker = read(`${YAML}gates: {installed-overall: 99, dark: 2.5, soak-days: 14, ring-regions: 1}\n`).plan;
    expect(weakerGates(weaker.gates, weaker.kind)).to.deep.equal([
      'ring-regions: 32 -> 1',
      'installed-overall: 99.9 -> 99',
      'dark: 0.5 -> 2.5',
    ]);
    const rekey = readGates({}, 'REKEY');
    expect(rekey['soak-days'], 'REKEY soaks longer').to.equal(14);
  });

  it('has a digest that changes with everything in it', () => {
    const { body } = read(YAML);
    const digests = [YAML, YAML.replace('percent: 10', 'percent: 11'), `${YAML}gates: {dark: 0.5}\n`].map((yaml) =>
      planDigest(read(yaml).body),
    );
    expect(new Set(digests).size).to.equal(3);
    expect(planDigest(body)).to.equal(digests[0]);
  });

  it('is refused, with the line, when it contradicts itself or says what is not known', () => {
    const faulty: readonly [string, string][] = [
      ['percent: 10', 'percent: 1'],
      ['{all: true}]', '{percent: 50}]'],
      ['generation: G2', 'generation: G1'],
      ['root: sm2-root', 'root: legacy-root'],
      ['emergency-threshold: 4', 'emergency-threshold: 6'],
      ['s-5]', 's-1]'],
      ['kind: ALG_CHANGE', 'kind: REKEY'],
      ['kind: ALG_CHANGE', 'kind: EMERGENCY'],
      ['standby: {generation: G3, root: sm2-standby}', ''],
      ['ends: 2030-01-01T00:00:00Z', 'ends: 2030-13-01T00:00:00Z'],
      ['algorithm: SM2', 'algorithm: RSA'],
      ['bundle: extranet', 'bundle: extranet\nmore: x'],
      ['id: rsa-to-sm2', 'id: rsa-to-sm2\nsupersedes: rsa-to-sm2'],
      ['waves:', 'gates: {no-such-gate: 1}\nwaves:'],
      ['waves:', 'gates: {installed-overall: 100.01}\nwaves:'],
      ['waves:', 'gates: {hold-down-days: 1.5}\nwaves:'],
    ];
    for (const [before, after] of faulty) {
      expect(YAML).to.contain(before);
      expect(refusalOf(() => read(YAML.replace(before, after)))?.code, `${before} -> ${after}`).to.equal('E_SCHEMA');
    }
  });

  it('reads back what it wrote, for every number of every gate', () => {
    const gate = fc.constantFrom(...GATE_NAMES);
    fc.assert(
      fc.property(gate, fc.nat(10_000), (name, value) => {
        const text = gateText(name, value);
        const isShare = GATES[name].unit === 'share';
        expect(readGates({ [name]: text }, 'REKEY')[name], `${name} ${text}`).to.equal(value);
        if (isShare) expect(Number(text)).to.be.at.most(100);
      }),
    );
  });

  it('never reads anything but a whole plan', () => {
    const { body } = read(YAML);
    for (const name of Object.keys(body).filter((each) => !['standby', 'signers'].includes(each))) {
      const { [name]: _left, ...rest } = body;
      expect(refusalOf(() => readPlan(rest))?.code, name).to.equal('E_SCHEMA');
    }
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(refusalOf(() => readPlan(value))?.code).to.equal('E_SCHEMA');
      }),
    );
  });
});
