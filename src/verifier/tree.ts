/** The Merkle tree of RFC 6962 over SM3, with the proof verifiers of RFC 9162 2.1.3.2 and 2.1.4.2. */
import { portableSm3 } from '../crypto/gm/sm3-portable.ts';
import { equal } from './octets.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
/** No proof of a tree that a checkpoint can name is longer. */
const LONGEST_PROOF = 106;

export function leafHash(entry: Uint8Array): Uint8Array {
  return portableSm3(LEAF, entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return portableSm3(NODE, left, right);
}

/** A growing tree: the perfect subtrees it is made of, largest first. */
export class Tree {
  readonly #nodes: Uint8Array[];
  #size: number;

  /** A tree of `size` leaves by its subtrees, or an empty one. */
  constructor(size = 0, nodes: readonly Uint8Array[] = []) {
    this.#size = size;
    this.#nodes = [...nodes];
  }

  get size(): number {
    return this.#size;
  }

  /** `completed` sees every perfect subtree that the leaf completes. */
  append(leaf: Uint8Array, completed?: (level: number, node: Uint8Array) => void): void {
    let node = leaf;
    let level = 0;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#nodes.pop();
      if (left !== undefined) node = nodeHash(left, node);
      level += 1;
      completed?.(level, node);
    }
    this.#nodes.push(node);
    this.#size += 1;
  }

  root(): Uint8Array {
    const [last, ...others] = this.#nodes.toReversed();
    return last === undefined ? portableSm3() : others.reduce((right, left) => nodeHash(left, right), last);
  }
}

/** How many subtrees make up a tree of that size: the bits set in it. */
export function subtreesOf(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162 2.1.3.2. */
export function isIncluded({ index, size, leaf, root, proof }: Inclusion): boolean {
  if (index < 0 || index >= size || proof.length > LONGEST_PROOF || proof.some((hash) => hash.length !== 32)) {
    return false;
  }
  let fn = index;
  let sn = size - 1;
  let r = leaf;
  for (const hash of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(hash, r);
      for (; fn % 2 === 0 && fn !== 0; fn /= 2) sn = Math.floor(sn / 2);
    } else {
      r = nodeHash(r, hash);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && equal(r, root);
}
