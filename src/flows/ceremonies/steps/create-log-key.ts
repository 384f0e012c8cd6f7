import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { newId } from '../../../domain/id.ts';
import { formatName } from '../../../x509/name.ts';
import { insertCaKey, sealedCaKey } from '../../authorities/insert-ca-key.ts';
import { issueCertificate } from '../../certificates/issue-certificate.ts';
import type { SingleCertificate } from '../../certificates/single-certificate.ts';
import { stepSubject } from '../ceremony-certificate.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { StepAct } from '../step-act.ts';

const PROFILE = 'audit-log';

/** Makes the key that signs the checkpoints of the audit log, in the service keystore, and its certificate. */
export const createLogKey: StepAct = {
  plan: (_planning, step) => ({ profile: PROFILE, subject: formatName(stepSubject(step)) }),
  async act(run, step) {
    const made = run.isRepeated(step) ? await madeBefore(run, step) : undefined;
    const { certificate, spkiSm3, serialNumber } = made ?? (await create(run, step));
    const key = stepText(step, 'key');
    return {
      text: `made the key ${key} of the audit log`,
      files: [run.write(stepText(step, 'out'), certificate)],
      facts: { key, kid: spkiSm3, serial: serialNumber },
    };
  },
};

type LogCertificate = Pick<SingleCertificate, 'certificate' | 'spkiSm3' | 'serialNumber'>;

/** Key and certificate are written together: what was made before a cut is there in full. */
async function madeBefore(run: CeremonyRun, step: CeremonyStep): Promise<LogCertificate | undefined> {
  return await run.service.database.read(async ({ keystoreRows, certificates }) => {
    const key = await keystoreRows.caKey(stepText(step, 'key'));
    const [row] = key === undefined ? [] : await certificates.findByKey(key.spkiSm3);
    return row?.certificate === undefined ? undefined : { ...row, certificate: row.certificate };
  });
}

async function create(run: CeremonyRun, step: CeremonyStep): Promise<LogCertificate> {
  const { service, caller, engine } = run;
  const keyId = stepText(step, 'key');
  const key = await engine.generateKeyPair('SM2');
  try {
    const sealed = await sealedCaKey(service.keystore, keyId, key);
    const event = newId('ev', service.clock.now());
    const authorityId = stepText(step, 'issuer');
    const input = { authorityId, profile: PROFILE, subject: stepSubject(step), spki: sealed.spki };
    return await issueCertificate(service, caller, input, async (tx, { createdAt }) => {
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
  } finally {
    engine.destroyKey(key);
  }
}
