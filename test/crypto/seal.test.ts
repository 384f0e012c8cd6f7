import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { KmcError } from '../../src/errors.ts';
import {
  kekVersionOf,
  MAX_BLOB_CONTENT,
  openBlob,
  sealBlob,
  type BlobHeader,
  type ExpectedBlobHeader,
} from '../../src/crypto/seal.ts';
import { refusal } from './refusal.ts';

interface BlobCase {
  readonly name: string;
  readonly header: {
    readonly purpose: number;
    readonly kekVersion: number;
    readonly keyId: string;
    readonly usage: string;
    readonly objVersion: number;
    readonly alg: number;
    readonly createdAt: number;
    readonly ptLen: number;
  };
  readonly kekHex: string;
  readonly saltHex: string;
  readonly plaintextHex: string;
  readonly headerHex: string;
  readonly blobHex: string;
}

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/blob-suite1-vectors.json', import.meta.url), 'utf8')) as {
  cases: BlobCase[];
};

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

function headerOf({ header }: BlobCase): BlobHeader {
  const { purpose, kekVersion, keyId, usage, objVersion, alg, createdAt } = header;
  return { purpose, kekVersion, keyId, usage, objectVersion: objVersion, algorithm: alg, createdAt };
}

function expectedOf(header: BlobHeader, changes: Partial<ExpectedBlobHeader> = {}): ExpectedBlobHeader {
  const { purpose, kekVersion, keyId, usage, objectVersion, algorithm } = header;
  return { purpose, kekVersion, keyId, usage, objectVersion, algorithms: [algorithm], ...changes };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'opened';
  } catch (error) {
    return error instanceof KmcError ? `${error.code}: ${error.message}` : String(error);
  }
}

const KEK = randomBytes(32);
const HEADER: BlobHeader = {
  purpose: 2,
  kekVersion: 3,
  keyId: 'k-1',
  usage: 'sign',
  objectVersion: 1,
  algorithm: 1,
  createdAt: 1_790_000_000_000,
};

describe('blob suite 1', () => {
  for (const vector of VECTORS.cases) {
    it(`seals and opens the known answer "${vector.name}"`, () => {
      const header = headerOf(vector);
      const blob = sealBlob(hex(vector.kekHex), header, hex(vector.plaintextHex), hex(vector.saltHex));
      expect(blob.toString('hex')).to.equal(vector.blobHex);
      const opened = openBlob(hex(vector.kekHex), expectedOf(header), blob);
      expect(opened.content.toString('hex')).to.equal(vector.plaintextHex);
      expect(opened.algorithm).to.equal(vector.header.alg);
    });
  }

  it('refuses all 1,932 mutations of a blob: bit flips, truncations, other contexts, a rewritten header', () => {
    const vector = VECTORS.cases.find(({ name }) => name === '121-byte text')!;
    const [blob, kek, header] = [hex(vector.blobHex), hex(vector.kekHex), headerOf(vector)];
    const verdicts: string[] = [];
    const attempt = (expected: ExpectedBlobHeader, bytes: Buffer): void => {
      verdicts.push(codeOf(() => openBlob(kek, expected, bytes)));
    };
    for (let bit = 0; bit < blob.length * 8; bit += 1) {
      const flipped = Buffer.from(blob);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      attempt(expectedOf(header), flipped);
    }
    for (let length = 0; length < blob.length; length += 1) attempt(expectedOf(header), blob.subarray(0, length));
    const otherContexts: Partial<ExpectedBlobHeader>[] = [
      { keyId: 'k-0003' },
      { usage: 'sign' },
      { purpose: 2 },
      { kekVersion: 1 },
      { objectVersion: 1 },
    ];
    for (const changes of otherContexts) attempt(expectedOf(header, changes), blob);
    const rewritten = Buffer.from(blob);
    rewritten.write('k-0003', 13, 'latin1');
    attempt(expectedOf(header, { keyId: 'k-0003' }), rewritten);

    expect(verdicts).to.have.length(1932);
    const suiteBits = verdicts.splice(32, 8);
    expect(suiteBits.every((verdict) => verdict.startsWith('E_SUITE: '))).to.equal(true);
    expect([...new Set(verdicts)]).to.have.length(1);
    expect(verdicts[0]).to.match(/^E_BLOB_AUTH: /);
    expect(codeOf(() => openBlob(kek, expectedOf(header), blob))).to.equal('opened');
  });

  it('refuses a blob with an octet more, and the tags of two blobs swapped', () => {
    const [one, two] = [sealBlob(KEK, HEADER, Buffer.from('one')), sealBlob(KEK, HEADER, Buffer.from('two'))];
    expect(codeOf(() => openBlob(KEK, expectedOf(HEADER), Buffer.concat([one, Buffer.alloc(1)])))).to.match(
      /^E_BLOB_AUTH/,
    );
    two.copy(one, one.length - 32, two.length - 32);
    expect(codeOf(() => openBlob(KEK, expectedOf(HEADER), one))).to.match(/^E_BLOB_AUTH/);
  });

  it('refuses every other suite octet with E_SUITE and has no other suite to fall back to', () => {
    const blob = sealBlob(KEK, HEADER, Buffer.from('content'));
    for (let suite = 0; suite < 256; suite += 1) {
      blob[4] = suite;
      expect(codeOf(() => openBlob(KEK, expectedOf(HEADER), blob))).to.match(suite === 1 ? /^opened/ : /^E_SUITE/);
    }
  });

  it('opens only under the key that sealed it, and only as a kind of content that the opener takes', () => {
    const blob = sealBlob(KEK, HEADER, Buffer.from('content'));
    expect(codeOf(() => openBlob(randomBytes(32), expectedOf(HEADER), blob))).to.match(/^E_BLOB_AUTH/);
    expect(codeOf(() => openBlob(KEK, expectedOf(HEADER, { algorithms: [2, 3] }), blob))).to.match(/^E_BLOB_AUTH/);
    expect(codeOf(() => openBlob(KEK, expectedOf(HEADER, { algorithms: [] }), blob))).to.match(/^E_BLOB_AUTH/);
    expect(codeOf(() => openBlob(KEK, expectedOf(HEADER, { algorithms: [2, 1] }), blob))).to.equal('opened');
  });

  it('takes no content, takes 1 MiB, and refuses an octet more on both sides with E_SIZE', async () => {
    for (const length of [0, MAX_BLOB_CONTENT]) {
      const blob = sealBlob(KEK, HEADER, Buffer.alloc(length, 7));
      expect(openBlob(KEK, expectedOf(HEADER), blob).content.equals(Buffer.alloc(length, 7))).to.equal(true);
    }
    await refusal('E_SIZE', () => sealBlob(KEK, HEADER, Buffer.alloc(MAX_BLOB_CONTENT + 1)));
    await refusal('E_SIZE', () => openBlob(KEK, expectedOf(HEADER), Buffer.alloc(MAX_BLOB_CONTENT + 1024)));
  });

  it('refuses a key-encryption key that is all zero or not 32 octets', async () => {
    const blob = sealBlob(KEK, HEADER, Buffer.alloc(0));
    for (const kek of [Buffer.alloc(32), Buffer.alloc(0), randomBytes(16), randomBytes(33)]) {
      await refusal('E_KEY', () => sealBlob(kek, HEADER, Buffer.alloc(0)));
      await refusal('E_KEY', () => openBlob(kek, expectedOf(HEADER), blob));
    }
  });

  it('refuses header fields out of range', async () => {
    const seal = (changes: Partial<BlobHeader>) => () => sealBlob(KEK, { ...HEADER, ...changes }, Buffer.alloc(0));
    for (const keyId of ['', 'K-1', '-k', 'k/1', 'k'.repeat(65), 'kü']) await refusal('E_ID', seal({ keyId }));
    for (const usage of ['', 'Sign', 'x'.repeat(33)]) await refusal('E_ID', seal({ usage }));
    const wrong: Partial<BlobHeader>[] = [
      { purpose: 256 },
      { kekVersion: 2 ** 32 },
      { objectVersion: -1 },
      { algorithm: 1.5 },
      { algorithm: 65536 },
      { createdAt: Number.NaN },
    ];
    for (const changes of wrong) await refusal('E_SCHEMA', seal(changes));
    await refusal('E_SCHEMA', () => sealBlob(KEK, HEADER, Buffer.alloc(0), randomBytes(15)));
  });

  it('names the version of its key-encryption key, so that the opener can pick the key', async () => {
    const blob = sealBlob(KEK, { ...HEADER, kekVersion: 4_000_000_000 }, Buffer.alloc(0));
    expect(kekVersionOf(blob)).to.equal(4_000_000_000);
    const otherSuite = Buffer.from(blob);
    otherSuite[4] = 2;
    for (const wrong of [Buffer.alloc(0), blob.subarray(0, 9), blob.subarray(1), otherSuite]) {
      await refusal('E_BLOB_AUTH', () => kekVersionOf(wrong));
    }
  });

  it('never repeats a salt, so that sealing the same twice gives unrelated blobs', () => {
    const blobs = Array.from({ length: 50 }, () => sealBlob(KEK, HEADER, Buffer.alloc(32)).toString('hex'));
    expect(new Set(blobs).size).to.equal(50);
  });

  it('gives back exactly what was sealed, or refuses with a KmcError, for any header and any octets', () => {
    const headers = fc.record({
      purpose: fc.nat(255),
      kekVersion: fc.nat(0xffffffff),
      keyId: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/),
      usage: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/),
      objectVersion: fc.nat(0xffffffff),
      algorithm: fc.nat(65535),
      createdAt: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(
        headers,
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 300 }),
        (header, content, noise) => {
          const blob = sealBlob(KEK, header, Buffer.from(content));
          expect(openBlob(KEK, expectedOf(header), blob).content.equals(Buffer.from(content))).to.equal(true);
          const broken = Buffer.concat([blob.subarray(0, noise.length % blob.length), Buffer.from(noise)]);
          expect(codeOf(() => openBlob(KEK, expectedOf(header), broken))).to.match(/^E_(BLOB_AUTH|SUITE)/);
        },
      ),
      { numRuns: 200 },
    );
  });
});
