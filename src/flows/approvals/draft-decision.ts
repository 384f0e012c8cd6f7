import { randomBytes } from '../../crypto/random.ts';
import {
  DECISION_SCHEMA,
  readDecisionBody,
  type DecisionBody,
  type DecisionName,
} from '../../domain/approval/decision.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';

export interface DecisionChoice {
  readonly requestId: string;
  /** `sm3:<hex>` */
  readonly requestDigest: string;
  readonly decision: DecisionName;
  /** A name of the role table. */
  readonly role: string;
  readonly at: Date;
}

/**
 * The body of a person's decision, for whatever tool holds the key of the certificate (DER) to sign: each call makes
 * another one, by its nonce.
 * @throws KmcError E_CERT when the certificate names no person; E_SCHEMA for a role or digest that is none.
 */
export function draftDecision(certificate: Buffer, choice: DecisionChoice): DecisionBody {
  const person = subjectPerson(parseCertificate(certificate).subject);
  if (person === undefined) throw new KmcError('E_CERT', 'The certificate does not name a person of this system.');
  const { at, ...chosen } = choice;
  return readDecisionBody({
    ...chosen,
    schema: DECISION_SCHEMA,
    approver: person.id,
    certSm3: sm3Fingerprint(certificate),
    decidedAt: signedTime(at),
    nonce: randomBytes(16).toString('hex'),
  });
}
