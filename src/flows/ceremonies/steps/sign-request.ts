import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { KmcError } from '../../../errors.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { parseCsr, verifyProofOfPossession } from '../../../x509/csr.ts';
import type { PreparedCertificate } from '../../certificates/prepare-certificate.ts';
import { describePrepared, plannedIssuer, prepareUnder, signAndWrite } from '../ceremony-certificate.ts';
import { requireUnrestricted } from '../ceremony-run.ts';
import type { Planning, StepAct } from '../step-act.ts';

/** Signs a certificate over the key of a request: of an issuing CA, or of a bundle-signer under the root of before. */
export const signRequest: StepAct = {
  plan(planning, step) {
    requireUnrestricted(planning.before, stepText(step, 'issuer'));
    const issuer = plannedIssuer(planning, stepText(step, 'issuer-certificate'));
    return issuer === undefined ? {} : describePrepared(prepare(planning, step, issuer));
  },
  async act(run, step) {
    const issuer = run.certificate(stepText(step, 'issuer-certificate'));
    const key = await run.certifyingKey(stepText(step, 'issuer'));
    return await signAndWrite(run, step, { prepare: () => prepare(run.facts, step, issuer), key, issuer });
  },
};

function prepare(planning: Planning, step: CeremonyStep, issuer: Certificate): PreparedCertificate {
  const der = planning.inputs.get(stepText(step, 'request'));
  if (der === undefined) throw new KmcError('E_NOT_FOUND', 'The request is not among the inputs.');
  const request = parseCsr(der);
  verifyProofOfPossession(request);
  return prepareUnder(planning, step, issuer, { subject: request.subject.der, spki: request.spki });
}
