import { newId } from '../../../domain/id.ts';

/** Ids of events in their order; begun anew, it gives the same ones, since the transaction may run again. */
export function eventIds(at: Date): () => () => string {
  const made: string[] = [];
  return () => {
    let used = 0;
    return () => {
      const id = (made[used] ??= newId('ev', at));
      used += 1;
      return id;
    };
  };
}
