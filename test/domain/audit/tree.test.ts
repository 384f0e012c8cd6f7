import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import {
  CompactRange,
  consistencyProof,
  inclusionProof,
  leafHash,
  nodeHash,
  rootFromNodes,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
  type HashFunction,
} from '../../../src/domain/audit/tree.ts';
import { KmcError } from '../../../src/errors.ts';
import { memoryNodes } from './memory-tree.ts';

interface EightLeaf {
  leaf_inputs_hex: string[];
  node_hashes_by_level: string[][];
  roots_by_size: string[];
  inclusion_all_to_8: { index: number; size: number; proof: string[] }[];
  consistency_all_to_8: Record<string, number | string[]>[];
}
interface Probe {
  file: string;
  desc: string;
  wantErr: boolean;
  proof: string[] | null;
}
interface Vectors {
  primitives_sha256: { leaf_hex?: string; left_hex?: string; right_hex?: string; hash: string }[];
  eight_leaf_sha256: EightLeaf;
  rolling_130_sha256: { published: Record<string, string>; derived: Record<string, string> };
  inclusion_probes_sha256: (Probe & { leafIdx: string; treeSize: string; root: string; leafHash: string })[];
  consistency_probes_sha256: (Probe & { size1: string; size2: string; root1: string; root2: string })[];
  derived_sm3: {
    primitives: { empty_tree: string; leaf_empty: string; leaf_L123456: string; node_N123_N456: string };
    eight_leaf: EightLeaf;
    rolling_130: Record<string, string>;
  };
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/merkle-vectors.json', import.meta.url), 'utf8'),
) as Vectors;
const sha256: HashFunction = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const hex = (bytes: Buffer): string => bytes.toString('hex');
const base64 = (text: string | null | undefined): Buffer => Buffer.from(text ?? '', 'base64');

/** RFC 6962 2.1 word for word: the oracle of the incremental code. */
function treeHash(hash: HashFunction, leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return hash();
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return hash(Buffer.from([1]), treeHash(hash, leaves.slice(0, k)), treeHash(hash, leaves.slice(k)));
}

async function rollingDigests(hash: HashFunction, algorithm: string): Promise<Record<string, string>> {
  const leaves = Array.from({ length: 130 }, (_, at) => leafHash(hash, Buffer.from([at])));
  const read = memoryNodes(hash, leaves);
  const [roots, inclusion, consistency] = [createHash(algorithm), createHash(algorithm), createHash(algorithm)];
  const line = (numbers: number[], hashes: Buffer[]): string => [...numbers, ...hashes.map(hex)].join(' ') + '\n';
  for (let n = 0; n <= leaves.length; n += 1) {
    roots.update(line([n], [await rootFromNodes(hash, n, read)]));
    for (let i = 0; i < n; i += 1) inclusion.update(line([i, n], await inclusionProof(hash, i, n, read)));
    for (let m = 1; m <= n; m += 1) consistency.update(line([m, n], await consistencyProof(hash, m, n, read)));
  }
  return { roots: roots.digest('hex'), inclusion: inclusion.digest('hex'), consistency: consistency.digest('hex') };
}

function itAgreesWithTheEightLeafTree(hash: HashFunction, expected: EightLeaf): void {
  const leaves = expected.leaf_inputs_hex.map((input) => leafHash(hash, Buffer.from(input, 'hex')));
  const read = memoryNodes(hash, leaves);

  it('gives the published node hashes and roots', async () => {
    for (const [level, row] of expected.node_hashes_by_level.entries()) {
      for (const [index, node] of row.entries()) expect(hex(await read(level, index))).to.equal(node);
    }
    for (const [size, root] of expected.roots_by_size.entries()) {
      expect(hex(rootOfLeaves(hash, leaves.slice(0, size)))).to.equal(root);
    }
  });

  it('gives the published inclusion proofs, and the verifier accepts them', async () => {
    for (const { index, size, proof } of expected.inclusion_all_to_8) {
      expect((await inclusionProof(hash, index, size, read)).map(hex)).to.deep.equal(proof);
      const root = Buffer.from(expected.roots_by_size[size]!, 'hex');
      const hashes = proof.map((node) => Buffer.from(node, 'hex'));
      expect(verifyInclusion(hash, { index, size, leaf: leaves[index]!, root, proof: hashes })).to.equal(true);
    }
  });

  it('gives the published consistency proofs, and the verifier accepts them', async () => {
    expect(expected.consistency_all_to_8).not.to.be.empty;
    for (const row of expected.consistency_all_to_8) {
      const [size1, size2] = Object.values(row).filter((value) => typeof value === 'number');
      const proof = Object.values(row).find((value) => Array.isArray(value))!;
      expect((await consistencyProof(hash, size1!, size2!, read)).map(hex)).to.deep.equal(proof);
      const [root1, root2] = [size1!, size2!].map((size) => Buffer.from(expected.roots_by_size[size]!, 'hex'));
      const hashes = proof.map((node) => Buffer.from(node, 'hex'));
      const claim = { size1: size1!, size2: size2!, root1: root1!, root2: root2!, proof: hashes };
      expect(verifyConsistency(hash, claim)).to.equal(true);
    }
  });
}

describe('the Merkle tree', () => {
  describe('with SHA-256, as published', () => {
    it('hashes the empty tree, leaves and nodes', () => {
      const [empty, leafEmpty, leaf, node] = vectors.primitives_sha256;
      expect(hex(rootOfLeaves(sha256, []))).to.equal(empty!.hash);
      expect(hex(leafHash(sha256, Buffer.alloc(0)))).to.equal(leafEmpty!.hash);
      expect(hex(leafHash(sha256, Buffer.from('L123456')))).to.equal(leaf!.hash);
      expect(hex(sha256(Buffer.from([1]), Buffer.from('N123'), Buffer.from('N456')))).to.equal(node!.hash);
    });

    itAgreesWithTheEightLeafTree(sha256, vectors.eight_leaf_sha256);

    it('gives the rolling digests over all trees up to 130 leaves', async () => {
      expect(await rollingDigests(sha256, 'sha256')).to.deep.equal(vectors.rolling_130_sha256.derived);
    });

    for (const probe of vectors.inclusion_probes_sha256) {
      it(`${probe.wantErr ? 'refuses' : 'accepts'} the probe ${probe.file}`, () => {
        const claim = {
          index: Number(probe.leafIdx),
          size: Number(probe.treeSize),
          leaf: base64(probe.leafHash),
          root: base64(probe.root),
          proof: (probe.proof ?? []).map(base64),
        };
        expect(verifyInclusion(sha256, claim)).to.equal(!probe.wantErr);
      });
    }

    for (const probe of vectors.consistency_probes_sha256) {
      it(`${probe.wantErr ? 'refuses' : 'accepts'} the probe ${probe.file}`, () => {
        const claim = {
          size1: Number(probe.size1),
          size2: Number(probe.size2),
          root1: base64(probe.root1),
          root2: base64(probe.root2),
          proof: (probe.proof ?? []).map(base64),
        };
        expect(verifyConsistency(sha256, claim)).to.equal(!probe.wantErr);
      });
    }
  });

  describe('with SM3, derived', () => {
    it('hashes the empty tree, leaves and nodes', () => {
      const expected = vectors.derived_sm3.primitives;
      expect(hex(rootOfLeaves(sm3, []))).to.equal(expected.empty_tree);
      expect(hex(leafHash(sm3, Buffer.alloc(0)))).to.equal(expected.leaf_empty);
      expect(hex(leafHash(sm3, Buffer.from('L123456')))).to.equal(expected.leaf_L123456);
      expect(hex(sm3(Buffer.from([1]), Buffer.from('N123'), Buffer.from('N456')))).to.equal(expected.node_N123_N456);
    });

    itAgreesWithTheEightLeafTree(sm3, vectors.derived_sm3.eight_leaf);

    it('gives the rolling digests over all trees up to 130 leaves', async () => {
      const { roots, inclusion, consistency } = vectors.derived_sm3.rolling_130;
      expect(await rollingDigests(sm3, 'sm3')).to.deep.equal({ roots, inclusion, consistency });
    });
  });

  describe('whatever the hash', () => {
    const leaves = Array.from({ length: 3000 }, (_, at) => sha256(Buffer.from(String(at))));
    const read = memoryNodes(sha256, leaves);
    const twoSizes = fc.tuple(fc.nat(2999), fc.nat(2999)).map(([a, b]) => [Math.min(a, b) + 1, Math.max(a, b) + 1]);

    it('is not fooled by a node passed off as a leaf', () => {
      const [left, right] = [leafHash(sm3, Buffer.from('a')), leafHash(sm3, Buffer.from('b'))];
      expect(hex(leafHash(sm3, Buffer.concat([left, right])))).not.to.equal(hex(nodeHash(sm3, left, right)));
    });

    it('a compact range, resumed anywhere, gives the root of the recursive definition', () => {
      fc.assert(
        fc.property(twoSizes, ([a, b]) => {
          const first = new CompactRange(sha256);
          for (const leaf of leaves.slice(0, a)) first.append(leaf);
          const resumed = new CompactRange(sha256, first.size, first.nodes);
          for (const leaf of leaves.slice(a, b)) resumed.append(leaf);
          expect(hex(resumed.root())).to.equal(hex(treeHash(sha256, leaves.slice(0, b))));
        }),
        { numRuns: 30 },
      );
    });

    it('a compact range refuses nodes that do not fit its size', () => {
      expect(() => new CompactRange(sm3, 3, [Buffer.alloc(32)]))
        .to.throw(KmcError)
        .with.property('code', 'E_INTEGRITY');
      expect(() => new CompactRange(sm3, 1, [Buffer.alloc(31)])).to.throw(KmcError);
      expect(() => new CompactRange(sm3, -1)).to.throw(KmcError);
    });

    it('every proof holds, and no change of one bit, hash, index or size passes', async () => {
      await fc.assert(
        fc.asyncProperty(twoSizes, fc.nat(), fc.nat(255), async ([m = 1, n = 1], at, bit) => {
          const [root1, root2] = [await rootFromNodes(sha256, m, read), await rootFromNodes(sha256, n, read)];
          const consistency = { size1: m, size2: n, root1, root2, proof: await consistencyProof(sha256, m, n, read) };
          expect(verifyConsistency(sha256, consistency)).to.equal(true);
          const inclusion = {
            index: m - 1,
            size: n,
            leaf: leaves[m - 1]!,
            root: root2,
            proof: await inclusionProof(sha256, m - 1, n, read),
          };
          expect(verifyInclusion(sha256, inclusion)).to.equal(true);
          for (const proof of mutationsOf(inclusion.proof, at, bit)) {
            expect(verifyInclusion(sha256, { ...inclusion, proof })).to.equal(false);
          }
          for (const proof of mutationsOf(consistency.proof, at, bit)) {
            expect(verifyConsistency(sha256, { ...consistency, proof })).to.equal(false);
          }
          expect(verifyInclusion(sha256, { ...inclusion, leaf: flipped(inclusion.leaf, bit) })).to.equal(false);
          expect(verifyInclusion(sha256, { ...inclusion, root: flipped(root2, bit) })).to.equal(false);
          expect(verifyConsistency(sha256, { ...consistency, root1: flipped(root1, bit) })).to.equal(false);
          expect(verifyConsistency(sha256, { ...consistency, root2: flipped(root2, bit) })).to.equal(false);
          expect(verifyInclusion(sha256, { ...inclusion, index: m })).to.equal(false);
        }),
        { numRuns: 60 },
      );
    });

    it('answers false to absurd numbers instead of throwing', () => {
      const leaf = Buffer.alloc(32);
      for (const value of [-1, 0.5, Number.NaN, Infinity, 2 ** 60]) {
        expect(verifyInclusion(sm3, { index: value, size: value, leaf, root: leaf, proof: [] })).to.equal(false);
        const claim = { size1: value, size2: value, root1: leaf, root2: leaf, proof: [] };
        expect(verifyConsistency(sm3, claim)).to.equal(false);
      }
      const long = Array.from({ length: 100_000 }, () => leaf);
      expect(verifyInclusion(sm3, { index: 0, size: 8, leaf, root: leaf, proof: long })).to.equal(false);
      expect(verifyConsistency(sm3, { size1: 0, size2: 8, root1: leaf, root2: leaf, proof: [] })).to.equal(false);
    });

    it('refuses to prove what the tree does not hold', async () => {
      const proofs = [
        inclusionProof(sha256, 5, 5, read),
        inclusionProof(sha256, -1, 5, read),
        consistencyProof(sha256, 0, 5, read),
        consistencyProof(sha256, 6, 5, read),
      ];
      for (const attempt of proofs) {
        const error: unknown = await attempt.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).to.be.instanceOf(KmcError).with.property('code', 'E_NOT_FOUND');
      }
    });
  });
});

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = Math.floor(bit / 8) % copy.length;
  copy[at] = copy[at]! ^ (1 << (bit % 8));
  return copy;
}

/** A bit flipped, a hash dropped, doubled, swapped, appended, cut short. */
function mutationsOf(proof: readonly Buffer[], at: number, bit: number): Buffer[][] {
  const extra = [...proof, Buffer.alloc(32, 7)];
  if (proof.length === 0) return [extra];
  const index = at % proof.length;
  const replace = (...nodes: Buffer[]): Buffer[] => [...proof.slice(0, index), ...nodes, ...proof.slice(index + 1)];
  const node = proof[index]!;
  const swapped = proof.length > 1 ? [[proof[1]!, proof[0]!, ...proof.slice(2)]] : [];
  return [extra, replace(flipped(node, bit)), replace(), replace(node, node), replace(node.subarray(1)), ...swapped];
}
