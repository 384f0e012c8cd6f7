import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { decisionBytes, type SignedDecision } from '../../domain/approval/decision.ts';
import { draftDecision, type DecisionChoice } from './draft-decision.ts';

/** Who decides: a personal key and its certificate (DER). */
export interface DecisionSigner {
  readonly engine: CryptoEngine;
  readonly key: KeyHandle;
  readonly certificate: Buffer;
}

/**
 * Makes a person's decision on a request, on the person's own side: nothing of the service is needed.
 * @throws KmcError as `draftDecision`.
 */
export async function signDecision(signer: DecisionSigner, choice: DecisionChoice): Promise<SignedDecision> {
  const body = draftDecision(signer.certificate, choice);
  const signature = await signer.engine.sign(signer.key, 'SM2-SM3', decisionBytes(body));
  return {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: signer.certificate.toString('base64'),
  };
}
