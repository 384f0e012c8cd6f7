/** What devices report of themselves, and the canary by which they prove that they would accept a generation of roots. */
import { z } from 'zod';
import { FLEET_LEVELS } from '../../domain/fleet/levels.ts';
import { REPORT_PATH } from '../../domain/fleet/device-report.ts';
import { KmcError } from '../../errors.ts';
import { acceptReport } from '../../flows/fleet/accept-report.ts';
import { challengeCanary } from '../../flows/fleet/challenge-canary.ts';
import type { Instance } from '../../flows/instance.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, SIGNED_OBJECT, TIME, timeText } from '../schemas.ts';

const CERTIFICATES = z.array(z.string()).describe('base64 of DER: the leaf, then the CA that issued it');

function base64(certificates: readonly Buffer[]): string[] {
  return certificates.map((der) => der.toString('base64'));
}

/** Routes of device reports. */
export function fleetRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'reportDevice',
      method: 'post',
      path: REPORT_PATH,
      tag: 'fleet',
      summary:
        'Evidence of the device that signs: FETCHED, INSTALLED, VERIFIED or MIGRATED (schema kmc.device-report/1)',
      access: { devices: true, nonce: 'service' },
      // Idempotent by itself: the same report within ten minutes is one.
      body: SIGNED_OBJECT,
      answers: {
        201: {
          description: 'kept, with the signed request that carried it',
          schema: z.object({ id: ID, level: z.enum(FLEET_LEVELS), reportedAt: TIME }),
        },
      },
      async handle({ caller, proof, requestId }) {
        if (proof === undefined) throw new KmcError('E_UNAUTHENTICATED', 'a report is a signed request');
        const { id, level, reportedAt } = await acceptReport(instance, caller, { proof, requestId });
        return { status: 201, json: { id, level, reportedAt: timeText(reportedAt) } };
      },
    }),
    route({
      operationId: 'getCanary',
      method: 'get',
      path: '/api/v1/devices/self/canary',
      tag: 'fleet',
      summary: 'The canary of a root for the device that signs: a chain to accept, and a decoy to reject',
      access: { devices: true },
      query: z.strictObject({ root: DIGEST.describe('of the key of the root') }),
      answers: {
        200: {
          description: 'until it is answered, the same',
          schema: z.object({
            nonce: z.string(),
            root: DIGEST,
            chain: CERTIFICATES,
            decoy: CERTIFICATES,
            expiresAt: TIME,
          }),
        },
      },
      async handle({ query, caller, requestId }) {
        const challenge = await challengeCanary(instance, caller, { rootSm3: query.root, requestId });
        const { nonce, rootSm3: root, chain, decoy, expiresAt } = challenge;
        const json = { nonce, root, chain: base64(chain), decoy: base64(decoy), expiresAt: timeText(expiresAt) };
        return { status: 200, json };
      },
    }),
  ];
}
