/** The Merkle tree of RFC 6962 section 2.1 over any 32-octet hash, with the verifiers of RFC 9162 2.1.3.2 and 2.1.4.2. */
import { KmcError } from '../../errors.ts';

/** Hashes the parts one after the other to 32 octets. SM3 in the product; the public vectors run with SHA-256. */
export type HashFunction = (...parts: readonly Uint8Array[]) => Buffer;

/** Leaves [start, end) of a tree. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** The hash of the perfect subtree over the leaves [index * 2^level, (index + 1) * 2^level). */
export type NodeReader = (level: number, index: number) => Promise<Buffer>;

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leaf: Buffer;
  readonly root: Buffer;
  readonly proof: readonly Buffer[];
}

export interface ConsistencyClaim {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Buffer;
  readonly root2: Buffer;
  readonly proof: readonly Buffer[];
}

export const HASH_OCTETS = 32;
/** No proof for a tree of up to 2^53 leaves has more hashes: longer ones are refused before any hashing. */
const MAX_PROOF_HASHES = 106;
const LEAF_PREFIX = Buffer.from([0x00]);
// Hashing is synchronous, so one scratch buffer serves every node; it saves an allocation for each of millions of nodes.
const nodeInput = Buffer.alloc(1 + 2 * HASH_OCTETS, 0x01);

/** H(0x00 || entry), RFC 6962 2.1. `entry` is the exact bytes of the record. */
export function leafHash(hash: HashFunction, entry: Buffer): Buffer {
  // One buffer, since a hash over one part costs less than one over two.
  return hash(Buffer.concat([LEAF_PREFIX, entry], entry.length + 1));
}

/** H(0x01 || left || right), RFC 6962 2.1; both are 32 octets. */
export function nodeHash(hash: HashFunction, left: Buffer, right: Buffer): Buffer {
  left.copy(nodeInput, 1, 0, HASH_OCTETS);
  right.copy(nodeInput, 1 + HASH_OCTETS, 0, HASH_OCTETS);
  return hash(nodeInput);
}

/**
 * The right edge of a tree: the perfect subtrees that make it up, largest first, one for each bit set in the size.
 * Enough to append and to give the root; it never forgets what it has seen, so a log can only be extended.
 */
export class CompactRange {
  readonly #hash: HashFunction;
  readonly #nodes: Buffer[];
  #size: number;

  /**
   * @param nodes the stored subtree hashes of a tree with `size` leaves, 32 octets each.
   * @throws KmcError E_INTEGRITY when their number does not fit the size.
   */
  constructor(hash: HashFunction, size = 0, nodes: readonly Buffer[] = []) {
    if (!isCount(size) || nodes.length !== bitsSet(size) || nodes.some((node) => node.length !== HASH_OCTETS)) {
      throw new KmcError('E_INTEGRITY', 'A stored tree edge does not fit its tree size.');
    }
    this.#hash = hash;
    this.#size = size;
    this.#nodes = [...nodes];
  }

  get size(): number {
    return this.#size;
  }

  /** The subtree hashes, largest first; with `size` they rebuild the range. */
  get nodes(): readonly Buffer[] {
    return [...this.#nodes];
  }

  /** Appends one leaf by its leaf hash (32 octets). `completed` sees each perfect subtree that the leaf completes. */
  append(leaf: Buffer, completed?: (level: number, node: Buffer) => void): void {
    let node = leaf;
    let level = 0;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.#nodes.pop();
      if (left === undefined) throw new KmcError('E_INTEGRITY', 'A tree edge lost a node.');
      node = nodeHash(this.#hash, left, node);
      level += 1;
      completed?.(level, node);
    }
    this.#nodes.push(node);
    this.#size += 1;
  }

  /** The root (RFC 6962 MTH), 32 octets; of the empty tree H(""). */
  root(): Buffer {
    return foldNodes(this.#hash, this.#nodes);
  }
}

/** The root over leaf hashes already made (RFC 6962 MTH). */
export function rootOfLeaves(hash: HashFunction, leaves: Iterable<Buffer>): Buffer {
  const range = new CompactRange(hash);
  for (const leaf of leaves) range.append(leaf);
  return range.root();
}

/** The root of the tree of `size` leaves, from stored subtrees. */
export async function rootFromNodes(hash: HashFunction, size: number, read: NodeReader): Promise<Buffer> {
  return size === 0 ? hash() : await hashRange(hash, { start: 0, end: size }, read);
}

/** The nodes of the compact range of the tree of `size` leaves, largest subtree first. */
export async function compactNodes(size: number, read: NodeReader): Promise<Buffer[]> {
  return await nodesOf({ start: 0, end: size }, read);
}

/**
 * PATH(index, D[size]) of RFC 6962 2.1.1: the sibling hashes from the leaf upwards.
 * @throws KmcError E_NOT_FOUND when the tree has no such leaf.
 */
export async function inclusionProof(
  hash: HashFunction,
  index: number,
  size: number,
  read: NodeReader,
): Promise<Buffer[]> {
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new KmcError('E_NOT_FOUND', 'The log has no entry with that index at that size.');
  }
  return await hashRanges(hash, inclusionRanges(index, { start: 0, end: size }), read);
}

/**
 * PROOF(size1, D[size2]) of RFC 6962 2.1.2.
 * @throws KmcError E_NOT_FOUND unless 1 <= size1 <= size2.
 */
export async function consistencyProof(
  hash: HashFunction,
  size1: number,
  size2: number,
  read: NodeReader,
): Promise<Buffer[]> {
  if (!isCount(size1) || !isCount(size2) || size1 < 1 || size1 > size2) {
    throw new KmcError('E_NOT_FOUND', 'The log has no proof between these two sizes.');
  }
  return await hashRanges(hash, consistencyRanges(size1, { start: 0, end: size2 }, true), read);
}

/** RFC 9162 2.1.3.2. Never throws: malformed, short and over-long proofs are just false. */
export function verifyInclusion(hash: HashFunction, claim: InclusionClaim): boolean {
  const { index, size, leaf, root, proof } = claim;
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes([leaf, root], proof)) return false;
  let fn = index;
  let sn = size - 1;
  let r = leaf;
  for (const p of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(hash, p, r);
      for (; fn % 2 === 0 && fn !== 0; fn /= 2) sn = half(sn);
    } else {
      r = nodeHash(hash, r, p);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && r.equals(root);
}

/** RFC 9162 2.1.4.2; equal sizes need equal roots and no proof. Never throws. */
export function verifyConsistency(hash: HashFunction, claim: ConsistencyClaim): boolean {
  const { size1, size2, root1, root2, proof } = claim;
  if (!isCount(size1) || !isCount(size2) || size1 < 1 || size1 > size2) return false;
  if (size1 === size2) return proof.length === 0 && root1.equals(root2);
  if (!areHashes([root1, root2], proof)) return false;
  const path = bitsSet(size1) === 1 ? [root1, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined || proof.length === 0) return false;
  let fn = size1 - 1;
  let sn = size2 - 1;
  for (; fn % 2 === 1; fn = half(fn)) sn = half(sn);
  let fr = first;
  let sr = first;
  for (const c of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(hash, c, fr);
      sr = nodeHash(hash, c, sr);
      for (; fn % 2 === 0 && fn !== 0; fn /= 2) sn = half(sn);
    } else {
      sr = nodeHash(hash, sr, c);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && fr.equals(root1) && sr.equals(root2);
}

function inclusionRanges(index: number, { start, end }: LeafRange): LeafRange[] {
  if (end - start <= 1) return [];
  const middle = start + splitPoint(end - start);
  return index < middle
    ? [...inclusionRanges(index, { start, end: middle }), { start: middle, end }]
    : [...inclusionRanges(index, { start: middle, end }), { start, end: middle }];
}

function consistencyRanges(size: number, { start, end }: LeafRange, complete: boolean): LeafRange[] {
  if (size === end) return complete ? [] : [{ start, end }];
  const middle = start + splitPoint(end - start);
  return size <= middle
    ? [...consistencyRanges(size, { start, end: middle }, complete), { start: middle, end }]
    : [...consistencyRanges(size, { start: middle, end }, false), { start, end: middle }];
}

async function hashRanges(hash: HashFunction, ranges: readonly LeafRange[], read: NodeReader): Promise<Buffer[]> {
  const hashes: Buffer[] = [];
  for (const range of ranges) hashes.push(await hashRange(hash, range, read));
  return hashes;
}

/** `start` is a multiple of the largest power of two in the range, as for every range that a tree splits into. */
async function hashRange(hash: HashFunction, { start, end }: LeafRange, read: NodeReader): Promise<Buffer> {
  return foldNodes(hash, await nodesOf({ start, end }, read));
}

async function nodesOf({ start, end }: LeafRange, read: NodeReader): Promise<Buffer[]> {
  const nodes: Buffer[] = [];
  for (let from = start; from < end;) {
    const level = Math.floor(Math.log2(end - from));
    nodes.push(await read(level, from / 2 ** level));
    from += 2 ** level;
  }
  return nodes;
}

function foldNodes(hash: HashFunction, nodes: readonly Buffer[]): Buffer {
  return nodes.length === 0 ? hash() : nodes.reduceRight((right, left) => nodeHash(hash, left, right));
}

/** The largest power of two below `length` (length >= 2). */
function splitPoint(length: number): number {
  return 2 ** Math.floor(Math.log2(length - 1));
}

function areHashes(ends: readonly Buffer[], proof: readonly Buffer[]): boolean {
  return proof.length <= MAX_PROOF_HASHES && [...ends, ...proof].every((value) => value.length === HASH_OCTETS);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function bitsSet(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = half(rest)) count += rest % 2;
  return count;
}

// Sizes go beyond 32 bits, so no bit operators.
function half(value: number): number {
  return Math.floor(value / 2);
}
