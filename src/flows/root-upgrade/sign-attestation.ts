import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import {
  ATTESTATION_KINDS,
  ATTESTATION_SCHEMA,
  attestationBytes,
  readAttestationBody,
  type AttestationKind,
  type SignedAttestation,
} from '../../domain/root-upgrade/attestation.ts';
import { signedTime } from '../../domain/signed-body.ts';
import type { DecisionSigner } from '../approvals/sign-decision.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';

export interface AttestationChoice {
  readonly kind: AttestationKind;
  /** Id of the upgrade. */
  readonly upgrade: string;
  /** `sm3:<hex>` of the document. */
  readonly documentSm3: string;
  readonly passed: boolean;
  readonly at: Date;
}

/**
 * Signs an attestation on the person's own side, in the role that attests such facts.
 * @throws KmcError E_CERT when the certificate names no person; E_SCHEMA.
 */
export async function signAttestation(
  signer: DecisionSigner,
  { kind, upgrade, documentSm3, passed, at }: AttestationChoice,
): Promise<SignedAttestation> {
  const person = subjectPerson(parseCertificate(signer.certificate).subject);
  if (person === undefined) throw new KmcError('E_CERT', 'The certificate does not name a person of this system.');
  const body = readAttestationBody({
    schema: ATTESTATION_SCHEMA,
    kind,
    target: `root-upgrade/${upgrade}`,
    documentSm3,
    result: passed ? 'PASS' : 'FAIL',
    by: person.id,
    role: ATTESTATION_KINDS[kind].by,
    certSm3: sm3Fingerprint(signer.certificate),
    at: signedTime(at),
  });
  const der = await signer.engine.sign(signer.key, 'SM2-SM3', attestationBytes(body));
  const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der).toString('base64');
  return { body, signature, certificate: signer.certificate.toString('base64') };
}
