import { newId } from '../../../domain/id.ts';
import { KmcError } from '../../../errors.ts';
import { pinPolicy } from '../../policy/pin-policy.ts';
import { stepDone, type StepAct } from '../step-act.ts';

/** Writes down what the instance is, and pins the policy set it begins with. */
export const establishInstance: StepAct = {
  async act(run, step) {
    const { service, caller } = run;
    const source = { node: service.node };
    const at = service.clock.now();
    const event = newId('ev', at);
    await service.database.transaction(async (tx) => {
      const isNew =
        (await tx.instance.establish('instance-id', service.id)) &&
        (await tx.instance.establish('environment', service.environment));
      if (!isNew && run.isRepeated(step) && (await tx.instance.get('instance-id')) === service.id) return;
      if (!isNew) throw new KmcError('E_CONFLICT', 'The database belongs to an instance already.');
      await tx.audit.append(
        {
          id: event,
          action: 'instance.init',
          outcome: 'success',
          subjects: [{ type: 'log', id: service.id }],
          actor: { type: 'system', id: caller.id },
          source,
          detail: {
            ceremony: run.facts.file.id,
            environment: service.environment,
            instance: service.id,
            node: service.node,
            policyDigest: service.policyDigest,
          },
        },
        at,
      );
    });
    const pinned = await service.database.read((reader) => reader.instance.get('policy-digest'));
    const isPinned = run.isRepeated(step) && pinned === service.policyDigest;
    if (!isPinned) await pinPolicy(service, { source }, caller);
    return stepDone(`the instance ${service.id} is established`, {
      instance: service.id,
      environment: service.environment,
      policy: service.policyDigest,
    });
  },
};
