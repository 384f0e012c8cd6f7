/** Gateways that authenticate each other with the help of the service: verdicts on chains, challenges between peers. */
import { z } from 'zod';
import { peerMessage } from '../../domain/verdict.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import { challengePeer } from '../../flows/verdicts/challenge-peer.ts';
import { verifyChain } from '../../flows/verdicts/verify-chain.ts';
import { PATH_PURPOSES, type PathPurpose } from '../../x509/path.ts';
import { RateLimiter } from '../rate-limit.ts';
import { route, type Route } from '../route.ts';
import { BASE64, DIGEST, SIGNED_OBJECT, TIME, timeText } from '../schemas.ts';

const PURPOSES = Object.keys(PATH_PURPOSES) as [PathPurpose, ...PathPurpose[]];
const NONCE = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/, '16 to 128 characters of base64url');
const CHAIN = z.array(BASE64).min(1).max(10).describe('DER in base64, the certificate in question first');
const BODY = z.strictObject({
  chain: CHAIN,
  purpose: z.enum(PURPOSES).default('any'),
  at: TIME.optional(),
  nonce: NONCE.optional(),
  peer: z.strictObject({ nonce: NONCE, signature: BASE64 }).optional(),
});
const VERDICT = z.object({
  body: SIGNED_OBJECT,
  signatures: z.array(z.object({ kid: DIGEST, sig: z.string() })),
  certificate: z.string(),
});
/** A verdict costs some signature checks: of this process, for everybody together. */
const VERDICTS = { requests: 1_000, seconds: 10 };

function octets(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

/** Routes of verdicts and peer challenges. */
export function verdictRoutes(instance: Instance): Route[] {
  const limiter = new RateLimiter(VERDICTS);
  return [
    route({
      operationId: 'verifyChain',
      method: 'post',
      path: '/api/v1/verify',
      tag: 'authentication',
      summary: 'Whether a certificate is to be relied on for a purpose at a time, with every reason, signed',
      access: { public: true },
      body: BODY,
      answers: { 200: { description: 'the verdict, valid or not', schema: VERDICT } },
      async handle({ body }) {
        const limited = await limiter.refusal('verify');
        if (limited !== undefined) {
          throw new KmcError('E_RATE', 'too many verdicts are asked for: wait a little', {
            retryAfter: limited.retryAfter,
          });
        }
        const [first = '', ...rest] = body.chain;
        const { purpose, at, nonce, peer } = body;
        const json = await verifyChain(instance, {
          chain: [octets(first), ...rest.map(octets)],
          purpose,
          ...(at === undefined ? {} : { at: new Date(at) }),
          ...(nonce === undefined ? {} : { nonce }),
          ...(peer === undefined ? {} : { peer: { nonce: peer.nonce, signature: octets(peer.signature) } }),
        });
        return { status: 200, json };
      },
    }),
    route({
      operationId: 'challengePeer',
      method: 'post',
      path: '/api/v1/auth/peer-challenges',
      tag: 'authentication',
      summary: 'A challenge for another gateway, which signs `message` with the key of the certificate named',
      access: { devices: true },
      body: z.strictObject({ peerCertSm3: DIGEST }),
      answers: {
        201: {
          description: 'the challenge',
          schema: z.object({ nonce: NONCE, message: z.string(), expiresAt: TIME }),
        },
      },
      async handle({ body, caller }) {
        if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'this call is for devices');
        const { nonce, challengerSm3, peerSm3, expiresAt } = await challengePeer(instance, caller, body.peerCertSm3);
        const message = peerMessage(nonce, challengerSm3, peerSm3).toString('base64');
        return { status: 201, json: { nonce, message, expiresAt: timeText(expiresAt) } };
      },
    }),
  ];
}
