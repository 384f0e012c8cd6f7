/** The keystore's own files: each has exactly one form, and anything else is refused with a KmcError. */
import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseStrictJson } from '../../../src/crypto/jcs.ts';
import { decodeFormatFile, encodeFormatFile } from '../../../src/domain/keystore/format-file.ts';
import {
  decodeJournalRecord,
  encodeJournalRecord,
  journalMacInput,
} from '../../../src/domain/keystore/journal-record.ts';
import { compareFiles, decodeManifest, encodeManifest, fileEntry } from '../../../src/domain/keystore/manifest.ts';
import { manifestMacInput } from '../../../src/domain/keystore/manifest.ts';
import { decodeSealFile, encodeSealFile, holderOfIndex } from '../../../src/domain/keystore/seal-file.ts';
import { KmcError } from '../../../src/errors.ts';
import { JOURNAL, MANIFEST, SEAL } from './samples.ts';

interface Specimen {
  readonly name: string;
  readonly bytes: Buffer;
  readonly recode: (bytes: Buffer) => Buffer;
}

const { database: _database, ...ceremonyBody } = JOURNAL.body;
const SPECIMENS: readonly Specimen[] = [
  {
    name: 'FORMAT file',
    bytes: encodeFormatFile({ instance: 'kmc-test', kind: 'ceremony' }),
    recode: (bytes) => encodeFormatFile(decodeFormatFile(bytes)),
  },
  { name: 'manifest', bytes: encodeManifest(MANIFEST), recode: (bytes) => encodeManifest(decodeManifest(bytes)) },
  { name: 'seal file', bytes: encodeSealFile(SEAL), recode: (bytes) => encodeSealFile(decodeSealFile(bytes, 'x')) },
  {
    name: 'journal record',
    bytes: encodeJournalRecord(JOURNAL),
    recode: (bytes) => encodeJournalRecord(decodeJournalRecord(bytes)),
  },
  {
    name: 'journal record of a ceremony',
    bytes: encodeJournalRecord({ ...JOURNAL, body: ceremonyBody }),
    recode: (bytes) => encodeJournalRecord(decodeJournalRecord(bytes)),
  },
];

/** Either refused with a KmcError, or read as exactly the bytes that were given. */
function expectOneForm({ recode }: Specimen, bytes: Buffer): void {
  try {
    expect(recode(bytes).equals(bytes)).to.equal(true);
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    expect(error.code).to.equal('E_INTEGRITY');
  }
}

for (const specimen of SPECIMENS) {
  const { name, bytes, recode } = specimen;
  describe(`${name} as a file`, () => {
    it('reads back to the same bytes', () => expect(recode(bytes)).to.deep.equal(bytes));

    it('is refused at every shorter length and with more behind it', () => {
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => recode(bytes.subarray(0, length)), String(length)).to.throw(KmcError);
      }
      for (const tail of ['\n', ' ', '{}'])
        expect(() => recode(Buffer.concat([bytes, Buffer.from(tail)]))).to.throw(KmcError);
    });

    it('is refused with a field too many, a field too few, or spaces', () => {
      const record = parseStrictJson(bytes);
      const wrong = [
        bytes.toString().replace('{', '{"aaa":"x",'),
        `${JSON.stringify(record, (key, value: unknown) => (key === 'format' ? undefined : value))}\n`,
        `${JSON.stringify(record, (key, value: unknown) => (key === 'format' ? null : value))}\n`,
        `${JSON.stringify(record, undefined, 1)}\n`,
      ];
      for (const text of wrong) expect(() => recode(Buffer.from(text))).to.throw(KmcError);
    });

    it('has one form only, whichever byte is changed', () => {
      fc.assert(
        fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
          const altered = Buffer.from(bytes);
          altered[position]! ^= change;
          expectOneForm(specimen, altered);
        }),
        { numRuns: 300 },
      );
    });

    it('refuses arbitrary bytes and arbitrary JSON', () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => expectOneForm(specimen, Buffer.from(noise))));
      fc.assert(fc.property(fc.json(), (json) => expectOneForm(specimen, Buffer.from(`${json}\n`))));
    });
  });
}

describe('manifest', () => {
  it('any altered bit is found by its own digest, the MAC apart', () => {
    const bytes = encodeManifest(MANIFEST);
    const macAt = bytes.indexOf('"mac":');
    for (let position = 0; position < macAt; position += 1) {
      const altered = Buffer.from(bytes);
      altered[position]! ^= 1;
      expect(() => decodeManifest(altered), String(position))
        .to.throw(KmcError)
        .with.property('code', 'E_INTEGRITY');
    }
  });

  it('is refused when its files are unsorted, doubled, or not of its kind', () => {
    const [a, b] = MANIFEST.body.files;
    const lists = [[b!, a!], [a!, a!], [fileEntry('kek/backup/0001.blob', Buffer.alloc(1))]];
    for (const files of lists) {
      const bytes = encodeManifest({ ...MANIFEST, body: { ...MANIFEST.body, files } });
      expect(() => decodeManifest(bytes))
        .to.throw(KmcError)
        .with.property('code', 'E_INTEGRITY');
    }
  });

  it('names what is missing, altered and foreign', () => {
    const [a, b, c] = MANIFEST.body.files;
    const found = [{ ...a!, size: 11 }, c!, fileEntry('tomb/x.json', Buffer.alloc(0))];
    expect(compareFiles(MANIFEST.body.files, found)).to.deep.equal({
      missing: [b!.path],
      altered: [a!.path],
      unlisted: ['tomb/x.json'],
    });
  });

  it('and journal record have MAC inputs that cannot be taken for each other', () => {
    expect(manifestMacInput(MANIFEST.body).subarray(0, 25).toString()).to.equal('KMC-KEYSTORE-MANIFEST-V1\0');
    expect(journalMacInput(JOURNAL.body).subarray(0, 24).toString()).to.equal('KMC-KEYSTORE-JOURNAL-V1\0');
  });
});

describe('seal file', () => {
  const contradictions: readonly (readonly [string, typeof SEAL])[] = [
    ['a threshold above the number of shares', { ...SEAL, set: { ...SEAL.set, threshold: 4 } }],
    ['another count than shares', { ...SEAL, set: { ...SEAL.set, count: 4 } }],
    ['one person with two shares', { ...SEAL, holders: SEAL.holders.map((holder) => ({ ...holder, person: 'p-1' })) }],
    [
      'one certificate with two shares',
      { ...SEAL, holders: SEAL.holders.map((holder) => ({ ...holder, certificate: `sm3:${'f'.repeat(64)}` })) },
    ],
  ];
  for (const [what, seal] of contradictions) {
    it(`is refused with ${what}`, () => {
      expect(() => decodeSealFile(encodeSealFile(seal), 'seal.json')).to.throw(KmcError, 'seal.json');
    });
  }

  it('names the holder of a share, and refuses an index without one', () => {
    expect(holderOfIndex(SEAL, 9).person).to.equal('p-9');
    expect(() => holderOfIndex(SEAL, 2))
      .to.throw(KmcError)
      .with.property('code', 'E_INTEGRITY');
  });
});
