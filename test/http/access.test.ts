/** Separation of roles: every cell of role × route, from the list of routes (security-and-faults E11). */
import { expect } from 'chai';
import type { Caller } from '../../src/domain/caller.ts';
import { ROLE_NAMES, type RoleName } from '../../src/domain/roles.ts';
import type { Access, Route } from '../../src/http/route.ts';
import { allRoutes } from '../../src/http/routes/index.ts';
import { send, type Answer } from './live-service.ts';
import { hollowInstance, seeminglySigned, startPlainService, type PlainService } from './plain-service.ts';

const ROUTES = allRoutes(hollowInstance());
const PROTECTED = ROUTES.filter(({ access }) => !('public' in access));

/** A target that fits the path of a route. */
function targetOf({ path }: Route): string {
  return path.replaceAll(/[:*][A-Za-z]+/g, 'a-1');
}

function personWith(role: RoleName): Caller {
  return { type: 'person', id: 'p-1', unit: 'unit-1', roles: [{ role, region: '110000' }], certificateSm3: 'sm3:00' };
}

const DEVICE: Caller = { type: 'device', id: 'gw-1', region: '110000', certificateSm3: 'sm3:00' };

function isFor(access: Access, caller: Caller): boolean {
  if ('public' in access) return true;
  if ('devices' in access) return caller.type === 'device';
  if (caller.type !== 'person') return false;
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
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(signed ? seeminglySigned(body !== undefined) : {}),
    };
    return send(service.url, route.method.toUpperCase(), targetOf(route), body, headers);
  }

  for (const route of PROTECTED) {
    it(`${route.operationId} is refused unsigned, and to everybody it is not for`, async () => {
      const unsigned = await call(route, false);
      expect([unsigned.status, unsigned.json['code']]).to.deep.equal([401, 'E_UNAUTHENTICATED']);
      for (const caller of [...ROLE_NAMES.map(personWith), DEVICE]) {
        service.caller = caller;
        const { status, json } = await call(route, true);
        const who = caller.type === 'person' ? caller.roles[0]?.role : caller.type;
        if (isFor(route.access, caller)) expect(status, who).to.not.be.oneOf([401, 403]);
        else expect([status, json['code']], who).to.deep.equal([403, 'E_FORBIDDEN']);
      }
    });
  }

  it('keeps auditors from everything that changes state, and from everything but reading', () => {
    const open = PROTECTED.filter(
      ({ method, access }) => method === 'post' && 'persons' in access && access.persons !== 'any',
    );
    for (const { operationId, access } of open) {
      expect(isFor(access, personWith('auditor')), operationId).to.equal(false);
      expect(isFor(access, personWith('audit-administrator')), operationId).to.equal(false);
    }
  });

  it('gives the audit events to auditors and audit-administrators alone', () => {
    for (const name of ['pullAuditEvents', 'getAuditTile']) {
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
    expect(answering).to.deep.equal(['getKeystore', 'beginUnseal', 'submitShare', 'sealKeystore']);
  });

  it('honours Idempotency-Key on every POST of the API that changes state', () => {
    const without = ROUTES.filter(
      ({ method, path, idempotent }) => method === 'post' && path.startsWith('/api/v1/') && idempotent !== true,
    );
    // Rules of their own: the same token and key, and the same signed message, get the same answer for 72 hours.
    const own = ['enrolDevice', 'postCaKmc', 'recoverUserKey'];
    expect(without.map(({ operationId }) => operationId).sort()).to.deep.equal(own);
  });
});
