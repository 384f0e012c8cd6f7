/** Bulk work in portions: on this thread when there is little of it, on worker threads otherwise. */
import { concat } from '../bytes.ts';
import { runBulkTask } from './tasks.ts';
import type { BulkInput, BulkOutput, BulkTaskName } from './tasks.ts';
import { bulkThreads, runOnWorker } from './worker-pool.ts';

/** Below this many items the way to another thread costs more than it brings. */
const FEWEST_FOR_WORKERS = 32;
/** Few enough that a portion takes tens of milliseconds, and as many as one inversion serves. */
const LARGEST_PORTION = 128;

/** `input` of a portion, and the buffers of copies of secrets in it. */
export interface PortionInput<Name extends BulkTaskName> {
  readonly input: BulkInput<Name>;
  readonly secrets?: readonly ArrayBuffer[];
}

/** A copy of a secret for one portion, which the task wipes. */
export function secretForPortion(secret: Buffer): { readonly octets: Buffer; readonly buffer: ArrayBuffer } {
  const octets = concat(secret);
  return { octets, buffer: octets.buffer as ArrayBuffer };
}

/** Runs a task over `items`; the outputs come in their order. Throws what the task throws. */
export async function inPortions<Name extends BulkTaskName, Item>(
  name: Name,
  items: readonly Item[],
  portionOf: (part: readonly Item[]) => PortionInput<Name>,
): Promise<BulkOutput<Name>[]> {
  if (items.length === 0) return [];
  if (items.length < FEWEST_FOR_WORKERS) return [runBulkTask(name, portionOf(items).input)];
  const size = Math.min(LARGEST_PORTION, Math.ceil(items.length / bulkThreads()));
  const running: Promise<BulkOutput<Name>>[] = [];
  for (let at = 0; at < items.length; at += size) {
    const { input, secrets } = portionOf(items.slice(at, at + size));
    running.push(runOnWorker(name, input, secrets));
  }
  return await Promise.all(running);
}
