import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { newId } from '../../../domain/id.ts';
import { formatName } from '../../../x509/name.ts';
import { insertCaKey, sealedCaKey } from '../../authorities/insert-ca-key.ts';
import { issueCertificate } from '../../certificates/issue-certificate.ts';
import { stepSubject } from '../ceremony-certificate.ts';
import type { StepAct } from '../step-act.ts';

const PROFILE = 'audit-log';

/** Makes the key that signs the checkpoints of the audit log, in the service keystore, and its certificate. */
export const createLogKey: StepAct = {
  plan: (_planning, step) => ({ profile: PROFILE, subject: formatName(stepSubject(step)) }),
  async act(run, step) {
    const { service, caller, engine } = run;
    const keyId = stepText(step, 'key');
    const key = await engine.generateKeyPair('SM2');
    try {
      const sealed = await sealedCaKey(service.keystore, keyId, key);
      const event = newId('ev', service.clock.now());
      const authorityId = stepText(step, 'issuer');
      const input = { authorityId, profile: PROFILE, subject: stepSubject(step), spki: sealed.spki };
      const row = await issueCertificate(service, caller, input, async (tx, { createdAt }) => {
        await insertCaKey(tx, sealed, createdAt);
        await tx.audit.append(
          {
            id: event,
            action: 'key.generate',
            outcome: 'success',
            subjects: [{ type: 'key', id: keyId, version: 1 }],
            actor: { type: 'system', id: caller.id },
            source: { node: service.node },
            detail: { algorithm: 'SM2', kid: sealed.spkiSm3, kek: 'ca-keys', kekVersion: sealed.kekVersion },
          },
          createdAt,
        );
      });
      return {
        text: `made the key ${keyId} of the audit log`,
        files: [run.write(stepText(step, 'out'), row.certificate)],
        facts: { key: keyId, kid: sealed.spkiSm3, serial: row.serialNumber },
      };
    } finally {
      engine.destroyKey(key);
    }
  },
};
