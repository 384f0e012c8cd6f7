/** Batches in which one item may fail without the others. */
import { KmcError, type ErrorCode } from '../../errors.ts';

/** What an item came to: its result, or the code of what is wrong with it alone. */
export type ItemOutcome<Result> = Result | { readonly code: ErrorCode };

/** What is wrong with one ciphertext; anything else is wrong with the call. */
const OF_ONE_ITEM: readonly ErrorCode[] = ['E_DECRYPT', 'E_STATE', 'E_PERIOD'];

/** Does `work` for each item, one after the other; a single item fails as the call does. */
export async function eachItem<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<ItemOutcome<Result>[]> {
  const outcomes: ItemOutcome<Result>[] = [];
  for (const item of items) {
    try {
      outcomes.push(await work(item));
    } catch (error) {
      const isItems = error instanceof KmcError && OF_ONE_ITEM.includes(error.code);
      if (!isItems || items.length === 1) throw error;
      outcomes.push({ code: error.code });
    }
  }
  return outcomes;
}
