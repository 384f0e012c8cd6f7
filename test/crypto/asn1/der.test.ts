import { expect } from 'chai';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import {
  bitString,
  boolean,
  children,
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  cursor,
  decodeDer,
  decodeSequence,
  eachChild,
  enumerated,
  generalizedTime,
  ia5String,
  implicitAs,
  integer,
  nullValue,
  octetString,
  oid,
  printableString,
  readBitString,
  readBoolean,
  readEnumerated,
  readGeneralizedTime,
  readInteger,
  readOctetString,
  readOid,
  readSmallInteger,
  readString,
  readTime,
  readUnsignedInteger,
  sequence,
  sequenceOf,
  set,
  TAG,
  time,
  utf8String,
} from '../../../src/crypto/asn1/der.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusalCode } from './refusal-code.ts';
import { processorTime } from './processor-time.ts';

interface DerCase {
  readonly id: string;
  readonly group: string;
  readonly what: string;
  readonly hex: string;
}

const corpus = JSON.parse(readFileSync(new URL('../../vectors/der-bad-input.json', import.meta.url), 'utf8')) as {
  readonly bad: readonly DerCase[];
  readonly good: readonly DerCase[];
};

/** Groups that are wrong only for their type: the gate passes them, the readers of x509/ refuse them. */
const SCHEMA_CASES = new Set([
  'default-encoded',
  'gentime-before-2050',
  'ext-duplicate',
  'ext-trailing-in-value',
  'ext-critical-false-encoded',
  'ext-empty-sequence',
]);

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function nested(depth: number): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  for (let level = 0; level < depth; level += 1) {
    const header = sequence(Buffer.alloc(length)).subarray(
      0,
      length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5,
    );
    parts.push(Buffer.from(header));
    length += header.length;
  }
  return Buffer.concat(parts.reverse());
}

describe('the strict DER gate', () => {
  for (const item of corpus.bad.filter((row) => !SCHEMA_CASES.has(row.id))) {
    it(`refuses ${item.id}: ${item.what}`, () => {
      expect(refusalCode(() => decodeDer(hex(item.hex)))).to.equal('E_DER');
    });
  }

  for (const item of corpus.good) {
    it(`accepts ${item.id}: ${item.what}`, () => {
      expect(decodeDer(hex(item.hex)).encoded.toString('hex')).to.equal(item.hex);
    });
  }

  it('leaves a GeneralizedTime before 2050 to readTime, which refuses it', () => {
    const early = decodeDer(hex('180f32303439313233313233353935395a'));
    expect(refusalCode(() => readTime(early))).to.equal('E_DER');
    expect(readGeneralizedTime(early).toISOString()).to.equal('2049-12-31T23:59:59.000Z');
  });

  it('refuses INTEGER 02 02 ff 80 and every other padded or empty number', () => {
    for (const bad of ['02020005', '0202ff80', '0200', '0a020005', '0a00']) {
      expect(
        refusalCode(() => decodeDer(hex(bad))),
        bad,
      ).to.equal('E_DER');
    }
  });

  it('never takes an arc of 2^32 + x for the arc x', () => {
    expect(refusalCode(() => decodeDer(hex('060b2a8648908086f70d010101')))).to.equal('E_DER');
    expect(readOid(decodeDer(hex('06092a864886f70d010101')))).to.equal('1.2.840.113549.1.1.1');
    expect(readOid(decodeDer(oid('2.5.4294967295')))).to.equal('2.5.4294967295');
    expect(refusalCode(() => oid('2.5.4294967296'))).to.equal('E_DER');
  });

  it('refuses universal types that nothing here uses, strings outside their set and unfinished wide characters', () => {
    for (const bad of ['0900', '0700', '1b0141', '160180', '120141', '1a0107', '1e0141', '1c03414141', '3b00']) {
      expect(
        refusalCode(() => decodeDer(hex(bad))),
        bad,
      ).to.equal('E_DER');
    }
  });

  it('refuses dates that are not in the calendar', () => {
    for (const digits of [
      '260230000000Z',
      '260010000000Z',
      '260100000000Z',
      '260101240000Z',
      '260101006000Z',
      '2601010000a0Z',
    ]) {
      const encoded = Buffer.concat([Buffer.from([TAG.utcTime, digits.length]), Buffer.from(digits, 'latin1')]);
      expect(
        refusalCode(() => decodeDer(encoded)),
        digits,
      ).to.equal('E_DER');
    }
    expect(readGeneralizedTime(decodeDer(hex('180f30303234303232393030303030305a'))).toISOString()).to.equal(
      '0024-02-29T00:00:00.000Z',
    );
  });

  it('accepts 32 levels and refuses 33, 256, 1000 and 10000 of them without stalling the event loop', () => {
    expect(refusalCode(() => decodeDer(nested(32)))).to.equal(undefined);
    for (const depth of [33, 250, 256, 1000, 10_000]) {
      const input = nested(depth);
      const started = processorTime();
      expect(
        refusalCode(() => decodeDer(input)),
        String(depth),
      ).to.equal('E_DER');
      expect(started()).to.be.below(50);
    }
  });

  it('refuses input above the limit with E_SIZE before looking at it', () => {
    expect(refusalCode(() => decodeDer(Buffer.alloc(1_048_577)))).to.equal('E_SIZE');
    expect(refusalCode(() => decodeDer(octetString(Buffer.alloc(20)), { maxBytes: 21 }))).to.equal('E_SIZE');
    expect(refusalCode(() => decodeDer(octetString(Buffer.alloc(20)), { maxBytes: 22 }))).to.equal(undefined);
  });

  it('never throws anything but a KmcError on arbitrary and on mutated input', () => {
    const seed = sequence(
      oid('1.2.156.10197.1.501'),
      integer(1n << 70n),
      set(utf8String('国'), time(new Date(0))),
      boolean(true),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.tuple(fc.nat(seed.length - 1), fc.nat(255)).map(([at, octet]) => {
            const mutated = Buffer.from(seed);
            mutated[at] = octet;
            return mutated;
          }),
        ),
        (bytes) => {
          expect(refusalCode(() => decodeDer(Buffer.from(bytes)))).to.be.oneOf([undefined, 'E_DER']);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('the DER readers and writers', () => {
  it('bring every integer through, in the shortest form', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        expect(readInteger(decodeDer(integer(value)))).to.equal(value);
      }),
    );
    for (const [value, encoded] of [
      [0, '020100'],
      [127, '02017f'],
      [128, '02020080'],
      [255, '020200ff'],
      [256, '02020100'],
      [-1, '0201ff'],
      [-128, '020180'],
      [-129, '0202ff7f'],
      [-32768, '02028000'],
    ] as const) {
      expect(integer(value).toString('hex')).to.equal(encoded);
      expect(readSmallInteger(decodeDer(integer(value)))).to.equal(value);
    }
  });

  it('bring unsigned magnitudes through and hold their length bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (bytes) => {
        const magnitude = Buffer.from(bytes);
        const read = readUnsignedInteger(decodeDer(integer(magnitude)), 40);
        expect(BigInt(`0x${read.toString('hex')}`)).to.equal(BigInt(`0x00${magnitude.toString('hex')}`));
        expect(read.length === 1 || read[0] !== 0).to.equal(true);
      }),
    );
    expect(refusalCode(() => readUnsignedInteger(decodeDer(integer(-1)), 4))).to.equal('E_DER');
    expect(refusalCode(() => readUnsignedInteger(decodeDer(integer(65536)), 2))).to.equal('E_DER');
    expect(refusalCode(() => readSmallInteger(decodeDer(integer(2 ** 31))))).to.equal('E_DER');
    expect(refusalCode(() => integer(2 ** 60))).to.equal('E_DER');
  });

  it('bring every object identifier through', () => {
    const arc = fc.nat(0xffffffff);
    const dotted = fc.oneof(
      fc
        .tuple(fc.nat(1), fc.nat(39), fc.array(arc, { maxLength: 8 }))
        .map(([root, second, rest]) => [root, second, ...rest].join('.')),
      fc
        .tuple(fc.nat(0xffffffff - 80), fc.array(arc, { maxLength: 8 }))
        .map(([second, rest]) => [2, second, ...rest].join('.')),
    );
    fc.assert(fc.property(dotted, (text) => readOid(decodeDer(oid(text))) === text));
    for (const bad of ['', '1', '3.1', '1.40', '1.2.', '1.02', '1.2.x'])
      expect(
        refusalCode(() => oid(bad)),
        bad,
      ).to.equal('E_DER');
  });

  it('bring strings, bits, octets, booleans and enumerations through', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.uint8Array(),
        fc.boolean(),
        fc.integer(),
        (text, bytes, flag, number) => {
          const octets = Buffer.from(bytes);
          expect(readString(decodeDer(utf8String(text)))).to.equal(text);
          expect(readOctetString(decodeDer(octetString(octets)))).to.deep.equal(octets);
          expect(readBitString(decodeDer(bitString(octets)))).to.deep.equal({ bytes: octets, unusedBits: 0 });
          expect(readBoolean(decodeDer(boolean(flag)))).to.equal(flag);
          expect(readEnumerated(decodeDer(enumerated(number)))).to.equal(number);
        },
      ),
    );
    expect(readString(decodeDer(printableString("A-z 0'")))).to.equal("A-z 0'");
    expect(readString(decodeDer(ia5String('a@b*')))).to.equal('a@b*');
    expect(bitString(Buffer.from([0xc0]), 6).toString('hex')).to.equal('030206c0');
    for (const bad of [
      () => printableString('a*'),
      () => ia5String('é'),
      () => utf8String('\ud800'),
      () => bitString(Buffer.from([1]), 1),
      () => bitString(Buffer.alloc(0), 3),
      () => readString(decodeDer(hex('1e020041'))),
      () => readBoolean(decodeDer(nullValue())),
    ]) {
      expect(refusalCode(bad)).to.equal('E_DER');
    }
  });

  it('write times by the 2049/2050 rule and bring them through to the second', () => {
    expect(time(new Date('2049-12-31T23:59:59.999Z')).toString('latin1', 2)).to.equal('491231235959Z');
    expect(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2)).to.equal('20500101000000Z');
    const moments = fc.date({
      min: new Date('1950-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(moments, (moment) => {
        const seconds = Math.floor(moment.getTime() / 1000) * 1000;
        expect(readTime(decodeDer(time(moment))).getTime()).to.equal(seconds);
        expect(readGeneralizedTime(decodeDer(generalizedTime(moment))).getTime()).to.equal(seconds);
      }),
    );
    expect(refusalCode(() => time(new Date('1949-12-31T23:59:59Z')))).to.equal('E_DER');
    expect(refusalCode(() => time(new Date(Number.NaN)))).to.equal('E_DER');
  });

  it('sort a SET OF so that the gate accepts it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 8 }), (items) => {
        const encoded = set(...items.map((item) => octetString(Buffer.from(item))));
        expect(children(decodeDer(encoded))).to.have.length(items.length);
      }),
    );
  });

  it('write the shortest length for every size class', () => {
    for (const [size, header] of [
      [0x7f, '047f'],
      [0x80, '048180'],
      [0xff, '0481ff'],
      [0x100, '04820100'],
      [0xffff, '0482ffff'],
      [0x10000, '0483010000'],
      [0x1000000, '048401000000'],
    ] as const) {
      const encoded = octetString(Buffer.alloc(size));
      expect(encoded.subarray(0, header.length / 2).toString('hex')).to.equal(header);
      expect(decodeDer(encoded, { maxBytes: 2 ** 25 }).content.length).to.equal(size);
    }
  });

  it('tag explicitly and implicitly, and check what an IMPLICIT tag hid', () => {
    expect(contextExplicit(0, integer(2)).toString('hex')).to.equal('a003020102');
    expect(contextImplicit(1, set(integer(1))).toString('hex')).to.equal('a103020101');
    expect(contextImplicit(0, octetString(hex('aa'))).toString('hex')).to.equal('8001aa');
    expect(contextPrimitive(2, Buffer.from('a.b', 'latin1')).toString('hex')).to.equal('8203612e62');
    expect(readInteger(implicitAs(decodeDer(hex('800105')), TAG.integer))).to.equal(5n);
    for (const bad of ['80020005', '8000', 'a003020105']) {
      expect(
        refusalCode(() => implicitAs(decodeDer(hex(bad)), TAG.integer)),
        bad,
      ).to.equal('E_DER');
    }
    expect(refusalCode(() => implicitAs(decodeDer(hex('a006020102020101')), TAG.set))).to.equal('E_DER');
    expect(refusalCode(() => contextPrimitive(31, Buffer.alloc(0)))).to.equal('E_DER');
  });

  it('walk a structure with a cursor that names what is missing or too much', () => {
    const fields = cursor(decodeDer(sequence(integer(1), boolean(true), nullValue())));
    expect(readInteger(fields.next(TAG.integer, 'version'))).to.equal(1n);
    expect(fields.optional(TAG.oid)).to.equal(undefined);
    expect(fields.peek()?.tag).to.equal(TAG.boolean);
    expect(() => fields.next(TAG.oid, 'algorithm')).to.throw(KmcError, /algorithm must have tag 0x06/);
    expect(() => fields.end('Thing')).to.throw(KmcError, /Thing holds more/);
    expect(fields.any('rest').tag).to.equal(TAG.null);
    expect(fields.remaining).to.equal(0);
    expect(() => fields.any('rest')).to.throw(KmcError, /rest is missing/);
    expect(refusalCode(() => cursor(decodeDer(nullValue())))).to.equal('E_DER');
    expect(decodeSequence(sequence(nullValue()), 'Thing').remaining).to.equal(1);
    expect(() => decodeSequence(set(nullValue()), 'Thing')).to.throw(KmcError, /Thing must have tag 0x30/);
  });

  it('walk and write long lists', () => {
    const list = sequenceOf(Array.from({ length: 200_000 }, () => nullValue()));
    let count = 0;
    for (const item of eachChild(decodeDer(list))) count += item.tag === TAG.null ? 1 : 0;
    expect(count).to.equal(200_000);
  });
});
