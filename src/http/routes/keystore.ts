/** The seal of the service keystore: its state, the shares that open it, and closing it. */
import { z } from 'zod';
import { beginUnseal } from '../../flows/keystore/begin-unseal.ts';
import { sealService } from '../../flows/keystore/seal-service.ts';
import type { SealStatus } from '../../flows/keystore/service-keystore.ts';
import { submitShare } from '../../flows/keystore/submit-share.ts';
import type { Instance } from '../../flows/instance.ts';
import { route, type Route } from '../route.ts';
import { BASE64, ID, TIME, timeText } from '../schemas.ts';
import { auditSourceOf } from '../served-instance.ts';

const STATUS = z.object({
  state: z.enum(['UNINIT', 'SEALED', 'UNSEALING', 'UNSEALED', 'ERROR']),
  session: z
    .object({
      id: ID,
      expiresAt: TIME,
      publicKey: BASE64.describe('subjectPublicKeyInfo, DER: shares are encrypted to it'),
      set: z.string(),
      threshold: z.int(),
      count: z.int(),
      received: z.array(ID).describe('the people whose shares are in'),
    })
    .optional(),
});

function rendered({ state, session }: SealStatus): z.infer<typeof STATUS> {
  if (session === undefined) return { state };
  return {
    state,
    session: {
      id: session.nonce,
      expiresAt: timeText(session.expiresAt),
      publicKey: session.spki.toString('base64'),
      set: session.setId,
      threshold: session.threshold,
      count: session.count,
      received: [...session.received],
    },
  };
}

function unsealRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'beginUnseal',
      method: 'post',
      path: '/api/v1/keystore/unseal-sessions',
      tag: 'keystore',
      summary: 'Begins to collect shares, or tells of the session that is running',
      access: { persons: ['custodian', 'security-administrator'] },
      whileSealed: true,
      idempotent: true,
      body: z.strictObject({}),
      answers: { 201: { description: 'the session', schema: STATUS } },
      async handle({ caller }) {
        return { status: 201, json: rendered(await beginUnseal(instance, caller)) };
      },
    }),
    route({
      operationId: 'submitShare',
      method: 'post',
      path: '/api/v1/keystore/unseal-sessions/:session/shares',
      tag: 'keystore',
      summary: 'Gives the share of the calling custodian, encrypted to the key of the session',
      access: { persons: ['custodian'] },
      whileSealed: true,
      idempotent: true,
      params: z.strictObject({ session: ID }),
      body: z.strictObject({ share: BASE64.describe('SM2Cipher, DER') }),
      answers: { 201: { description: 'the state afterwards', schema: STATUS } },
      async handle({ params, body, caller, requestId }) {
        const share = Buffer.from(body.share, 'base64');
        const input = { nonce: params.session, share, source: auditSourceOf(instance, requestId) };
        return { status: 201, json: rendered(await submitShare(instance, input, caller)) };
      },
    }),
  ];
}

/** Routes of the keystore. */
export function keystoreRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'getKeystore',
      method: 'get',
      path: '/api/v1/keystore',
      tag: 'keystore',
      summary: 'State of the keystore and of a running share session',
      access: { persons: 'any' },
      whileSealed: true,
      answers: { 200: { description: 'the state', schema: STATUS } },
      handle: () => Promise.resolve({ status: 200, json: rendered(instance.keystore.status(instance.clock.now())) }),
    }),
    ...unsealRoutes(instance),
    route({
      operationId: 'sealKeystore',
      method: 'post',
      path: '/api/v1/keystore/seal',
      tag: 'keystore',
      summary: 'Seals the keystore at once',
      access: { persons: ['security-administrator'] },
      whileSealed: true,
      idempotent: true,
      body: z.strictObject({}),
      answers: { 200: { description: 'the state afterwards', schema: STATUS } },
      async handle({ caller, requestId }) {
        const source = auditSourceOf(instance, requestId);
        return { status: 200, json: rendered(await sealService(instance, { trigger: 'command', source }, caller)) };
      },
    }),
  ];
}
