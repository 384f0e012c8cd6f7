/** Nonces for signed requests that change something (C.3). */
import { z } from 'zod';
import { offerNonce } from '../../flows/access/offer-nonce.ts';
import type { Instance } from '../../flows/instance.ts';
import { route, type Route } from '../route.ts';
import { timeText } from '../schemas.ts';

const KEYID = z
  .string()
  .regex(/^(?:sm3|sha256):[A-Za-z0-9_-]{43}$/, 'a keyid as in a signature: sm3: or sha256: and base64url');

/** Routes of challenges. */
export function challengeRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'offerNonce',
      method: 'post',
      path: '/api/v1/auth/challenges',
      tag: 'access',
      summary: 'A nonce of the service: the holder of that key signs one request with it, within five minutes',
      access: { public: true },
      whileSealed: true,
      body: z.strictObject({ keyid: KEYID }),
      answers: {
        201: {
          description: 'the same for a key that is not known',
          schema: z.object({ nonce: z.string(), expiresAt: z.string() }),
        },
      },
      async handle({ body }) {
        const { nonce, expiresAt } = await offerNonce(instance, body.keyid);
        return { status: 201, json: { nonce, expiresAt: timeText(expiresAt) } };
      },
    }),
  ];
}
