/** Root upgrades: plans, where they stand and what blocks them, their transitions, waves and suspension. */
import { ROLE_NAMES, ROLES } from '../../domain/roles.ts';
import { z } from 'zod';
import { isTransitionName } from '../../domain/root-upgrade/transitions.ts';
import { KmcError } from '../../errors.ts';
import { advanceUpgrade } from '../../flows/root-upgrade/advance-upgrade.ts';
import { createUpgrade, PLANNERS } from '../../flows/root-upgrade/create-upgrade.ts';
import { openWave, WAVE_ROLES } from '../../flows/root-upgrade/open-wave.ts';
import { showUpgrade } from '../../flows/root-upgrade/show-upgrade.ts';
import { upgradePorts } from '../../flows/root-upgrade/upgrade-ports.ts';
import { suspendUpgrade } from '../../flows/root-upgrade/suspend-upgrade.ts';
import { OPERATING_ROLES } from '../../domain/roles.ts';
import { DETAIL, SUMMARY, TRANSITION, upgradeDetail, upgradeSummary } from '../root-upgrade-view.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, LABEL_TEXT, SIGNED_OBJECT } from '../schemas.ts';
import type { ServedInstance } from '../served-instance.ts';

/** What blocks an upgrade names devices of every region: it is not for the operators of one. */
const OF_THE_CENTRE = ROLE_NAMES.filter((name) => !ROLES[name].regional);
const PATH = '/api/v1/root-upgrades';
const TAG = 'root upgrade';
const PARAMS = z.strictObject({ id: ID });
const ADVANCED = z.object({
  outcome: z.enum(['asked', 'waits', 'made']),
  transition: TRANSITION,
  state: z.string(),
  request: ID.optional(),
});

function readRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'listRootUpgrades',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Every root upgrade',
      access: { persons: 'any' },
      console: true,
      answers: { 200: { description: 'all of them', schema: z.object({ items: z.array(SUMMARY) }) } },
      async handle() {
        const rows = await instance.database.read((reader) => reader.rootUpgrades.list({}));
        return { status: 200, json: { items: rows.map(upgradeSummary) } };
      },
    }),
    route({
      operationId: 'getRootUpgrade',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'Where an upgrade stands, and what blocks each transition out of its state, devices by name',
      access: { persons: OF_THE_CENTRE },
      params: PARAMS,
      answers: { 200: { description: 'the upgrade', schema: DETAIL } },
      async handle({ params }) {
        return { status: 200, json: upgradeDetail(await showUpgrade(upgradePorts(instance), params.id)) };
      },
    }),
  ];
}

function planRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'planRootUpgrade',
    method: 'post',
    path: PATH,
    tag: TAG,
    summary: 'Hands in a plan as a draft, or another one in its place; T1 freezes it',
    access: { persons: PLANNERS },
    idempotent: true,
    body: z.strictObject({ plan: SIGNED_OBJECT.describe('kmc.root-upgrade-plan/1') }),
    answers: { 201: { description: 'the draft', schema: SUMMARY.extend({ planDigest: DIGEST }) } },
    async handle({ body, caller, requestId }) {
      const row = await createUpgrade(upgradePorts(instance), caller, { plan: body.plan, requestId });
      return { status: 201, headers: { location: `${PATH}/${row.id}` }, json: upgradeSummary(row) };
    },
  });
}

function transitionRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'advanceRootUpgrade',
    method: 'post',
    path: `${PATH}/:id/transitions`,
    tag: TAG,
    summary: 'Takes one transition as far as it goes: asks for it, waits, or makes it once it is decided',
    access: { persons: 'any' },
    idempotent: true,
    params: PARAMS,
    body: z.strictObject({
      transition: TRANSITION,
      why: LABEL_TEXT.describe('for those who approve it'),
      reason: z.string().min(1).max(500).optional().describe('where the transition states one: R1, R2, R3'),
      ring: z.array(ID).min(1).max(2000).optional().describe('ids of the devices of the canary ring: T4'),
    }),
    answers: {
      200: { description: 'the upgrade stands in the new state, or its request waits for approvals', schema: ADVANCED },
      201: { description: 'a request was opened', schema: ADVANCED },
    },
    async handle({ params, body, caller, requestId }) {
      const { transition, why, reason, ring } = body;
      if (!isTransitionName(transition)) throw new KmcError('E_SCHEMA', 'There is no such transition.');
      const ports = { ...upgradePorts(instance), handlers: instance.handlers, links: instance.links };
      const input = { upgrade: params.id, transition, why, reason, ring, requestId };
      const { request, ...advanced } = await advanceUpgrade({ ...instance, ...ports }, caller, input);
      if (request === undefined) return { status: 200, json: advanced };
      const json = { ...advanced, request };
      if (advanced.outcome !== 'asked') return { status: 200, json };
      return { status: 201, headers: { location: `/api/v1/requests/${request}` }, json };
    },
  });
}

function operationRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'openRootUpgradeWave',
      method: 'post',
      path: `${PATH}/:id/waves`,
      tag: TAG,
      summary: 'Opens the next wave of a rollout',
      access: { persons: WAVE_ROLES },
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({}),
      answers: {
        201: { description: 'open', schema: z.object({ upgrade: ID, wave: z.string(), devices: z.string() }) },
      },
      async handle({ params, caller, requestId }) {
        const { wave, devices } = await openWave(upgradePorts(instance), caller, { upgrade: params.id, requestId });
        return { status: 201, json: { upgrade: params.id, wave: String(wave), devices: String(devices) } };
      },
    }),
    route({
      operationId: 'suspendRootUpgrade',
      method: 'post',
      path: `${PATH}/:id/suspension`,
      tag: TAG,
      summary: 'Suspends an upgrade; the act root.resume, approved by two, lets it go on',
      access: { persons: OPERATING_ROLES },
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({ reason: LABEL_TEXT }),
      answers: { 201: { description: 'suspended', schema: z.object({ upgrade: ID, suspended: z.literal(true) }) } },
      async handle({ params, body, caller, requestId }) {
        await suspendUpgrade(upgradePorts(instance), caller, { upgrade: params.id, reason: body.reason, requestId });
        return { status: 201, json: { upgrade: params.id, suspended: true } };
      },
    }),
  ];
}

/** Routes of root upgrades, but for what is handed in for them and what the fleet reports. */
export function rootUpgradeRoutes(instance: ServedInstance): Route[] {
  return [...readRoutes(instance), planRoute(instance), transitionRoute(instance), ...operationRoutes(instance)];
}
