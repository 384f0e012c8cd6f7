/** Rules over the steps: kinds, members, order, what each reads and writes, and which keystore is open. */
import type { CeremonyStep } from '../ceremony-file.ts';
import { ceremonyTypeRule, misplacedStep } from '../ceremony-types.ts';
import type { CeremonyRule } from '../lint.ts';
import { filesOf, neededKeystore, outputsOf, stepKindRule, type KeystoreName } from '../step-kinds.ts';
import { stepText } from '../ceremony-file.ts';
import { repeated } from './repeated.ts';

interface Place {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function memberFaults(step: CeremonyStep, at: number): Place[] {
  const rule = stepKindRule(step.do);
  if (rule === undefined) return [];
  const unknown = Object.keys(step.members)
    .filter((name) => !Object.hasOwn(rule.members, name))
    .map((name) => ({ path: ['steps', at, name], message: `a step ${step.do} has no member ${name}` }));
  const wrong = Object.entries(rule.members).flatMap(([name, member]) => {
    const value = step.members[name];
    if (value === undefined) {
      return member.optional === true ? [] : [{ path: ['steps', at], message: `${name} is missing` }];
    }
    const fault = member.check(value);
    return fault === undefined ? [] : [{ path: ['steps', at, name], message: `${name} ${fault}` }];
  });
  return [...unknown, ...wrong];
}

function keystoreFaults(steps: readonly CeremonyStep[]): Place[] {
  const open = new Set<KeystoreName>();
  const faults: Place[] = [];
  steps.forEach((step, at) => {
    const needed = neededKeystore(step);
    if (needed !== undefined && !open.has(needed)) {
      faults.push({ path: ['steps', at], message: `the ${needed} keystore is not open at this step` });
    }
    const keystore: KeystoreName = stepText(step, 'keystore') === 'service' ? 'service' : 'ceremony';
    if (step.do === 'open-keystore' && open.has(keystore)) {
      faults.push({ path: ['steps', at], message: `the ${keystore} keystore is open already` });
    }
    if (step.do === 'open-keystore') open.add(keystore);
    if (step.do === 'close-keystore') open.delete(keystore);
  });
  for (const keystore of open) {
    faults.push({ path: ['steps'], message: `the ${keystore} keystore is never closed` });
  }
  return faults;
}

export const STEP_RULES: readonly CeremonyRule[] = [
  {
    id: 'steps/id',
    cites: 'C9',
    check: ({ steps }) =>
      repeated(steps.map((step) => step.id)).map((at) => ({
        path: ['steps', at],
        message: 'a step before has that id',
      })),
  },
  {
    id: 'steps/kind',
    cites: 'C2',
    check: ({ steps }) =>
      steps.flatMap((step, at) =>
        stepKindRule(step.do) === undefined
          ? [{ path: ['steps', at, 'do'], message: `there is no step kind ${step.do}` }]
          : [],
      ),
  },
  { id: 'steps/member', cites: 'C2', check: ({ steps }) => steps.flatMap(memberFaults) },
  {
    id: 'steps/order',
    cites: 'C2',
    check: ({ type, steps }) => {
      const rule = ceremonyTypeRule(type);
      const wrong =
        rule &&
        misplacedStep(
          rule,
          steps.map((step) => step.do),
        );
      if (wrong === undefined) return [];
      return [{ path: ['steps', wrong.at], message: `a ceremony ${type} has ${wrong.wanted} at this place` }];
    },
  },
  { id: 'steps/keystore', cites: 'C2, 2.1', check: ({ steps }) => keystoreFaults(steps) },
  {
    id: 'steps/file',
    cites: 'C2',
    check: ({ steps, inputs }) =>
      steps.flatMap((step, at) => {
        const before = steps.slice(0, at).flatMap((earlier) => filesOf(earlier, 'output'));
        const given = inputs.map((input) => input.name);
        const unknown = [
          ...filesOf(step, 'input').filter((name) => !given.includes(name)),
          ...filesOf(step, 'certificate').filter((name) => !given.includes(name) && !before.includes(name)),
        ];
        return unknown.map((name) => ({ path: ['steps', at], message: `${name} is no input and no earlier output` }));
      }),
  },
  {
    id: 'outputs/collision',
    cites: 'C8',
    check: ({ steps, inputs }) => {
      const written = steps.flatMap((step, at) => outputsOf(step).map((name) => ({ name, at })));
      const given = inputs.map((input) => input.name);
      const names = written.map((one) => one.name);
      return written.flatMap(({ name, at }, position) =>
        names.indexOf(name) < position || given.includes(name)
          ? [{ path: ['steps', at], message: `${name} stands there already` }]
          : [],
      );
    },
  },
];
