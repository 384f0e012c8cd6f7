import { answerCaRequest } from '../flows/ca-kmc/answer-ca-request.ts';
import { recordRefusal } from '../flows/audit/refusals/record-refusal.ts';
import { auditSourceOf, type ServedInstance } from './served-instance.ts';

export const CA_KMC_OPERATION = 'postCaKmc';

/**
 * Answers one message of GM/T 0014 (DER), whatever it came by; one that nobody proved to have sent is counted for its
 * sender's address.
 * @throws KmcError E_SEALED, E_STATE (no issuing CA yet), E_STORAGE, E_AUDIT.
 */
export async function serveCaRequest(
  instance: ServedInstance,
  message: Buffer,
  from: { readonly requestId: string; readonly source: string },
): Promise<Buffer> {
  const { requestId, source } = from;
  const { response, unproven } = await answerCaRequest(instance, message, auditSourceOf(instance, requestId));
  if (unproven !== undefined) {
    instance.metrics.refused(unproven);
    const caller = { type: 'anonymous', source } as const;
    await recordRefusal(instance, { caller, code: unproven, operationId: CA_KMC_OPERATION, requestId });
  }
  return response;
}
