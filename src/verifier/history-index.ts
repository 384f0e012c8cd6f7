/** The index of the log, derived from the events: what stands under each key, as one root (audit-log 3.12). */
import { base64, eightOctets, hex, utf8 } from './octets.ts';
import { keysOf, type AuditEvent } from './record.ts';
import { leafHash, Tree } from './tree.ts';

/** The root over the leaf indexes of the events under a key. */
function placesRoot(places: Iterable<number>): Uint8Array {
  const tree = new Tree();
  for (const place of places) tree.append(leafHash(eightOctets(place)));
  return tree.root();
}

/** The entry of a key: key, count and root, a line each. */
export function entryText(key: string, places: readonly number[]): string {
  return `${key}\n${places.length}\n${base64(placesRoot(places))}\n`;
}

/** What an event `audit.index` states. */
export interface IndexStatement {
  /** The index covers the first `size` leaves. */
  readonly size: number;
  readonly entries: number;
  /** `sm3:<hex>` */
  readonly root: string;
}

/** The statement of an event; undefined for any other event. */
export function indexStatement({ act, det, out }: AuditEvent): IndexStatement | undefined {
  const { size, entries, root, rule } = det;
  if (act !== 'audit.index' || out !== 'success' || rule !== 'v1') return undefined;
  if (typeof size !== 'number' || typeof entries !== 'number' || typeof root !== 'string') return undefined;
  return { size, entries, root };
}

/** Collects the events of every key, so that every index the log committed to can be made anew. */
export class DerivedIndex {
  readonly #places = new Map<string, number[]>();

  add(index: number, event: AuditEvent): void {
    for (const key of keysOf(event)) {
      const places = this.#places.get(key);
      if (places === undefined) this.#places.set(key, [index]);
      else places.push(index);
    }
  }

  /** True when the statement is what the first `size` leaves give. */
  agrees({ size, entries, root }: IndexStatement): boolean {
    const tree = new Tree();
    for (const key of [...this.#places.keys()].sort()) {
      const places = (this.#places.get(key) ?? []).filter((place) => place < size);
      if (places.length > 0) tree.append(leafHash(utf8(entryText(key, places))));
    }
    return tree.size === entries && `sm3:${hex(tree.root())}` === root;
  }
}
