/** Separation of roles: every cell of role × route, from the list of routes (security-and-faults E11). */
import { expect } from 'chai';
import type { Caller } from '../../src/domain/caller.ts';
import { ROLE_NAMES, type RoleName } from '../../src/domain/roles.ts';
import type { Route } from '../../src/http/route.ts';
import { allRoutes } from '../../src/http/routes/index.ts';
import { send, type Answer } from './live-service.ts';
import { hollowInstance, seeminglySigned, startPlainService, type PlainService } from './plain-service.ts';

const ROUTES = allRoutes(hollowInstance());
/** Their handlers look at who enrols; refusals are texts (test/http/routes/est.test.ts). */
const ENROLLING = ROUTES.filter(({ access }) => 'enrolling' in access);
const PROTECTED = ROUTES.filter(({ access }) => !('public' in access) && !('enrolling' in access));

/** A target that fits the path of a route. */
function targetOf({ path }: Route): string {
  return path.replaceAll(/[:*][A-Za-z]+/g, 'a-1');
}

function personWith(role: RoleName): Caller {
  return { type: 'person', id: 'p-1', unit: 'unit-1', roles: [{ role, region: '110000' }], certificateSm3: 'sm3:00' };
}

/** Sealed accounts in their session may call these and no others. */
const BREAK_GLASS = ['revokeCertificate', 'suspendPerson', 'pauseIssuance', 'endBreakGlass'];
const SEALED: Caller = { type: 'sealed-account', id: 'sealed-1', session: 'bg-1', certificateSm3: 'sm3:00' };
const APPLICATION: Caller = { type: 'application', id: 'app-1', certificateSm3: 'sm3:00' };
const DEVICE: Caller = { type: 'device', id: 'gw-1', region: '110000', certificateSm3: 'sm3:00' };

function isFor({ access, operationId }: Pick<Route, 'access' | 'operationId'>, caller: Caller): boolean {
  if ('public' in access) return true;
  if (caller.type === 'sealed-account') return BREAK_GLASS.includes(operationId);
  if ('devices' in access || 'enrolling' in access) return caller.type === 'device';
  if ('applications' in access) return caller.type === 'application';
  if ('sealedAccounts' in access || caller.type !== 'person') return false;
  return access.persons === 'any' || caller.roles.some(({ role }) => access.persons.includes(role));
}

describe('the access of routes', () => {
  let service: PlainService;
  before(async () => {
    service = await startPlainService(ROUTES);
  });
  after(() => service.close());

  function call(route: Route, signed: boolean): Promise<Answer> {
    const body = route.method === 'post' ? Buffer.from('{}') : undefined;
    const headers = {
      ...(body === undefined ? {} : { 'content-type': route.media?.type ?? 'application/json' }),
      ...(signed ? seeminglySigned(body !== undefined) : {}),
    };
    return send(service.url, route.method.toUpperCase(), targetOf(route), body, headers);
  }

  for (const route of PROTECTED) {
    it(`${route.operationId} is refused unsigned, and to everybody it is not for`, async () => {
      const unsigned = await call(route, false);
      expect([unsigned.status, unsigned.json['code']]).to.deep.equal([401, 'E_UNAUTHENTICATED']);
      for (const caller of [...ROLE_NAMES.map(personWith), DEVICE, APPLICATION, SEALED]) {
        service.caller = caller;
        const { status, json } = await call(route, true);
        const who = caller.type === 'person' ? caller.roles[0]?.role : caller.type;
        if (isFor(route, caller)) expect(status, who).to.not.be.oneOf([401, 403]);
        else expect([status, json['code']], who).to.deep.equal([403, 'E_FORBIDDEN']);
      }
    });
  }

  it('lets nobody enrol who shows nothing, and no person', async () => {
    expect(ENROLLING.length).to.be.greaterThan(0);
    for (const route of ENROLLING) {
      const headers = { 'content-type': route.media?.type ?? '' };
      const body = Buffer.from('MAA=');
      const send1 = (more: Record<string, string>) =>
        send(service.url, 'POST', targetOf(route), body, { ...headers, ...more });
      expect((await send1({})).status, route.operationId).to.equal(401);
      service.caller = personWith('ra-operator');
      expect((await send1(seeminglySigned(true))).status, route.operationId).to.equal(403);
    }
  });

  it('lets break-glass stop things, and never issue, export, decide or change policy', () => {
    const open = ROUTES.filter((route) => !('public' in route.access) && isFor(route, SEALED));
    expect(open.map(({ operationId }) => operationId).sort()).to.deep.equal([...BREAK_GLASS].sort());
  });

  it('keeps auditors from everything that changes state, but for their review of break-glass and their witness', () => {
    const open = PROTECTED.filter(
      ({ method, access }) => method === 'post' && 'persons' in access && access.persons !== 'any',
    );
    for (const route of open) {
      const { operationId } = route;
      const isTheirs = ['reviewBreakGlass', 'cosignAuditCheckpoint'].includes(operationId);
      expect(isFor(route, personWith('auditor')), operationId).to.equal(isTheirs);
      const isWitness = operationId === 'cosignAuditCheckpoint';
      expect(isFor(route, personWith('audit-administrator')), operationId).to.equal(isWitness);
    }
  });

  it('gives the audit events to auditors and audit-administrators alone', () => {
    for (const name of ['pullAuditEvents', 'getAuditTile', 'proveAuditHistory']) {
      const access = ROUTES.find(({ operationId }) => operationId === name)?.access;
      expect(access).to.deep.equal({ persons: ['auditor', 'audit-administrator'] });
    }
  });

  it('answers 503 E_SEALED on every route of the API while sealed, except for those that open the keystore', async () => {
    service.sealed = true;
    const answering: string[] = [];
    for (const route of ROUTES.filter(({ path }) => path.startsWith('/api/v1/'))) {
      const { status, json } = await call(route, false);
      if (json['code'] !== 'E_SEALED') answering.push(route.operationId);
      else expect(status).to.equal(503);
    }
    service.sealed = false;
    // Trust bundles are signed elsewhere: a sealed service serves them all the same.
    const openWhileSealed = ['getKeystore', 'beginUnseal', 'submitShare', 'sealKeystore', 'offerNonce'];
    expect(answering).to.have.members([...openWhileSealed, 'getLatestTrustBundle', 'getTrustBundle']);
  });

  it('honours Idempotency-Key on every POST of the API that changes state', () => {
    const without = ROUTES.filter(
      ({ method, path, idempotent }) => method === 'post' && path.startsWith('/api/v1/') && idempotent !== true,
    );
    // Rules of their own: the same token or certificate and key, and the same signed message, get the same answer for 72
    // hours; a nonce and a challenge are new each time, and a verdict changes nothing.
    const ownRules = ['enrolDevice', 'renewDevice', 'reportDevice', 'postCaKmc', 'recoverUserKey', 'offerNonce'];
    ownRules.push('challengePeer', 'verifyChain', 'approveConsoleSession');
    // Uses of managed keys are made anew each time: a stored answer would hold what was decrypted.
    ownRules.push('encryptData', 'decryptData', 'rewrapData', 'makeDataKey', 'signData', 'verifyData', 'macData');
    expect(without.map(({ operationId }) => operationId)).to.have.members(ownRules);
  });
});
