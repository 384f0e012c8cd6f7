import { sealService } from '../../keystore/seal-service.ts';
import { stepDone, type StepAct } from '../step-act.ts';
import { keystoreOf } from './create-keystore.ts';

/** Closes a keystore: its keys are wiped, and only shares open it again. */
export const closeKeystore: StepAct = {
  async act(run, step) {
    if (keystoreOf(step) === 'ceremony') {
      run.closeCeremonyKeystore();
      return stepDone('the ceremony keystore is closed', { epoch: run.register.ceremonyEpoch });
    }
    const { service } = run;
    await sealService(service, { trigger: 'command', source: { node: service.node } }, run.caller);
    return stepDone('the service keystore is sealed');
  },
};
