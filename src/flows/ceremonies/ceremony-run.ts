/** One ceremony while it runs: its people, files and open keystores. Steps act through it and keep nothing themselves. */
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts';
import { createDigests } from '../../crypto/digests.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { SystemCaller } from '../../domain/caller.ts';
import { inputFile, outputFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import type { CeremonyPlan, CeremonyRegister } from '../../domain/ceremony/plan.ts';
import type { SeatName } from '../../domain/ceremony/seats.ts';
import type { KeystoreName } from '../../domain/ceremony/step-kinds.ts';
import type { TranscriptFile } from '../../domain/ceremony/transcript.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import type { Instance } from '../instance.ts';
import type { CeremonyKeystore } from '../keystore/ceremony-keystore.ts';
import type { SealedShare } from '../keystore/hand-out-shares.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';
import type { Clock } from '../ports/database.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import type { SeatedParticipant } from './participant.ts';
import type { Planning } from './step-act.ts';

export interface CeremonyRunPorts {
  readonly engine: CryptoEngine;
  readonly clock: Clock;
  readonly folder: CeremonyFolder;
  /** Opens the files of the ceremony keystore. */
  readonly openKeystoreFiles: () => KeystoreFiles;
  /** What connects this machine to others, for people; empty when nothing does (C15). */
  readonly network: () => readonly string[];
  /** Of a type that writes into the service. */
  readonly service?: Instance;
}

export interface CeremonyRunFacts extends Planning {
  readonly plan: CeremonyPlan;
  readonly seated: readonly SeatedParticipant[];
  /** What connects the machine, in words; `none` when nothing does. */
  readonly network: string;
  /** Passphrases of inputs that hold private keys, by the name of the input. */
  readonly secrets: ReadonlyMap<string, Buffer>;
}

const CHANGE_LENGTH = 64;
/** Hex digits. */
const CHANGE_MARK = 16;

export class CeremonyRun {
  readonly ports: CeremonyRunPorts;
  readonly facts: CeremonyRunFacts;
  readonly caller: SystemCaller;
  #register: CeremonyRegister;
  #keystoreFiles: KeystoreFiles | undefined;
  #ceremonyKeystore: CeremonyKeystore | undefined;
  readonly #handedOut: { readonly keystore: KeystoreName; readonly share: SealedShare }[] = [];
  readonly #certificates = new Map<string, Certificate>();
  readonly #issued = new Map<string, Certificate>();
  readonly #throwAway = new Map<KeyAlgorithmName, KeyHandle>();
  #repeated: string | undefined;

  constructor(ports: CeremonyRunPorts, facts: CeremonyRunFacts) {
    this.ports = ports;
    this.facts = facts;
    this.caller = { type: 'system', id: `ceremony-${facts.file.id}`.slice(0, 64) };
    this.#register = facts.before;
  }

  get engine(): CryptoEngine {
    return this.ports.engine;
  }

  /** The service that the ceremony writes into. @throws KmcError E_STATE where there is none. */
  get service(): Instance {
    if (this.ports.service !== undefined) return this.ports.service;
    throw new KmcError('E_STATE', 'This ceremony writes into the service: run it where the instance lies.');
  }

  get register(): CeremonyRegister {
    return this.#register;
  }

  /** Id of the change of a keystore that a step makes: the same when the step is resumed, and of no other ceremony. */
  changeId(step: CeremonyStep): string {
    const { file, fileSm3 } = this.facts;
    const mark = sm3(Buffer.from(`${fileSm3}\0${step.id}`, 'utf8'))
      .toString('hex')
      .slice(0, CHANGE_MARK);
    return `${`${file.id}-${step.id}`.slice(0, CHANGE_LENGTH - CHANGE_MARK - 1)}-${mark}`;
  }

  /** Says that a step was begun before and cut: what it did may be there, in part or in full. */
  repeat(step: CeremonyStep): void {
    this.#repeated = step.id;
  }

  isRepeated(step: CeremonyStep): boolean {
    return this.#repeated === step.id;
  }

  /** The change of a keystore whose result was not recorded before the ceremony was cut. */
  get pendingChange(): string | undefined {
    const step = this.facts.file.steps.find((one) => this.isRepeated(one));
    return step && this.changeId(step);
  }

  /** Who attends in which seat, and what connects the machine, as a record tells it. */
  circumstances(): Record<string, string> {
    const { seated, network } = this.facts;
    return { network, ...Object.fromEntries(seated.map((one) => [`seat.${one.person}`, one.seat])) };
  }

  people(seat: SeatName): SeatedParticipant[] {
    return this.facts.seated.filter((one) => one.seat === seat);
  }

  /** The first k custodians that are there. @throws KmcError E_SHARES_FEW. */
  quorum(): SeatedParticipant[] {
    const { k } = this.facts.file.quorum;
    const custodians = this.people('custodian').slice(0, k);
    if (custodians.length === k) return custodians;
    throw new KmcError('E_SHARES_FEW', `Only ${custodians.length} of the ${k} custodians needed are there.`);
  }

  /** The bytes of an input. @throws KmcError E_NOT_FOUND. */
  input(name: string): Buffer {
    const bytes = this.facts.inputs.get(name);
    if (bytes === undefined) throw new KmcError('E_NOT_FOUND', `There is no input ${name}.`);
    return bytes;
  }

  /** An input as a transcript names it. */
  inputEntry(name: string): TranscriptFile {
    const isSecret = this.facts.file.inputs.some((input) => input.name === name && input.secret);
    return { name: isSecret ? `secret/${name}` : inputFile(name), sm3: createDigests(this.input(name)).sm3 };
  }

  /**
   * Writes a new file below `outputs/`. After a cut it may be there already, with this content.
   * @throws KmcError E_EXISTS, E_STORAGE.
   */
  write(name: string, bytes: Buffer): TranscriptFile {
    const { folder } = this.ports;
    if (this.#repeated === undefined) folder.create(outputFile(name), bytes);
    else folder.ensure(outputFile(name), bytes);
    return { name: outputFile(name), sm3: createDigests(bytes).sm3 };
  }

  /** What a step that was cut has written under this name, which no record tells of yet. */
  leftover(step: CeremonyStep, name: string): Buffer | undefined {
    return this.isRepeated(step) ? this.ports.folder.read(outputFile(name)) : undefined;
  }

  /** A certificate that an earlier step made, or an input. @throws KmcError E_NOT_FOUND, E_CERT, E_DER. */
  certificate(name: string): Certificate {
    const known = this.#certificates.get(name);
    if (known !== undefined) return known;
    const bytes = this.ports.folder.read(outputFile(name)) ?? this.input(name);
    const certificate = parseCertificate(bytes);
    this.#certificates.set(name, certificate);
    return certificate;
  }

  /** Keeps shares that this ceremony handed out, for the steps that follow. */
  keepShares(keystore: KeystoreName, shares: readonly SealedShare[]): void {
    this.#handedOut.push(...shares.map((share) => ({ keystore, share })));
  }

  /**
   * The share of a custodian: handed out in this ceremony, or brought along.
   * @param set the share set that is asked for; when the custodian has none of it, another one, which will be refused.
   * @throws KmcError E_NOT_FOUND.
   */
  shareOf(keystore: KeystoreName, custodian: SeatedParticipant, set: string): SealedShare {
    const brought = custodian.shares[keystore];
    const own = [
      ...(brought === undefined ? [] : [brought]),
      ...this.#handedOut
        .filter((one) => one.keystore === keystore && one.share.person === custodian.person)
        .map((one) => one.share),
    ];
    const share = own.find((one) => one.setId === set) ?? own.at(-1);
    if (share !== undefined) return share;
    throw new KmcError('E_NOT_FOUND', `${custodian.name} brought no share of the ${keystore} keystore.`);
  }

  /** Keeps the certificate that this ceremony issued to a person. */
  noteIssued(person: string, certificate: Certificate): void {
    this.#issued.set(person, certificate);
  }

  /** The certificate that this ceremony issued to a person, if it did. */
  issuedTo(person: string): Certificate | undefined {
    return this.#issued.get(person);
  }

  /** The files of the ceremony keystore; opened at their first use. @throws KmcError E_CONFLICT. */
  keystoreFiles(): KeystoreFiles {
    return (this.#keystoreFiles ??= this.ports.openKeystoreFiles());
  }

  useCeremonyKeystore(keystore: CeremonyKeystore): void {
    this.#ceremonyKeystore = keystore;
  }

  /** The open ceremony keystore. @throws KmcError E_SEALED. */
  ceremonyKeystore(): CeremonyKeystore {
    if (this.#ceremonyKeystore !== undefined) return this.#ceremonyKeystore;
    throw new KmcError('E_SEALED', 'The ceremony keystore is not open at this step.');
  }

  /** A root key that may still sign certificates. @throws KmcError E_STATE (restricted), E_NOT_FOUND, E_SEALED. */
  async certifyingKey(keyId: string): Promise<KeyHandle> {
    requireUnrestricted(this.#register, keyId);
    return await this.ceremonyKeystore().rootKey(keyId);
  }

  /** A key of this run alone, which is forgotten at its end: what is to be signed is proved with it first (C7). */
  async throwAwayKey(algorithm: KeyAlgorithmName): Promise<KeyHandle> {
    const known = this.#throwAway.get(algorithm);
    if (known !== undefined) return known;
    const key = await this.engine.generateKeyPair(algorithm);
    this.#throwAway.set(algorithm, key);
    return key;
  }

  restrict(keyId: string): void {
    const keys = new Set([...this.#register.restrictedKeys, keyId]);
    this.#register = { ...this.#register, restrictedKeys: [...keys].sort() };
  }

  /** Writes down the epoch that the ceremony keystore has reached. */
  noteEpoch(epoch: number): void {
    this.#register = { ...this.#register, ceremonyEpoch: String(epoch) };
  }

  closeCeremonyKeystore(): void {
    if (this.#ceremonyKeystore !== undefined) this.noteEpoch(this.#ceremonyKeystore.epoch);
    this.#ceremonyKeystore?.close();
    this.#ceremonyKeystore = undefined;
  }

  /** Closes everything that is open; after a failure too. */
  release(): void {
    for (const key of this.#throwAway.values()) this.engine.destroyKey(key);
    this.#throwAway.clear();
    this.closeCeremonyKeystore();
    this.#keystoreFiles?.close();
    this.#keystoreFiles = undefined;
  }
}

/** @throws KmcError E_STATE when an earlier ceremony restricted the key to CRLs. */
export function requireUnrestricted(register: CeremonyRegister, keyId: string): void {
  if (!register.restrictedKeys.includes(keyId)) return;
  throw new KmcError('E_STATE', `The root key ${keyId} signs only CRLs since an earlier ceremony.`);
}
