import { CA_KMC_ERRORS, type CaKmcError } from '../../domain/ca-kmc-error.ts';
import { entityNameOf } from '../../x509/ca-kmc/entity-name.ts';
import { encodeProtocolMessage } from '../../x509/ca-kmc/protocol-message.ts';
import { encodeKeyServiceResponses, type KeyServiceResponse, type RefusedRequest } from '../../x509/ca-kmc/response.ts';
import type { Instance } from '../instance.ts';
import type { KmcIdentity } from './kmc-identity.ts';

/** The ErrorPkgRespond of an error. */
export function refused(error: CaKmcError): RefusedRequest {
  const { number, text } = CA_KMC_ERRORS[error];
  return { kind: 'error', number, description: text };
}

/** KMRespond, DER, signed by this service. */
export async function signedResponse(
  { engine }: Pick<Instance, 'engine'>,
  { key, certificate }: KmcIdentity,
  said: { readonly responses: readonly KeyServiceResponse[]; readonly task: bigint; readonly at: Date },
): Promise<Buffer> {
  const { responses, task, at } = said;
  const signed = encodeKeyServiceResponses({ kmName: entityNameOf(certificate), responses, respondTime: at, task });
  return encodeProtocolMessage(signed, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', signed));
}
