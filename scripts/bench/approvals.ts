/** Acts under dual control from the first signed decision to the execution. */
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { executeRequest } from '../../src/flows/approvals/execute-request.ts';
import { decideRequest } from '../../src/flows/approvals/decide-request.ts';
import type { SignedDecision } from '../../src/domain/approval/decision.ts';
import { ask, signedApproval } from '../../test/fixtures/approvals.ts';
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

/** A request, and the decisions of two others as their own tools signed them beforehand. */
interface Asked {
  readonly id: string;
  readonly decisions: readonly SignedDecision[];
}

/** Open requests to register a batch of one device. */
async function askedRequests(test: TestInstance, round: number, count: number): Promise<Asked[]> {
  const { raOne, securityOne, caOperatorOne } = test.people;
  const handlers = actionHandlers(test.instance);
  const asked: Asked[] = [];
  for (let index = 0; index < count; index += 1) {
    const params = { region: '110000', count: '1', devices: [deviceText(`bench-${round}-${index}`)] };
    const batch = { op: 'device.register-batch', targetId: `batch-${round}-${index}`, params } as const;
    const created = await ask(test, handlers, batch, raOne.caller);
    const decisions = [];
    for (const member of [securityOne, caOperatorOne]) decisions.push(await signedApproval(test, created, member));
    asked.push({ id: created.request.id, decisions });
  }
  return asked;
}

/** Decides and executes each request, by many clients at the same time. @returns requests a second. */
async function carryOutAll({ instance, people }: TestInstance, asked: readonly Asked[]): Promise<number> {
  const ports = { ...instance, handlers: actionHandlers(instance) };
  const waiting = [...asked];
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { id, decisions } = next;
      for (const decision of decisions) {
        await decideRequest(ports, { requestId: id, decision, source: SOURCE }, people.raOne.caller);
      }
      await executeRequest(ports, { requestId: id, source: SOURCE }, people.raOne.caller);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return asked.length / ((performance.now() - start) / 1000);
}

async function measure(url: string, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, size] = quick ? [3, 32] : [5, 160];
  const test = await TestInstance.make(url);
  try {
    await carryOutAll(test, await askedRequests(test, 0, size));
    const rates: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      rates.push(await carryOutAll(test, await askedRequests(test, round, size)));
    }
    return { ...summarize(rates, 'requests/s', rounds * size), clients: CLIENTS };
  } finally {
    await test.stop();
  }
}

export const approvalBenchmarks: readonly Benchmark[] = [
  {
    name: 'approval.execute',
    what: `requests decided and executed, two signed approvals each (verified as they come and again at the execution), by ${CLIENTS} clients, durable on SQLite`,
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
