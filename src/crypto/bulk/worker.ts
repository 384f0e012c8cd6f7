/** A worker thread of the bulk tasks, with a kernel of its own. It holds no key between two orders. */
import { parentPort } from 'node:worker_threads';
import { KmcError } from '../../errors.ts';
import { chooseSm2Engine } from '../gm/sm2-choice.ts';
import type { Sm2EngineName } from '../gm/sm2-choice.ts';
import { runBulkTask } from './tasks.ts';
import type { BulkInput, BulkTaskName } from './tasks.ts';

/** What a worker is told. */
export interface BulkOrder<Name extends BulkTaskName = BulkTaskName> {
  readonly sm2Engine: Sm2EngineName;
  readonly name: Name;
  readonly input: BulkInput<Name>;
}

/** What it answers. */
export type BulkAnswer =
  | { readonly output: unknown }
  | { readonly failure: { readonly code: KmcError['code'] | undefined; readonly message: string } };

function answer({ sm2Engine, name, input }: BulkOrder): BulkAnswer {
  try {
    chooseSm2Engine(sm2Engine);
    return { output: runBulkTask(name, input) };
  } catch (error) {
    const code = error instanceof KmcError ? error.code : undefined;
    return { failure: { code, message: error instanceof Error ? error.message : 'The bulk task failed.' } };
  }
}

parentPort?.on('message', (order: BulkOrder) => parentPort?.postMessage(answer(order), []));
