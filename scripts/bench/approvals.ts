/** Executions of approved requests: the last step of an act under dual control. */
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { executeRequest } from '../../src/flows/approvals/execute-request.ts';
import { approve, ask } from '../../test/fixtures/approvals.ts';
import { registrationOf } from '../../test/fixtures/enrolling.ts';
import { TestInstance } from '../../test/fixtures/instance.ts';
import { openPlace } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const CLIENTS = 16;
const SOURCE = { node: 'node-1' };

/** A device as it stands in a signed request: text and lists only. */
function deviceText(id: string) {
  const { vendor, model, serial, unit, profile, organization, commonName } = registrationOf(id);
  const names = { dnsNames: [`${id}.gw.example.cn`], ipAddresses: ['192.0.2.10'] };
  return { id, kind: 'gateway', vendor, model, serial, unit, profile, organization, commonName, ...names };
}

/** Requests to register a batch of one device, approved by two others and ready to be executed. */
async function approvedRequests(test: TestInstance, round: number, count: number): Promise<string[]> {
  const { raOne, securityOne, caOperatorOne } = test.people;
  const handlers = actionHandlers(test.instance);
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const params = { region: '110000', count: '1', devices: [deviceText(`bench-${round}-${index}`)] };
    const asked = { op: 'device.register-batch', targetId: `batch-${round}-${index}`, params } as const;
    const created = await ask(test, handlers, asked, raOne.caller);
    await approve(test, created, [securityOne, caOperatorOne]);
    ids.push(created.request.id);
  }
  return ids;
}

/** Executes each request once, by many clients at the same time. @returns executions a second. */
async function executeAll({ instance, people }: TestInstance, ids: readonly string[]): Promise<number> {
  const ports = { ...instance, handlers: actionHandlers(instance) };
  const waiting = [...ids];
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      await executeRequest(ports, { requestId: id, source: SOURCE }, people.raOne.caller);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return ids.length / ((performance.now() - start) / 1000);
}

async function measure(url: string, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, size] = quick ? [3, 32] : [5, 160];
  const test = await TestInstance.make(url);
  try {
    await executeAll(test, await approvedRequests(test, 0, size));
    const rates: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      rates.push(await executeAll(test, await approvedRequests(test, round, size)));
    }
    return { ...summarize(rates, 'executions/s', rounds * size), clients: CLIENTS };
  } finally {
    await test.stop();
  }
}

export const approvalBenchmarks: readonly Benchmark[] = [
  {
    name: 'approval.execute',
    what: `executions of approved requests (two approvals verified again each time) by ${CLIENTS} clients, durable on SQLite`,
    async run(options) {
      const opened = await openPlace('sqlite');
      if (opened === undefined) return undefined;
      try {
        return await measure(opened.url, options);
      } finally {
        await opened.release();
      }
    },
  },
];
