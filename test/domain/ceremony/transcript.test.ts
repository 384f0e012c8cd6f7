import { expect } from 'chai';
import fc from 'fast-check';
import { readClosing } from '../../../src/domain/ceremony/closing.ts';
import { readPlan } from '../../../src/domain/ceremony/plan.ts';
import { readSeatSignature } from '../../../src/domain/ceremony/seat-signature.ts';
import { readTranscript, TranscriptChain, type RecordFacts } from '../../../src/domain/ceremony/transcript.ts';
import { readShareFile } from '../../../src/flows/ceremonies/participant.ts';
import { refusalOf } from '../refusal.ts';

const PLAN = `sm3:${'a'.repeat(64)}`;
const FACTS: RecordFacts = {
  kind: 'result',
  step: 's1',
  at: '2026-12-03T01:00:00Z',
  elapsed: '12',
  operator: 'p-owner-1',
  text: '演练: every known-answer test passed',
  outcome: 'success',
  files: [{ name: 'outputs/a.cer', sm3: PLAN }],
  facts: { engine: 'software' },
};

function transcriptOf(...records: readonly RecordFacts[]): { bytes: Buffer; head: string } {
  const chain = new TranscriptChain(PLAN);
  return { bytes: Buffer.concat(records.map((record) => chain.next(record).line)), head: chain.head };
}

const WHOLE = transcriptOf(FACTS, { ...FACTS, step: 's2' }, { ...FACTS, kind: 'end', step: '-' });

describe('domain/ceremony/transcript', () => {
  it('reads back what it wrote, and its head is that of the chain', () => {
    const read = readTranscript(WHOLE.bytes, PLAN);
    expect(read.fault).to.equal(undefined);
    expect(read.head).to.equal(WHOLE.head);
    expect(read.records.map(({ n, step }) => `${n} ${step}`)).to.deep.equal(['0 s1', '1 s2', '2 -']);
  });

  it('the same records after another plan are no transcript of it', () => {
    expect(readTranscript(WHOLE.bytes, `sm3:${'b'.repeat(64)}`).fault).to.deep.equal({
      record: 0,
      detail: 'it does not follow on the record before it',
    });
  });

  it('a transcript that does not end with its last record is incomplete', () => {
    const { bytes } = transcriptOf(FACTS);
    expect(readTranscript(bytes, PLAN).fault?.record).to.equal(1);
    expect(readTranscript(WHOLE.bytes.subarray(0, -1), PLAN).fault).not.to.equal(undefined);
    expect(readTranscript(Buffer.alloc(0), PLAN).fault?.record).to.equal(0);
  });

  it('every change of one octet is found', () => {
    for (let at = 0; at < WHOLE.bytes.length; at += 1) {
      const changed = Buffer.from(WHOLE.bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(readTranscript(changed, PLAN).fault, `octet ${at}`).not.to.equal(undefined);
    }
  });

  it('no record takes text with control characters or a number', () => {
    const chain = new TranscriptChain(PLAN);
    expect(refusalOf(() => chain.next({ ...FACTS, text: 'a\nb' }))?.code).to.equal('E_SCHEMA');
    expect(refusalOf(() => chain.next({ ...FACTS, elapsed: 'soon' }))?.code).to.equal('E_SCHEMA');
  });

  it('the readers of bundles refuse anything, and only with their own error', () => {
    const readers = [readPlan, readClosing, readSeatSignature, readShareFile] as const;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          readTranscript(Buffer.from(bytes), PLAN);
          for (const read of readers) expect(refusalOf(() => read(Buffer.from(bytes)))).not.to.equal(undefined);
        },
      ),
      { numRuns: 200 },
    );
  });
});
