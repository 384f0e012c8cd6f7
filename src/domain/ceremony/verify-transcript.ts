/** Whether an unbroken transcript tells of exactly what was planned: every step, every file, every initial. */
import { createDigests } from '../../crypto/digests.ts';
import { KmcError } from '../../errors.ts';
import { outputFile } from './bundle-files.ts';
import type { CeremonyPlan } from './plan.ts';
import { planQuorum } from './planned-file.ts';
import { readSeatSignature } from './seat-signature.ts';
import type { ReadTranscript, TranscriptFault } from './transcript.ts';
import { verifySeats } from './verify-signatures.ts';

type Files = ReadonlyMap<string, Buffer>;

/** What does not fit, by record. */
export function transcriptFaults(transcript: ReadTranscript, plan: CeremonyPlan, files: Files): TranscriptFault[] {
  return [
    ...stepFaults(transcript, plan),
    ...fileFaults(transcript, files),
    ...outputFaults(transcript, files),
    ...initialFaults(transcript, plan),
  ];
}

function stepFaults({ records }: ReadTranscript, plan: CeremonyPlan): TranscriptFault[] {
  const done = records.flatMap((record, at) =>
    record.kind === 'result' && record.outcome === 'success' ? [{ step: record.step, at }] : [],
  );
  const planned = plan.steps.map((step) => step.id);
  const wrong = done.find(({ step }, position) => step !== planned[position]);
  if (wrong !== undefined) return [{ record: wrong.at, detail: `step ${wrong.step} is not the planned one` }];
  const missing = planned[done.length];
  if (missing === undefined) return [];
  return [{ record: records.length, detail: `step ${missing} was planned and is not there` }];
}

function fileFaults({ records }: ReadTranscript, files: Files): TranscriptFault[] {
  return records.flatMap((record, at) =>
    record.files.flatMap(({ name, sm3 }) => {
      const bytes = files.get(name);
      if (bytes === undefined) {
        // An input that holds a private key is named by its digest and never copied.
        return name.startsWith('secret/') ? [] : [{ record: at, detail: `the file ${name} is missing` }];
      }
      const matches = createDigests(bytes).sm3 === sm3;
      return matches ? [] : [{ record: at, detail: `the file ${name} is not the one that was written` }];
    }),
  );
}

function outputFaults({ records }: ReadTranscript, files: Files): TranscriptFault[] {
  const written = new Set(records.flatMap((record) => record.files.map((file) => file.name)));
  return [...files.keys()]
    .filter((name) => name.startsWith(outputFile('')) && !written.has(name))
    .map((name) => ({ record: records.length, detail: `no record tells of the file ${name}` }));
}

function initialFaults({ records }: ReadTranscript, plan: CeremonyPlan): TranscriptFault[] {
  return records.flatMap((record, at) => {
    if (record.kind !== 'result') return [];
    const initials = records[at + 1];
    const text =
      initials?.kind === 'initials' && initials.step === record.step ? initials.facts['signature'] : undefined;
    if (text === undefined) return [{ record: at, detail: `the witness did not initial step ${record.step}` }];
    try {
      const signature = readSeatSignature(Buffer.from(text, 'utf8'));
      verifySeats([signature], {
        purpose: 'initials',
        ceremony: plan.ceremony,
        digest: record.hash,
        quorum: planQuorum(plan),
        needed: { witness: 1 },
      });
      return [];
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      return [{ record: at + 1, detail: error.message }];
    }
  });
}
