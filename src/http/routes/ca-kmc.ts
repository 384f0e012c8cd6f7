/** GM/T 0014 over HTTP, and the certificate under which this service speaks it. */
import { kmcIdentity } from '../../flows/ca-kmc/kmc-identity.ts';
import { CA_KMC_OPERATION, serveCaRequest } from '../serve-ca-request.ts';
import { route, type Route } from '../route.ts';
import type { ServedInstance } from '../served-instance.ts';

const MESSAGE = 'application/octet-stream';
/** Octets of a CARequest at the most. */
export const LONGEST_CA_REQUEST = 256 * 1024;

/** Routes of the CA-KMC protocol. */
export function caKmcRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: CA_KMC_OPERATION,
      method: 'post',
      path: '/api/v1/kmc',
      tag: 'ca-kmc',
      summary: 'GM/T 0014: CARequest in, KMRespond out, DER; refusals are ErrorPkgRespond and answered with 200 too',
      access: { public: true },
      media: { type: MESSAGE, maxBytes: LONGEST_CA_REQUEST },
      answers: { 200: { description: 'KMRespond, signed by this service', type: MESSAGE } },
      async handle({ raw, requestId, source }) {
        const body = await serveCaRequest(instance, raw, { requestId, source });
        return { status: 200, bytes: { type: MESSAGE, body } };
      },
    }),
    route({
      operationId: 'getCaKmcCertificate',
      method: 'get',
      path: '/api/v1/kmc/certificate',
      tag: 'ca-kmc',
      summary: 'The communication certificate of this service, under which responses and key packages verify; DER',
      access: { public: true },
      answers: { 200: { description: 'the certificate', type: 'application/pkix-cert' } },
      async handle() {
        const { certificate } = await kmcIdentity(instance);
        return { status: 200, bytes: { type: 'application/pkix-cert', body: certificate.der } };
      },
    }),
  ];
}
