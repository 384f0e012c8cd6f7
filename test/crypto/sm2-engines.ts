import { chooseSm2Engine, chosenSm2Engine, SM2_ENGINES, type Sm2EngineName } from '../../src/crypto/gm/sm2-choice.ts';

/** Runs the rest of the enclosing suite under one implementation of SM2. */
export function useSm2Engine(name: Sm2EngineName): void {
  let previous: Sm2EngineName;
  before(() => {
    previous = chosenSm2Engine();
    chooseSm2Engine(name);
  });
  after(() => chooseSm2Engine(previous));
}

/** Describes the same tests for every implementation of SM2: they are one contract. */
export function describeForEachSm2Engine(title: string, tests: (engine: Sm2EngineName) => void): void {
  for (const name of SM2_ENGINES) {
    describe(`${title}, by ${name}`, () => {
      useSm2Engine(name);
      tests(name);
    });
  }
}
