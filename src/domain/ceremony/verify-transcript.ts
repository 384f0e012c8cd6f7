/** Whether an unbroken transcript tells of exactly what was planned: every step, every file, every initial. */
import { createDigests } from '../../crypto/digests.ts';
import { KmcError } from '../../errors.ts';
import { outputFile } from './bundle-files.ts';
import type { CeremonyPlan } from './plan.ts';
import { awaitedShares } from './hand-outs.ts';
import { planQuorum, plannedSteps } from './planned-file.ts';
import { readSeatSignature } from './seat-signature.ts';
import { initialsOf, isInitialOf } from './progress.ts';
import type { SeatName } from './seats.ts';
import type { ReadRecord, ReadTranscript, TranscriptFault } from './transcript.ts';
import { verifySeats } from './verify-signatures.ts';

type Files = ReadonlyMap<string, Buffer>;

/** What does not fit, by record. */
export function transcriptFaults(transcript: ReadTranscript, plan: CeremonyPlan, files: Files): TranscriptFault[] {
  return [
    ...stepFaults(transcript, plan),
    ...fileFaults(transcript, files),
    ...outputFaults(transcript, files),
    ...initialFaults(transcript, plan),
    ...shareFaults(transcript, plan),
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

/** Every holder has given the share back that was handed out (C18). */
function shareFaults({ records }: ReadTranscript, plan: CeremonyPlan): TranscriptFault[] {
  return awaitedShares(plannedSteps(plan), records).map(({ person, keystore }) => ({
    record: records.length,
    detail: `${person} has not given back the share of the ${keystore} keystore`,
  }));
}

/** Each record that people must initial is initialled before anything else is begun (C11, C12). */
function initialFaults({ records }: ReadTranscript, plan: CeremonyPlan): TranscriptFault[] {
  return records.flatMap((record, at) => {
    const rest = records.slice(at + 1);
    const until = rest.findIndex(({ kind }) => kind === 'intent' || kind === 'end');
    return initialsOf(record).flatMap((seat) => {
      const position = rest.slice(0, until).findIndex((one) => isInitialOf(one, record, seat));
      const initials = rest[position];
      if (initials === undefined) return [{ record: at, detail: `the ${seat} did not initial the record` }];
      const detail = signatureFault(initials, record, seat, plan);
      return detail === undefined ? [] : [{ record: at + 1 + position, detail }];
    });
  });
}

function signatureFault(
  initials: ReadRecord,
  record: ReadRecord,
  seat: SeatName,
  plan: CeremonyPlan,
): string | undefined {
  try {
    const signature = readSeatSignature(Buffer.from(initials.facts['signature'] ?? '', 'utf8'));
    verifySeats([signature], {
      purpose: 'initials',
      ceremony: plan.ceremony,
      digest: record.hash,
      quorum: planQuorum(plan),
      needed: { [seat]: 1 },
    });
    return undefined;
  } catch (error) {
    if (error instanceof KmcError) return error.message;
    throw error;
  }
}
