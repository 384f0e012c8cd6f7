import { stepDone, type StepAct } from '../step-act.ts';

/** Runs the known-answer tests of the engine. */
export const selftest: StepAct = {
  async act(run) {
    await run.engine.selfTest();
    return stepDone('every known-answer test passed', { engine: run.engine.name });
  },
};
