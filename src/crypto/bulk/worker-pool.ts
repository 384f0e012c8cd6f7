/** Worker threads for bulk tasks: as many as there are processors, started at the first bulk task and kept. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { KmcError } from '../../errors.ts';
import { chosenSm2Engine } from '../gm/sm2-choice.ts';
import type { BulkInput, BulkOutput, BulkTaskName } from './tasks.ts';
import type { BulkAnswer, BulkOrder } from './worker.ts';

const MOST_THREADS = 16;
/** The built worker, also from the sources, whose loader does not reach into worker threads. */
const WORKER = new URL('../../../dist/crypto/bulk/worker.js', import.meta.url);

interface Waiting {
  readonly order: BulkOrder;
  /** Buffers that move to the worker: what they hold is no longer here. */
  readonly moved: readonly ArrayBuffer[];
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

const idle: Worker[] = [];
const busy = new Map<Worker, Waiting>();
const waiting: Waiting[] = [];

/** How many portions run at the same time. */
export function bulkThreads(): number {
  return Math.min(availableParallelism(), MOST_THREADS);
}

function startWorker(): Worker {
  const worker = new Worker(WORKER);
  worker.on('message', (answer: BulkAnswer) => {
    const done = release(worker);
    idle.push(worker);
    if ('output' in answer) done?.resolve(answer.output);
    else done?.reject(errorOf(answer.failure));
    dispatch();
  });
  worker.on('error', (cause) => {
    // A worker that an error ends is gone; its order fails, the others go to new workers.
    release(worker)?.reject(new KmcError('E_INTERNAL', 'A worker thread ended by an error.', { cause }));
    dispatch();
  });
  worker.on('exit', () => {
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  });
  worker.unref();
  return worker;
}

/** Takes the order of a worker from it; a worker without one does not keep the program running. */
function release(worker: Worker): Waiting | undefined {
  const order = busy.get(worker);
  busy.delete(worker);
  worker.unref();
  return order;
}

function errorOf({ code, message }: { readonly code: KmcError['code'] | undefined; readonly message: string }): Error {
  return code === undefined ? new Error(message) : new KmcError(code, message);
}

function dispatch(): void {
  while (waiting.length > 0 && (idle.length > 0 || busy.size < bulkThreads())) {
    const next = waiting.shift();
    if (next === undefined) return;
    const worker = idle.pop() ?? startWorker();
    busy.set(worker, next);
    worker.ref();
    worker.postMessage(next.order, next.moved);
  }
}

/**
 * Runs a task on a worker thread. `moved` are the buffers of secrets in it, which leave this thread with it.
 * Throws what the task throws, and `E_INTERNAL` when the worker ends.
 */
export function runOnWorker<Name extends BulkTaskName>(
  name: Name,
  input: BulkInput<Name>,
  moved: readonly ArrayBuffer[] = [],
): Promise<BulkOutput<Name>> {
  return new Promise((resolve, reject) => {
    const order = { sm2Engine: chosenSm2Engine(), name, input };
    waiting.push({ order, moved, resolve: (output) => resolve(output as BulkOutput<Name>), reject });
    dispatch();
  });
}
