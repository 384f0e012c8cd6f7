import { expect } from 'chai';
import { KmcError } from '../../../src/errors.ts';
import { healthRoutes } from '../../../src/http/routes/health.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { liveService, send } from '../live-service.ts';
import { hollowInstance, startPlainService } from '../plain-service.ts';

forEachDatabase('health, figures and policies over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);

  it('is live and ready while the keystore is open, and says why not once it is sealed', async () => {
    const { url } = live();
    expect((await send(url, 'GET', '/livez')).json).to.deep.equal({ live: true });
    expect((await send(url, 'GET', '/readyz')).json).to.deep.equal({ ready: true, reasons: [] });
    test().instance.keystore.seal();
    const sealed = await send(url, 'GET', '/readyz');
    expect([sealed.status, sealed.json]).to.deep.equal([503, { ready: false, reasons: ['sealed'] }]);
    expect((await send(url, 'GET', '/livez')).status).to.equal(200);
  });

  it('names a log that does not advance, and a database that does not answer', async () => {
    const database = {
      ...hollowInstance().database,
      read: () => Promise.reject(new KmcError('E_STORAGE', 'The database does not answer.')),
    };
    const { keystore } = test().instance;
    const broken = { ...live().instance, keystore, database, isAuditBlocked: () => true };
    const service = await startPlainService(healthRoutes(broken));
    const { status, json } = await send(service.url, 'GET', '/readyz');
    expect((await send(service.url, 'GET', '/metrics')).text).to.include('kmc_ready 0');
    await service.close();
    expect([status, json]).to.deep.equal([503, { ready: false, reasons: ['audit-blocked', 'database'] }]);
  });

  it('shows figures for Prometheus under names that begin with kmc_, and answers HEAD', async () => {
    const { url } = live();
    await send(url, 'GET', '/api/v1/keystore');
    const answer = await send(url, 'GET', '/metrics');
    expect(answer.headers['content-type']).to.match(/^text\/plain/);
    const names = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(names.filter((line) => !line.startsWith('kmc_'))).to.deep.equal([]);
    expect(answer.text).to.include('kmc_keystore_unsealed 1');
    expect(answer.text).to.include('kmc_http_requests_total{operation="getKeystore",status="401"} 1');
    expect(answer.text).to.include('kmc_http_refusals_total{code="E_UNAUTHENTICATED"} 1');
    const head = await send(url, 'HEAD', '/livez');
    expect([head.status, head.text]).to.deep.equal([200, '']);
  });

  it('gives the OpenAPI document to everybody, with itself in it', async () => {
    const { json } = await send(live().url, 'GET', '/openapi.json');
    expect(json['openapi']).to.equal('3.1.0');
    expect(json['paths']).to.have.property('/openapi.json');
  });

  it('tells people which policy is in force', async () => {
    const answer = (await live().client(test().people.raOne).json('GET', '/api/v1/policies')) as Record<
      string,
      unknown
    >;
    expect(answer['digest']).to.equal(test().instance.policyDigest);
    expect(answer['inForce']).to.equal(test().instance.policyDigest);
    expect(answer['regions']).to.have.length(33);
    expect(answer['deviceProfiles']).to.include('gateway');
  });
});
