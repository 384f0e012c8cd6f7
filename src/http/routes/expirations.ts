/** What ends soon: for people all of it, for a device its own certificates. */
import { z } from 'zod';
import { EXPIRING_KINDS, type Expiring } from '../../domain/expiry.ts';
import { KmcError } from '../../errors.ts';
import { findExpiring } from '../../flows/expiry/find-expiring.ts';
import { findExpiringInSight } from '../../flows/expiry/find-expiring-in-sight.ts';
import type { Instance } from '../../flows/instance.ts';
import { route, type Route } from '../route.ts';
import { TIME, timeText } from '../schemas.ts';

const ITEM = z.object({ kind: z.enum(EXPIRING_KINDS), id: z.string(), name: z.string(), endsAt: TIME });
const ITEMS = z.object({ items: z.array(ITEM) });

function rendered({ kind, id, name, endsAt }: Expiring): z.infer<typeof ITEM> {
  return { kind, id, name, endsAt: timeText(endsAt) };
}

/** Routes of reminders. */
export function expirationRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listExpirations',
      method: 'get',
      path: '/api/v1/expirations',
      tag: 'health',
      summary:
        'What ends within the lead times of policy, or ended and was not replaced; an ra-operator sees the own region',
      access: { persons: 'any' },
      answers: { 200: { description: 'by kind, the first to end first', schema: ITEMS } },
      async handle({ caller }) {
        return { status: 200, json: { items: (await findExpiringInSight(instance, caller)).map(rendered) } };
      },
    }),
    route({
      operationId: 'listOwnExpirations',
      method: 'get',
      path: '/api/v1/devices/self/expirations',
      tag: 'devices',
      summary: 'The certificates of the calling device that end soon and have no successor',
      access: { devices: true },
      answers: { 200: { description: 'the first to end first', schema: ITEMS } },
      async handle({ caller }) {
        if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'this call is for devices');
        const items = await findExpiring(instance, ['device-certificate'], { deviceId: caller.id });
        return { status: 200, json: { items: items.map(rendered) } };
      },
    }),
  ];
}
