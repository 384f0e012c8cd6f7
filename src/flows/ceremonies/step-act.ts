/** What every kind of step is in code: what it plans, and what it does. */
import type { CeremonyFile, CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import type { CeremonyRegister, PlannedCertificate, ToolIdentity } from '../../domain/ceremony/plan.ts';
import type { ReadRecord, TranscriptFile } from '../../domain/ceremony/transcript.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { CeremonyRun } from './ceremony-run.ts';

/** Where a ceremony is planned and held. */
export interface CeremonySetting {
  /** Id of the instance. */
  readonly instance: string;
  readonly environment: 'production' | 'development';
  readonly policies: PolicySet;
  /** `sm3:<hex>` */
  readonly policyDigest: string;
  readonly tool: ToolIdentity;
}

/** What is known before anything is done. */
export interface Planning {
  readonly setting: CeremonySetting;
  readonly file: CeremonyFile;
  /** `sm3:<hex>` of the file's octets: serial numbers are made from it. */
  readonly fileSm3: string;
  /** Inputs by name, those that hold private keys included. */
  readonly inputs: ReadonlyMap<string, Buffer>;
  readonly before: CeremonyRegister;
}

export interface StepResult {
  /** What was done, for people. */
  readonly text: string;
  readonly files: readonly TranscriptFile[];
  readonly facts: Readonly<Record<string, string>>;
}

export interface StepAct {
  /** What will be signed, as far as it is known. Throws what doing it would throw, so that a plan finds it. */
  readonly plan?: (planning: Planning, step: CeremonyStep) => PlannedCertificate;
  /**
   * Does it. When `run.isRepeated(step)`, it was begun before and cut: what is there already is taken over, so that nothing
   * is made twice.
   */
  readonly act: (run: CeremonyRun, step: CeremonyStep) => Promise<StepResult>;
  /** Brings back what a step that was done before a cut left to the steps after it. */
  readonly recall?: (run: CeremonyRun, step: CeremonyStep, done: ReadRecord) => void;
}

/** A result without files. */
export function stepDone(text: string, facts: Readonly<Record<string, string>> = {}): StepResult {
  return { text, files: [], facts };
}
