/**
 * An operator sees and acts in the own region only: over every route that an ra-operator may call. The list comes from the
 * route table; a route that is not classified here fails.
 */
import { expect } from 'chai';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { createRequest } from '../../src/flows/approvals/create-request.ts';
import { advanceFigures } from '../../src/flows/supervision/advance-figures.ts';
import { allRoutes } from '../../src/http/routes/index.ts';
import { signedApproval } from '../fixtures/approvals.ts';
import { readyDevice, registrationOf } from '../fixtures/enrolling.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { recordEvent } from '../store/rows.ts';
import { handSigner, LiveService, type Answer } from './live-service.ts';
import { hollowInstance } from './plain-service.ts';

/** What stands in Beijing; the operator who asks is of Tianjin. */
interface Scene {
  readonly device: string;
  readonly token: string;
  readonly request: string;
  readonly decision: object;
}

interface Call {
  readonly target: string;
  readonly body?: unknown;
}

/**
 * `foreign`: names an object of another region, so 404 and an event. `list`: shows nothing of it. `act`: would do something
 * in another region, so 403 and an event. `look`: the member of the answer that holds what is of regions. `everybody`: holds nothing of a region, and why.
 */
type Class =
  | { readonly foreign: (scene: Scene) => readonly Call[] }
  | { readonly list: (scene: Scene) => readonly Call[]; readonly look?: string }
  | { readonly act: (scene: Scene) => readonly Call[] }
  | { readonly everybody: string };

const REQUESTS = '/api/v1/requests';
const DEVICES = '/api/v1/devices';
const AUTHORITIES = '/api/v1/supervision/registration-authorities';
const decommission = (targetId: string, region: string) => ({
  op: 'device.decommission',
  targetId,
  params: { region, reason: 'superseded' },
  reason: 'a test',
});
const authorityAct = (region: string) => ({
  op: 'registration-authority.suspend',
  targetId: 'ra-110000',
  params: { region },
  reason: 'a test',
});

const CLASSES: Readonly<Record<string, readonly Class[]>> = {
  listRequests: [{ list: () => [{ target: REQUESTS }, { target: `${REQUESTS}?op=device.decommission` }] }],
  getRequest: [{ foreign: ({ request }) => [{ target: `${REQUESTS}/${request}` }] }],
  getApprovalFile: [{ foreign: ({ request }) => [{ target: `${REQUESTS}/${request}/file` }] }],
  decideRequest: [
    { foreign: ({ request, decision }) => [{ target: `${REQUESTS}/${request}/approvals`, body: decision }] },
  ],
  withdrawRequest: [{ foreign: ({ request }) => [{ target: `${REQUESTS}/${request}/withdrawal`, body: {} }] }],
  executeRequest: [{ foreign: ({ request }) => [{ target: `${REQUESTS}/${request}/executions`, body: {} }] }],
  createRequest: [
    {
      foreign: ({ device }) => [
        { target: REQUESTS, body: decommission(device, '120000') },
        { target: REQUESTS, body: authorityAct('120000') },
        {
          target: REQUESTS,
          body: {
            op: 'device.register-marked',
            targetId: device,
            params: { region: '120000', profile: 'gateway' },
            reason: 'a test',
          },
        },
      ],
    },
    {
      act: ({ device }) => [
        { target: REQUESTS, body: decommission(device, '110000') },
        { target: REQUESTS, body: authorityAct('110000') },
      ],
    },
  ],
  listExpirations: [{ list: () => [{ target: '/api/v1/expirations' }] }],
  listDevices: [
    { list: () => [{ target: DEVICES }, { target: `${DEVICES}?status=in-service&kind=gateway` }] },
    { foreign: () => [{ target: `${DEVICES}?region=110000` }] },
  ],
  getDevice: [{ foreign: ({ device }) => [{ target: `${DEVICES}/${device}` }] }],
  registerDevice: [{ act: () => [{ target: DEVICES, body: { ...registrationOf('gw-x'), region: '110000' } }] }],
  issueToken: [{ foreign: ({ device }) => [{ target: `${DEVICES}/${device}/tokens`, body: {} }] }],
  revokeToken: [
    { foreign: ({ device, token }) => [{ target: `${DEVICES}/${device}/tokens/${token}/revocation`, body: {} }] },
  ],
  listEnrolments: [{ foreign: ({ device }) => [{ target: `/api/v1/enrolments?device=${device}` }] }],
  listRegistrationAuthorities: [
    { list: () => [{ target: AUTHORITIES }, { target: `${AUTHORITIES}?state=in-service` }] },
    { foreign: () => [{ target: `${AUTHORITIES}?region=110000` }] },
  ],
  getFigures: [
    // Beside the figures stand the names of all regions, which are policy.
    { list: () => [{ target: '/api/v1/supervision/figures' }], look: 'figures' },
    { foreign: () => [{ target: '/api/v1/supervision/figures?region=110000' }] },
  ],
  requestWaiver: [
    {
      foreign: ({ device }) => [
        {
          target: '/api/v1/root-upgrades/up-1/waivers',
          body: { device, until: '2027-01-01T00:00:00Z', reason: 'a test' },
        },
      ],
    },
  ],
  getRegistrationAuthority: [{ foreign: () => [{ target: `${AUTHORITIES}/ra-110000` }] }],
  approveConsoleSession: [{ everybody: 'a session reads with the rights of its own person' }],
  getConsoleCaller: [{ everybody: 'who reads is the caller itself' }],
  getKeystore: [{ everybody: 'the state of the keystore of the centre' }],
  getPolicies: [{ everybody: 'policy is one for all regions' }],
  getPolicyInForce: [{ everybody: 'policy is one for all regions' }],
  getBreakGlass: [{ everybody: 'that the glass is broken is seen by everybody (D.5)' }],
  getBreakGlassReport: [{ everybody: 'the report of a session is seen by everybody (D.5)' }],
};

const OPERATOR_ROUTES = allRoutes(hollowInstance()).filter(
  ({ access }) => 'persons' in access && (access.persons === 'any' || access.persons.includes('ra-operator')),
);

describe('regions', () => {
  it('every route that an ra-operator may call is classified, and no other', () => {
    expect(Object.keys(CLASSES)).to.have.members(OPERATOR_ROUTES.map(({ operationId }) => operationId));
  });
});

function shownIn({ text, json }: Answer, member: string | undefined): string {
  return member === undefined ? text : JSON.stringify(json[member]);
}

forEachDatabase('an operator of another region', (fixture) => {
  const test = testInstance(fixture);

  async function scene(): Promise<Scene> {
    const { instance, people } = test();
    const ready = await readyDevice(test(), 'gw-beijing');
    await enrolDevice(instance, ready.input);
    // All that ends soon is to be seen too: the certificates of the device are near their end.
    const soon = new Date(Date.now() + 864_000_000).toISOString();
    const sql = "update certificates set not_after = ?, last_audit_event = ? where device_id = 'gw-beijing'";
    await fixture.sql(sql, [soon, await recordEvent(fixture)]);
    const asked = {
      op: 'device.decommission' as const,
      targetId: 'gw-beijing',
      params: { region: '110000', reason: 'superseded' },
    };
    const input = { ...asked, reason: 'a test', source: { node: 'node-1' } };
    const ports = { ...instance, handlers: actionHandlers(instance) };
    const created = await createRequest(ports, input, people.raOne.caller);
    const decision = await signedApproval(test(), created, people.raElsewhere);
    return { device: 'gw-beijing', token: ready.issued.token.id, request: created.request.id, decision };
  }

  it('gets 404 and leaves an event on every route, and sees nothing in any list', async () => {
    const { instance, people } = test();
    const there = await scene();
    const service = await LiveService.start(test(), { handlers: actionHandlers(instance) });
    await service.advanceLog();
    await advanceFigures(instance, 10);
    const denials = async () =>
      (await test().history('person', people.raElsewhere.id)).filter(({ act }) => act === 'access.denied').length;
    const call = (name: 'raElsewhere' | 'raOne', method: string, { target, body }: Call): Promise<Answer> =>
      service.call(handSigner(instance.engine, people[name]), method, target, body);
    try {
      let expected = await denials();
      for (const { operationId, method } of OPERATOR_ROUTES) {
        for (const one of CLASSES[operationId] ?? []) {
          if ('everybody' in one) continue;
          const [status, calls] =
            'foreign' in one
              ? [404, one.foreign(there)]
              : 'act' in one
                ? [403, one.act(there)]
                : [200, one.list(there)];
          for (const asked of calls) {
            const answer = await call('raElsewhere', method.toUpperCase(), asked);
            expect(answer.status, `${operationId} ${answer.text}`).to.equal(status);
            if (status !== 200) expected += 1;
            expect(await denials(), operationId).to.equal(expected);
            const told = shownIn(answer, 'list' in one ? one.look : undefined);
            expect(told, operationId).not.to.match(/gw-beijing|110000|Beijing/);
          }
          // The same list shows it to the operator of its region, or the look at it would prove nothing.
          if ('list' in one) {
            const [first] = one.list(there);
            const own = first === undefined ? undefined : await call('raOne', 'GET', first);
            if (own !== undefined) expect(shownIn(own, one.look), operationId).to.match(/gw-beijing|110000/);
          }
        }
      }
      expect(service.faults).to.deep.equal([]);
    } finally {
      await service.close();
    }
  });

  it('gets the same text for what is absent as for what is of others, and only the latter is an event', async () => {
    const { instance, people } = test();
    const there = await scene();
    const service = await LiveService.start(test());
    const signer = handSigner(instance.engine, people.raElsewhere);
    try {
      for (const [foreign, absent] of [
        [`${DEVICES}/${there.device}`, `${DEVICES}/gw-none`],
        [`${REQUESTS}/${there.request}`, `${REQUESTS}/rq-none`],
        [`${AUTHORITIES}/ra-110000`, `${AUTHORITIES}/ra-none`],
      ] as const) {
        const [one, other] = [await service.call(signer, 'GET', foreign), await service.call(signer, 'GET', absent)];
        const told = ({ json }: Answer) => ({ ...json, requestId: undefined });
        expect(told(one)).to.deep.equal(told(other));
      }
      const history = await test().history('person', people.raElsewhere.id);
      expect(history.filter(({ act }) => act === 'access.denied')).to.have.length(3);
    } finally {
      await service.close();
    }
  });
});
