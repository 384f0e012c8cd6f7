import { readAlternativeNames } from '../../domain/device.ts';
import { newId } from '../../domain/id.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { issuedCertificateRow } from '../certificates/certificate-row.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import type { IssuePairPorts, PairPlan, SignedRow } from './issue-pair.ts';

/** What of a pair's plan one certificate needs. */
export interface SigningPlan extends Omit<PairPlan, 'profile'> {
  /** Certificate profile. */
  readonly profile: string;
  /** End of the key's crypto-period, where it began earlier: the certificate does not outlive it. */
  readonly keyEnd?: Date;
}

/** A certificate that nobody has yet, in the shape in which an enrolment records what it made. */
export interface IssuedSigningCertificate {
  readonly sign: SignedRow;
}

/**
 * Makes the signing certificate of a device alone: of one that has a single certificate, or that gets its encryption
 * certificate in a second step.
 * @throws KmcError E_SEALED, E_POLICY (another kind of key than the profile's), E_LINT.
 */
export async function issueSigningCertificate(
  ports: Pick<IssuePairPorts, 'policies'>,
  plan: SigningPlan,
): Promise<IssuedSigningCertificate> {
  const { device, authority, at } = plan;
  // Certificates count whole seconds.
  const notBefore = new Date(Math.floor(at.getTime() / 1000) * 1000);
  const { validitySeconds } = certificateProfile(ports.policies, plan.profile);
  const ends = [notBefore.getTime() + validitySeconds * 1000, authority.issuer.notAfter?.getTime() ?? Infinity];
  const facts = {
    serialNumber: newSerialNumber(),
    issuer: authority.issuer,
    subject: device.subject,
    spki: plan.signSpki,
    notBefore,
    notAfter: new Date(Math.min(...ends, plan.keyEnd?.getTime() ?? Infinity)),
    subjectAltName: readAlternativeNames(device.alternativeNames),
  };
  const prepared = prepareCertificate(ports.policies, plan.profile, facts, authority.certificate);
  const certificate = await signCertificate(authority.signer, prepared.linted);
  const row = issuedCertificateRow(prepared, certificate, {
    id: newId('cert', at),
    authorityId: authority.row.id,
    createdAt: at,
    auditEvent: plan.auditEvent,
    pairId: newId('pair', at),
    deviceId: device.id,
  });
  return { sign: { ...row, certificate } };
}
