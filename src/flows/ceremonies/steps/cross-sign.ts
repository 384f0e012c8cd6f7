import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { KmcError } from '../../../errors.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import type { PreparedCertificate } from '../../certificates/prepare-certificate.ts';
import { describePrepared, plannedIssuer, prepareUnder, signAndWrite } from '../ceremony-certificate.ts';
import { requireUnrestricted } from '../ceremony-run.ts';
import type { Planning, StepAct } from '../step-act.ts';

/**
 * Signs a link certificate: the new root by the old one (NewWithOld, SHA-256 with RSA whatever the old root signed itself
 * with) or the old by the new (OldWithNew). Name, key and key identifier are those of the linked root (RFC 4210 4.4).
 */
export const crossSign: StepAct = {
  plan(planning, step) {
    requireUnrestricted(planning.before, stepText(step, 'issuer'));
    const issuer = plannedIssuer(planning, stepText(step, 'issuer-certificate'));
    const linked = plannedIssuer(planning, stepText(step, 'subject-certificate'));
    if (issuer === undefined || linked === undefined) return {};
    return describePrepared(prepare(planning, step, issuer, linked));
  },
  async act(run, step) {
    const issuer = run.certificate(stepText(step, 'issuer-certificate'));
    const linked = run.certificate(stepText(step, 'subject-certificate'));
    const key = await run.certifyingKey(stepText(step, 'issuer'));
    return await signAndWrite(run, step, { prepare: () => prepare(run.facts, step, issuer, linked), key, issuer });
  },
};

function prepare(
  planning: Planning,
  step: CeremonyStep,
  issuer: Certificate,
  linked: Certificate,
): PreparedCertificate {
  if (linked.skid === undefined) throw new KmcError('E_CERT', 'The linked root has no subjectKeyIdentifier.');
  const { subject, spki, skid } = linked;
  return prepareUnder(planning, step, issuer, { subject: subject.der, spki, keyIdentifier: skid });
}
