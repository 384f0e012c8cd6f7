import type { CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { shareFile } from '../../../domain/ceremony/bundle-files.ts';
import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { personInputName } from '../../../domain/ceremony/people.ts';
import type { KeystoreName } from '../../../domain/ceremony/step-kinds.ts';
import type { ReadRecord, TranscriptFile } from '../../../domain/ceremony/transcript.ts';
import { subjectPerson } from '../../../domain/person-name.ts';
import { KmcError } from '../../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../../x509/certificate.ts';
import { createKeystore, type CreateKeystorePorts } from '../../keystore/create-keystore.ts';
import type { FutureHolder, HandOut } from '../../keystore/hand-out-shares.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import { encodeShareFile } from '../participant.ts';
import type { StepAct } from '../step-act.ts';
import { discardShares, handedOutFiles, madeChange, type MadeChange } from './keystore-change.ts';

/** The keystore that a step names. */
export function keystoreOf(step: CeremonyStep): KeystoreName {
  return stepText(step, 'keystore') === 'service' ? 'service' : 'ceremony';
}

/**
 * Makes a keystore, sealed, and hands its shares out to the custodians of the file: to their certificates in force, or
 * where none was issued yet to those that they bring.
 */
export const createKeystoreStep: StepAct = {
  async act(run, step) {
    const keystore = keystoreOf(step);
    const files: TranscriptFile[] = [];
    const handOut = handOutOf(run, step, files);
    const made = await madeChange(run, step, keystore);
    if (made !== undefined) files.push(...handedOutFiles(run, step, peopleOf(handOut)));
    const created = made ?? (await create(run, step, handOut));
    if (keystore === 'ceremony') run.noteEpoch(created.epoch);
    return {
      text: `made the ${keystore} keystore and handed out ${handOut.holders.length} shares, ${handOut.threshold} open it`,
      files,
      facts: {
        set: created.setId,
        epoch: String(created.epoch),
        ...Object.fromEntries(created.checkValues.map(({ key, value }) => [`kcv-${key}`, value])),
      },
    };
  },
  recall: recallEpoch,
};

/** The epoch that a step left the ceremony keystore at. */
export function recallEpoch(run: CeremonyRun, step: CeremonyStep, { facts }: ReadRecord): void {
  if (keystoreOf(step) === 'ceremony') run.noteEpoch(Number(facts['epoch']));
}

export function peopleOf({ holders }: Pick<HandOut, 'holders'>): string[] {
  return holders.map((holder) => holder.person);
}

async function create(run: CeremonyRun, step: CeremonyStep, handOut: HandOut): Promise<MadeChange> {
  discardShares(run, step, peopleOf(handOut));
  const { service } = run;
  const source = { node: service.node };
  const input = { instance: service.id, change: run.changeId(step), source, ...handOut };
  return await createKeystore(portsOf(run, keystoreOf(step)), input, run.caller);
}

function portsOf(run: CeremonyRun, keystore: KeystoreName): CreateKeystorePorts {
  const { engine, clock, database, keystore: service } = run.service;
  return keystore === 'ceremony'
    ? { engine, clock, files: run.keystoreFiles() }
    : { engine, clock, database, files: service.ports.files };
}

/** A hand-out to the custodians of the file, or to its recipients; every share becomes an output before the keystore counts. */
export function handOutOf(run: CeremonyRun, step: CeremonyStep, files: TranscriptFile[]): HandOut {
  const { quorum } = run.facts.file;
  const { k, holders } = quorum.recipients ?? quorum;
  const keystore = keystoreOf(step);
  return {
    threshold: k,
    holders: holders.map((certificate) => holderOf(run, certificate)),
    deliver(shares) {
      for (const share of shares) {
        files.push(run.write(shareFile(step.id, share.person), encodeShareFile(keystore, share)));
      }
      run.keepShares(keystore, shares);
    },
  };
}

function holderOf(run: CeremonyRun, certificate: string): FutureHolder {
  const person = run.facts.file.people.find((one) => one.certificate === certificate);
  if (person === undefined) return recipientOf(run, certificate);
  const issued = run.issuedTo(person.id);
  const current = issued ?? parseCertificate(run.input(personInputName(person)));
  return { person: person.id, certificate: sm3Fingerprint(current.der), spki: current.spki };
}

/** Somebody whose certificate stands among the inputs, which are named by the same digest. */
function recipientOf(run: CeremonyRun, certificate: string): FutureHolder {
  const input = run.facts.file.inputs.find((one) => one.sm3 === certificate);
  if (input === undefined) throw new KmcError('E_NOT_FOUND', 'The certificate of a recipient is not among the inputs.');
  const { subject, spki } = parseCertificate(run.input(input.name));
  const person = subjectPerson(subject)?.id;
  if (person === undefined) throw new KmcError('E_CERT', `The certificate ${input.name} does not name a person.`);
  return { person, certificate, spki };
}
