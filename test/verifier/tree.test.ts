import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { inclusionProof, rootOfLeaves } from '../../src/domain/audit/tree.ts';
import { hex } from '../../src/verifier/octets.ts';
import { parseEvent } from '../../src/verifier/record.ts';
import { verifySm2 } from '../../src/verifier/sm2.ts';
import { isIncluded, leafHash, nodeHash, subtreesOf, Tree } from '../../src/verifier/tree.ts';
import { engine } from '../flows/audit/test-log.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { sm2PointFromSpki } from '../../src/crypto/spki.ts';
import { memoryNodes } from '../domain/audit/memory-tree.ts';

interface Vectors {
  derived_sm3: {
    primitives: { empty_tree: string; leaf_empty: string; leaf_L123456: string; node_N123_N456: string };
    eight_leaf: {
      leaf_inputs_hex: string[];
      roots_by_size: string[];
      inclusion_all_to_8: { index: number; size: number; proof: string[] }[];
    };
  };
}

const { derived_sm3: vectors } = JSON.parse(
  readFileSync(new URL('../vectors/merkle-vectors.json', import.meta.url), 'utf8'),
) as Vectors;
const octets = (text: string): Buffer => Buffer.from(text, 'hex');

describe('the tree of the stand-alone verifier', () => {
  it('gives the hashes, roots and proofs of the SM3 vectors', () => {
    const { primitives, eight_leaf: eight } = vectors;
    expect(hex(new Tree().root())).to.equal(primitives.empty_tree);
    expect(hex(leafHash(Buffer.alloc(0)))).to.equal(primitives.leaf_empty);
    expect(hex(leafHash(Buffer.from('L123456')))).to.equal(primitives.leaf_L123456);
    expect(hex(nodeHash(Buffer.from('N123'), Buffer.from('N456')))).to.equal(primitives.node_N123_N456);
    const leaves = eight.leaf_inputs_hex.map((text) => leafHash(octets(text)));
    const tree = new Tree();
    expect(hex(tree.root())).to.equal(eight.roots_by_size[0]);
    for (const [at, leaf] of leaves.entries()) {
      tree.append(leaf);
      expect(hex(tree.root())).to.equal(eight.roots_by_size[at + 1]);
    }
    for (const { index, size, proof } of eight.inclusion_all_to_8) {
      const claim = {
        index,
        size,
        leaf: leaves[index]!,
        root: octets(eight.roots_by_size[size]!),
        proof: proof.map(octets),
      };
      expect(isIncluded(claim), `${index} of ${size}`).to.equal(true);
      expect(isIncluded({ ...claim, index: (index + 1) % size }), `${index} of ${size}`).to.equal(size === 1);
    }
  });

  it('agrees with the tree of the service for any size, and a changed proof holds for nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.nat(), async (size, place, fault) => {
        const leaves = Array.from({ length: size }, (_, at) => Buffer.from(leafHash(Buffer.from([at % 256, at >> 8]))));
        const tree = new Tree();
        for (const leaf of leaves) tree.append(leaf);
        const root = rootOfLeaves(sm3, leaves);
        expect(hex(tree.root())).to.equal(root.toString('hex'));
        const index = place % size;
        const proof = await inclusionProof(sm3, index, size, memoryNodes(sm3, leaves));
        const claim = { index, size, leaf: leaves[index]!, root, proof };
        expect(isIncluded(claim)).to.equal(true);
        expect(isIncluded({ ...claim, proof: [...proof, root] })).to.equal(false);
        if (proof.length === 0) return;
        const at = fault % proof.length;
        expect(isIncluded({ ...claim, proof: proof.toSpliced(at, 1) })).to.equal(false);
        const flipped = Buffer.from(proof[at]!);
        flipped[fault % 32] = flipped[fault % 32]! ^ 1;
        expect(isIncluded({ ...claim, proof: proof.with(at, flipped) })).to.equal(false);
        expect(subtreesOf(size)).to.equal(size.toString(2).split('1').length - 1);
      }),
      { numRuns: 40 },
    );
  });

  it('takes the SM2 signatures of the engine, and none with a flipped bit', async () => {
    const key = await engine.generateKeyPair('SM2');
    const message = Buffer.from('a checkpoint');
    const raw = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(await engine.sign(key, 'SM2-SM3', message));
    const point = sm2PointFromSpki(key.spki);
    expect(verifySm2(point, message, raw)).to.equal(true);
    expect(verifySm2(point, Buffer.from('a Checkpoint'), raw)).to.equal(false);
    for (let bit = 0; bit < 512; bit += 37) {
      const flipped = Buffer.from(raw);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(verifySm2(point, message, flipped), `bit ${bit}`).to.equal(false);
    }
    expect(verifySm2(point.subarray(1), message, raw)).to.equal(false);
    expect(verifySm2(Buffer.alloc(65, 4), message, raw)).to.equal(false);
  });

  it('never throws for octets of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(parseEvent(bytes)).to.be.a('string');
      }),
    );
  });
});
