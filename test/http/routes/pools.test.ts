import { expect } from 'chai';
import type { CastName } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { timeText } from '../../../src/http/schemas.ts';
import { handSigner, liveService, type Answer } from '../live-service.ts';

const POOLS = '/api/v1/pools';
const POOL = `${POOLS}/sm2-encryption`;

forEachDatabase('the routes of key pools', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);

  function call(name: CastName, method: 'GET' | 'POST', target: string, body?: unknown): Promise<Answer> {
    return service().call(handSigner(test().instance.engine, test().people[name]), method, target, body);
  }

  async function pool(): Promise<Record<string, unknown>> {
    const { json } = await call('auditor', 'GET', POOLS);
    return (json['items'] as Record<string, unknown>[])[0] ?? {};
  }

  it('show marks and figures, fill a batch for a ca-operator, and say it in the metrics', async () => {
    const rule = test().instance.policies.keys.pools['sm2-encryption'];
    expect(await pool()).to.include({
      name: 'sm2-encryption',
      algorithm: 'SM2',
      spare: 0,
      low: rule.low,
      belowLow: true,
    });
    const made = await call('caOperatorOne', 'POST', `${POOL}/batches`, {});
    expect(made.status).to.equal(201);
    expect(made.json['count']).to.equal(rule.batch);
    const filled = await pool();
    expect(filled).to.include({ spare: rule.batch, generated: 0 });
    expect(filled['newestBatch']).to.include({ id: made.json['batch'], count: rule.batch, generator: 'software' });
    const metrics = await fetch(`${service().url}/metrics`);
    const text = await metrics.text();
    expect(text).to.include(`kmc_pool_keys{pool="sm2-encryption",state="spare"} ${rule.batch}`);
    expect(text).to.include(`kmc_pool_mark{pool="sm2-encryption",mark="low"} ${rule.low}`);
    expect(text).to.include('kmc_pool_below_low{pool="sm2-encryption"} 1');
    expect(text).to.include('kmc_escrowed_key_faults 0');
  });

  it('take a released backup from the system-administrator alone, and no pool that is not there', async () => {
    const body = { backup: 'backup-1', takenAt: timeText(new Date(Date.now() - 1000)) };
    expect((await call('caOperatorOne', 'POST', `${POOL}/releases`, body)).status).to.equal(403);
    expect((await call('systemOne', 'POST', `${POOL}/batches`, {})).status).to.equal(403);
    const released = await call('systemOne', 'POST', `${POOL}/releases`, body);
    expect(released.json).to.deep.equal({ batches: 0, keys: 0 });
    expect((await call('caOperatorOne', 'POST', `${POOLS}/rsa-signing/batches`, {})).status).to.equal(400);
  });
});
