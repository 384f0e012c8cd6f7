import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { seatsOf } from '../../domain/ceremony/seats.ts';
import type { VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { CeremonyInputs } from '../ports/ceremony-folder.ts';
import { approveCeremony } from './approve-ceremony.ts';
import type { CeremonyRunPorts } from './ceremony-run.ts';
import { closeCeremony } from './close-ceremony.ts';
import type { Participant } from './participant.ts';
import { planCeremony, type PreviousCeremony } from './plan-ceremony.ts';
import { runCeremony } from './run-ceremony.ts';
import type { CeremonySetting } from './step-act.ts';
import { requireVerifiedCeremony } from './verify-ceremony.ts';

export interface HeldCeremony {
  /** Linted. */
  readonly file: CeremonyFile;
  /** The octets of the file. */
  readonly bytes: Buffer;
  readonly inputs: CeremonyInputs;
  readonly previous?: PreviousCeremony;
  /** Everybody at hand; those without a seat in this ceremony stay out of it. */
  readonly people: readonly Participant[];
  readonly secrets?: ReadonlyMap<string, Buffer>;
  readonly progress?: (done: number, total: number, text: string) => void;
}

/**
 * Holds a whole ceremony on one machine, where every key is at hand: plan, approvals of k custodians, run, close, and the
 * verification of the closed bundle. For development instances, demonstrations and tests.
 * @throws KmcError as planCeremony, approveCeremony, runCeremony, closeCeremony and requireVerifiedCeremony.
 */
export async function holdCeremony(
  setting: CeremonySetting,
  ports: CeremonyRunPorts,
  held: HeldCeremony,
): Promise<VerifiedBundle> {
  const { file, bytes, inputs, previous, people, secrets, progress } = held;
  const seats = seatsOf(file.quorum);
  const seatOf = (person: Participant) =>
    seats.find((one) => one.certificate === sm3Fingerprint(person.certificate))?.seat;
  const participants = people.filter((person) => seatOf(person) !== undefined);
  const custodians = participants.filter((person) => seatOf(person) === 'custodian').slice(0, file.quorum.k);
  const planned = planCeremony(setting, { file, bytes, inputs, ...(previous === undefined ? {} : { previous }) });
  await approveCeremony(ports, planned, bytes, custodians);
  await runCeremony(ports, {
    planned,
    participants,
    ...(secrets === undefined ? {} : { secrets }),
    ...(progress === undefined ? {} : { progress }),
  });
  await closeCeremony(ports, file, participants);
  return requireVerifiedCeremony(ports.folder);
}
