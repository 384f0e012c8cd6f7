import fc from 'fast-check';
import { expect } from 'chai';
import { BACKUP_MARK, encodeFrame, readFrames, type FrameKind } from '../../../src/domain/backup/backup-frames.ts';
import { decodeBackupHeader, encodeBackupHeader, type BackupHeader } from '../../../src/domain/backup/backup-header.ts';
import { decodeBackupRecord, encodeBackupRecord, type BackupRecord } from '../../../src/domain/backup/backup-record.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusal } from '../../crypto/refusal.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/);
const stored = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.maxSafeInteger(),
  fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets)),
  fc.constant(null),
);
const record: fc.Arbitrary<BackupRecord> = fc.oneof(
  fc.record({ kind: fc.constant('head' as const), header: fc.string() }),
  fc.record({ kind: fc.constant('checkpoint' as const), note: fc.string() }),
  fc.record({
    kind: fc.constant('table' as const),
    name,
    columns: fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('row' as const), values: fc.array(stored, { maxLength: 6 }) }),
  fc.record({ kind: fc.constant('end' as const), tables: fc.nat(), rows: fc.nat() }),
);

async function* pieces(octets: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield await Promise.resolve(octets.subarray(at, at + size));
}

const HEADER: BackupHeader = {
  id: `backup-${'0'.repeat(32)}`,
  instance: 'kmc-1',
  environment: 'production',
  origin: 'kmc.example/audit',
  takenAt: new Date('2026-12-01T02:00:00.123Z'),
  expiresAt: new Date('2027-03-01T02:00:00.123Z'),
  epoch: 3,
  set: 'ab'.repeat(16),
  threshold: 3,
  keystore: `sm3:${'c'.repeat(64)}`,
  schema: ['001-core', '017-backups'],
  keks: ['escrow-store-1', 'backup-1'],
  kek: { version: 1, objectVersion: 2, blob: Buffer.from('sealed'), keyCheckValue: Buffer.alloc(8, 7) },
};

describe('the records of a backup', () => {
  it('come back as they were written, whatever stands in a row', () => {
    fc.assert(
      fc.property(record, (one) => {
        const octets = encodeBackupRecord(one);
        expect(octets.readUInt32BE(0)).to.equal(octets.length - 4);
        expect(decodeBackupRecord(octets.subarray(4))).to.deep.equal(one);
      }),
    );
  });

  it('are read, or refused with E_INTEGRITY, whatever octets stand there', () => {
    const near = record.map((one) => encodeBackupRecord(one).subarray(4));
    const broken = fc.tuple(near, fc.nat(), fc.nat(255)).map(([octets, at, value]) => {
      const other = Buffer.from(octets);
      if (other.length > 0) other[at % other.length] = value;
      return other;
    });
    fc.assert(
      fc.property(
        fc.oneof(
          broken,
          fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
        ),
        (octets) => {
          try {
            decodeBackupRecord(octets);
          } catch (error) {
            expect(error instanceof KmcError && error.code).to.equal('E_INTEGRITY');
          }
        },
      ),
    );
  });

  for (const text of [
    '{}',
    '{"head":"a","checkpoint":"b"}',
    '{"head":1}',
    '{"table":"t"}',
    '{"table":"t","columns":[]}',
    '{"table":"t","columns":["a","a"]}',
    '{"table":"t;drop table t","columns":["a"]}',
    '{"table":"t","columns":["a","b c"]}',
    '{"columns":["a"]}',
    '{"end":{"tables":1}}',
    '{"end":{"tables":1,"rows":-1}}',
    '{"end":{"tables":1,"rows":1,"more":1}}',
    '[1.5]',
    '[true]',
    '[[1]]',
    '[{"b":"A"}]',
    '[{"b":"AA==","c":1}]',
    '[{"c":"AA=="}]',
    '"head"',
  ]) {
    it(`are not ${text}`, () => refusal('E_INTEGRITY', () => decodeBackupRecord(Buffer.from(text))));
  }
});

describe('the frames of a backup', () => {
  it('are the same, in whatever pieces the file comes', async () => {
    const kinds = fc.constantFrom<FrameKind>('header', 'keystore', 'part', 'signature');
    const frames = fc.array(fc.tuple(kinds, fc.uint8Array({ maxLength: 50 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 20 }), async (written, size) => {
        const octets = written.map(([kind, content]) => encodeFrame(kind, Buffer.from(content)));
        const read: [FrameKind, Uint8Array][] = [];
        for await (const { kind, content } of readFrames(pieces(Buffer.concat([BACKUP_MARK, ...octets]), size))) {
          read.push([kind, Uint8Array.from(content)]);
        }
        expect(read).to.deep.equal(written.map(([kind, content]) => [kind, Uint8Array.from(content)]));
      }),
    );
  });

  it('are refused where a kind is not known, a length is none, or the file ends within one', async () => {
    const read = async (octets: Buffer): Promise<void> => {
      for await (const frame of readFrames(pieces(octets, 7))) void frame;
    };
    const frame = encodeFrame('part', Buffer.alloc(20));
    const whole = Buffer.concat([BACKUP_MARK, frame]);
    await read(whole);
    for (let kept = BACKUP_MARK.length + 1; kept < whole.length; kept += 1) {
      await refusal('E_INTEGRITY', () => read(whole.subarray(0, kept)));
    }
    for (const head of ['0000000001', '0500000001', '03ffffffff']) {
      await refusal('E_INTEGRITY', () => read(Buffer.concat([BACKUP_MARK, Buffer.from(head, 'hex'), Buffer.alloc(9)])));
    }
    await refusal('E_SCHEMA', () => read(Buffer.from('-----BEGIN CERTIFICATE-----')));
    await refusal('E_SCHEMA', () => read(Buffer.alloc(0)));
  });
});

describe('the header of a backup', () => {
  it('comes back as it was written', () => {
    expect(decodeBackupHeader(encodeBackupHeader(HEADER))).to.deep.equal(HEADER);
  });

  it('is refused with any octet altered that makes it another form', async () => {
    const octets = encodeBackupHeader(HEADER);
    for (let at = 0; at < octets.length; at += 1) {
      const other = Buffer.from(octets);
      other[at] = 0;
      await refusal('E_INTEGRITY', () => decodeBackupHeader(other));
    }
  });
});
