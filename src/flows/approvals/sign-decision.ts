import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { randomBytes } from '../../crypto/random.ts';
import {
  DECISION_SCHEMA,
  decisionBytes,
  readDecisionBody,
  type DecisionName,
  type SignedDecision,
} from '../../domain/approval/decision.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';

/** Who decides: a personal key and its certificate (DER). */
export interface DecisionSigner {
  readonly engine: CryptoEngine;
  readonly key: KeyHandle;
  readonly certificate: Buffer;
}

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
 * Makes a person's decision on a request, on the person's own side: nothing of the service is needed.
 * @throws KmcError E_CERT when the certificate names no person; E_SCHEMA for a role or digest that is none.
 */
export async function signDecision(signer: DecisionSigner, choice: DecisionChoice): Promise<SignedDecision> {
  const person = subjectPerson(parseCertificate(signer.certificate).subject);
  if (person === undefined) throw new KmcError('E_CERT', 'The certificate does not name a person of this system.');
  const { at, ...chosen } = choice;
  const body = readDecisionBody({
    ...chosen,
    schema: DECISION_SCHEMA,
    approver: person.id,
    certSm3: sm3Fingerprint(signer.certificate),
    decidedAt: signedTime(at),
    nonce: randomBytes(16).toString('hex'),
  });
  const signature = await signer.engine.sign(signer.key, 'SM2-SM3', decisionBytes(body));
  return {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: signer.certificate.toString('base64'),
  };
}
