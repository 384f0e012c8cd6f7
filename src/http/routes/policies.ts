/** The policy set that this process runs with, and the one in force. */
import { z } from 'zod';
import { policyBody } from '../../domain/policy.ts';
import type { Instance } from '../../flows/instance.ts';
import { checkPolicy } from '../../flows/policy/check-policy.ts';
import { route, type Route } from '../route.ts';
import { DIGEST } from '../schemas.ts';

const NAMES = z.object({ en: z.string(), zh: z.string() });
const POLICIES = z.object({
  version: z.string(),
  digest: z.string().describe('sm3:<hex> of the files of this process'),
  inForce: z.string().optional().describe('sm3:<hex> that was approved; another one than digest stops changes'),
  regions: z.array(z.object({ code: z.string(), kind: z.string(), name: NAMES })),
  profiles: z.array(z.string()),
  deviceProfiles: z.array(z.string()),
});

const IN_FORCE = z.object({ version: z.string(), digest: DIGEST, policy: z.object({}) });

/** Routes of policies. */
export function policyRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'getPolicies',
      method: 'get',
      path: '/api/v1/policies',
      tag: 'policies',
      summary: 'Digest, regions and profile names of the policy set',
      access: { persons: 'any' },
      answers: { 200: { description: 'the policy set in short', schema: POLICIES } },
      async handle() {
        const inForce = await instance.database.read((reader) => reader.instance.get('policy-digest'));
        const { version, regions, profiles, deviceProfiles } = instance.policies;
        return {
          status: 200,
          json: {
            version,
            digest: instance.policyDigest,
            ...(inForce === undefined ? {} : { inForce }),
            regions: regions.map(({ code, kind, name }) => ({ code, kind, name })),
            profiles: Object.keys(profiles).sort(),
            deviceProfiles: Object.keys(deviceProfiles).sort(),
          },
        };
      },
    }),
    route({
      operationId: 'getPolicyInForce',
      method: 'get',
      path: '/api/v1/policies/in-force',
      tag: 'policies',
      summary: 'The whole policy set in force, in the form whose SM3 is its digest',
      access: { persons: 'any' },
      answers: { 200: { description: 'the policy set', schema: IN_FORCE } },
      async handle() {
        await checkPolicy(instance);
        const { policies, policyDigest } = instance;
        const json = { version: policies.version, digest: policyDigest, policy: policyBody(policies) };
        return { status: 200, json };
      },
    }),
  ];
}
