import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { parseCertificate, sm3Fingerprint } from '../../../x509/certificate.ts';
import { createServiceAuthority } from '../../authorities/create-service-authority.ts';
import { stepSubject } from '../ceremony-certificate.ts';
import type { StepAct } from '../step-act.ts';
import { formatName } from '../../../x509/name.ts';

/** Makes the administrator or the transport CA, with its key in the service keystore. */
export const createAuthority: StepAct = {
  plan: (_planning, step) => ({
    profile: stepText(step, 'kind') === 'transport' ? 'transport-root' : 'administrator-ca',
    subject: formatName(stepSubject(step)),
  }),
  async act(run, step) {
    const kind = stepText(step, 'kind') === 'transport' ? 'transport' : 'administrator';
    const input = { id: stepText(step, 'authority'), kind, subject: stepSubject(step) } as const;
    const made = run.isRepeated(step)
      ? await run.service.database.read((reader) => reader.authorities.find(input.id))
      : undefined;
    const isMade = made?.kind === kind && made.subject.equals(input.subject);
    const row = isMade ? made : await createServiceAuthority(run.service, run.caller, input);
    const { serialNumber } = parseCertificate(row.certificate);
    return {
      text: `made the ${kind} CA ${row.id}`,
      files: [run.write(stepText(step, 'out'), row.certificate)],
      facts: {
        authority: row.id,
        serial: serialNumber,
        kid: row.spkiSm3,
        certificate: sm3Fingerprint(row.certificate),
      },
    };
  },
};
