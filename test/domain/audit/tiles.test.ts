import { expect } from 'chai';
import * as fc from 'fast-check';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import {
  decodeEntryBundle,
  encodeEntryBundle,
  hashesOfTile,
  nodesFromTiles,
  parseTilePath,
  tileExists,
  tilePath,
  tileRoot,
  tilesOf,
  TILE_WIDTH,
} from '../../../src/domain/audit/tiles.ts';
import {
  consistencyProof,
  inclusionProof,
  rootFromNodes,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/domain/audit/tree.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusalOf } from '../refusal.ts';
import { memoryNodes } from './memory-tree.ts';

describe('tiles', () => {
  it('have the paths of tlog-tiles', () => {
    expect(tilePath({ level: 0, index: 0, width: 256 })).to.equal('0/000');
    expect(tilePath({ level: 1, index: 67, width: 3 })).to.equal('1/067.p/3');
    expect(tilePath({ level: 'entries', index: 1_234_067, width: 256 })).to.equal('entries/x001/x234/067');
    expect(tilePath({ level: 0, index: 1000, width: 255 })).to.equal('0/x001/000.p/255');
  });

  it('a path names a tile only in the form it is written in', () => {
    const tile = fc.record({
      level: fc.oneof(fc.nat(6), fc.constant('entries' as const)),
      index: fc.nat(2 ** 31 - 1),
      width: fc.integer({ min: 1, max: TILE_WIDTH }),
    });
    fc.assert(
      fc.property(tile, (given) => {
        expect(parseTilePath(tilePath(given))).to.deep.equal(given);
      }),
    );
    const paths = [
      '',
      '0',
      '0/',
      '0/0',
      '0/00',
      '0/0000',
      '0/000.p/0',
      '0/000.p/256',
      '0/000.p/01',
      '7/000',
      '0/x000/000',
    ];
    const others = [
      '0/000.p/257',
      '-1/000',
      '0/../000',
      'entries',
      '/0/000',
      '0/000/',
      'x/000',
      '0/x001/x234/x067',
      '00/000',
    ];
    for (const path of [...paths, ...others]) expect(parseTilePath(path), path).to.equal(undefined);
    fc.assert(
      fc.property(fc.string(), (path) => {
        const parsed = parseTilePath(path);
        if (parsed !== undefined) expect(tilePath(parsed)).to.equal(path);
      }),
    );
  });

  it('of a tree are the full ones and the partial one at the edge of each level', () => {
    expect([...tilesOf(0)]).to.deep.equal([]);
    expect([...tilesOf(3)].map(tilePath)).to.deep.equal(['entries/000.p/3', '0/000.p/3']);
    expect([...tilesOf(256)].map(tilePath)).to.deep.equal(['entries/000', '0/000', '1/000.p/1']);
    expect(
      [...tilesOf(256 * 256 + 257)].map(tilePath).filter((path) => !path.startsWith('e') && !path.startsWith('0')),
    ).to.deep.equal(['1/000', '1/001.p/1', '2/000.p/1']);
    for (const size of [1, 255, 256, 257, 1000]) {
      for (const tile of tilesOf(size)) expect(tileExists(tile, size)).to.equal(true);
    }
    expect(tileExists({ level: 0, index: 0, width: 256 }, 255)).to.equal(false);
    expect(tileExists({ level: 0, index: 0, width: 4 }, 255)).to.equal(true);
    expect(tileExists({ level: 1, index: 0, width: 1 }, 255)).to.equal(false);
  });

  it('give the same root and proofs as the tree itself', async () => {
    const leaves = Array.from({ length: 65_900 }, (_, at) => sm3(Buffer.from(String(at % 500))));
    const read = memoryNodes(sm3, leaves);
    const fromTiles = (size: number): ReturnType<typeof nodesFromTiles> =>
      nodesFromTiles(sm3, size, async (level, index, width) => {
        const hashes = await Promise.all(
          Array.from({ length: width }, (_, at) => read(8 * level, index * TILE_WIDTH + at)),
        );
        return Buffer.concat(hashes);
      });
    for (const [m, n] of [
      [1, 255],
      [255, 256],
      [256, 257],
      [65_536, 65_537],
      [300, 65_900],
    ] as const) {
      const [root1, root2] = [await rootFromNodes(sm3, m, fromTiles(m)), await rootFromNodes(sm3, n, fromTiles(n))];
      expect(root1).to.deep.equal(rootOfLeaves(sm3, leaves.slice(0, m)));
      const proof = await consistencyProof(sm3, m, n, fromTiles(n));
      expect(verifyConsistency(sm3, { size1: m, size2: n, root1, root2, proof })).to.equal(true);
      const inclusion = await inclusionProof(sm3, m - 1, n, fromTiles(n));
      const claim = { index: m - 1, size: n, leaf: leaves[m - 1]!, root: root2, proof: inclusion };
      expect(verifyInclusion(sm3, claim)).to.equal(true);
    }
    expect(tileRoot(sm3, Buffer.concat(leaves.slice(0, 256)))).to.deep.equal(await read(8, 0));
  });

  it('of another length are refused', () => {
    expect(hashesOfTile(Buffer.alloc(64), 2)).to.have.length(2);
    for (const length of [0, 63, 65, 96])
      expect(refusalOf(() => hashesOfTile(Buffer.alloc(length), 2))?.code).to.equal('E_SCHEMA');
  });

  it('a bundle gives its entries back, and anything else is refused', () => {
    const entries = fc.array(
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(entries, (given) => {
        const bundle = encodeEntryBundle(given);
        expect(decodeEntryBundle(bundle, given.length)).to.deep.equal(given);
        expect(refusalOf(() => decodeEntryBundle(bundle, given.length + 1))?.code).to.equal('E_SCHEMA');
        expect(
          refusalOf(() => decodeEntryBundle(Buffer.concat([bundle, Buffer.alloc(1)]), given.length))?.code,
        ).to.equal('E_SCHEMA');
        expect(refusalOf(() => decodeEntryBundle(bundle.subarray(1), given.length))?.code).to.be.oneOf([
          'E_SCHEMA',
          undefined,
        ]);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 256 }), (bytes, width) => {
        try {
          expect(encodeEntryBundle(decodeEntryBundle(Buffer.from(bytes), width))).to.deep.equal(Buffer.from(bytes));
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
    );
    expect(refusalOf(() => encodeEntryBundle([Buffer.alloc(65_536)]))?.code).to.equal('E_SIZE');
  });
});
