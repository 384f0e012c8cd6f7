/**
 * A stage on which one machine plays every part of a development instance: people with their keys in one folder, and
 * ceremonies held from the templates of scripts/ceremonies. It protects nothing, and says so in its folder.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePersonFolder } from '../../cli/admin.ts';
import { handOver, loadParticipant, PERSON_FILES, SHARE_FILES } from '../../cli/participants.ts';
import { unsealWith } from '../../cli/unseal-here.ts';
import { loadCeremonyFile } from '../../config/ceremony-file.ts';
import type { Environment } from '../../config/environment.ts';
import { randomBytes } from '../../crypto/random.ts';
import { personInputName } from '../../domain/ceremony/people.ts';
import type { VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { KmcError } from '../../errors.ts';
import { afterCeremony, handedOver } from '../../flows/ceremonies/hand-over.ts';
import { holdCeremony } from '../../flows/ceremonies/hold-ceremony.ts';
import { importCeremony } from '../../flows/ceremonies/import-ceremony.ts';
import type { Participant } from '../../flows/ceremonies/participant.ts';
import { prepareCeremony } from '../../flows/ceremonies/prepare-ceremony.ts';
import type { CeremonySite } from '../../flows/ports/ceremony-site.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { SYSTEM_CLOCK, type OpenedInstance } from '../open-instance.ts';
import type { CastMember } from './cast.ts';

export interface StageOptions {
  readonly environment: Environment;
  readonly instance: OpenedInstance;
  readonly site: CeremonySite;
  /** Where people, ceremonies and their inputs are kept. */
  readonly folder: string;
}

export interface HoldOptions {
  /** Inputs besides the certificates of people, by name. */
  readonly inputs?: ReadonlyMap<string, Buffer>;
  /** Passphrases of inputs with private keys, by input; wiped. */
  readonly secrets?: ReadonlyMap<string, Buffer>;
  readonly values?: ReadonlyMap<string, string>;
  readonly progress?: (done: number, total: number, text: string) => void;
}

const TEMPLATES = fileURLToPath(new URL('../../../scripts/ceremonies', import.meta.url));
const WARNING =
  'DEVELOPMENT ONLY: keys and passphrases of every person of this instance lie here. It protects nothing.\n';
const PASSPHRASE_OCTETS = 18;

export class DevelopmentStage {
  readonly #options: StageOptions;
  readonly #people = new Map<string, Participant>();
  #previous: VerifiedBundle | undefined;

  constructor(options: StageOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(options.folder, 'WARNING.txt'), WARNING);
  }

  /** Everybody on the stage, by the name of the folder. */
  get people(): ReadonlyMap<string, Participant> {
    return this.#people;
  }

  /** A person. @throws KmcError E_NOT_FOUND. */
  person(name: string): Participant {
    const person = this.#people.get(name);
    if (person === undefined) throw new KmcError('E_NOT_FOUND', `There is nobody called ${name} on this stage.`);
    return person;
  }

  folderOf(name: string): string {
    return join(this.#options.folder, 'people', name);
  }

  /** The folder of a ceremony's bundle. */
  bundleOf(ceremony: string): string {
    return join(this.#options.folder, 'ceremonies', ceremony);
  }

  /** Makes the key and self-signed certificate of each member; one passphrase file for all, as `passphrase.txt`. */
  async makePeople(cast: readonly CastMember[], progress?: (done: number, total: number) => void): Promise<void> {
    let done = 0;
    const passphrase = Buffer.from(randomBytes(PASSPHRASE_OCTETS).toString('base64url'));
    writeFileSync(this.passphraseFile, passphrase, { mode: 0o600, flag: 'wx' });
    // The key derivation of each file runs in the thread pool: all of them at once.
    await Promise.all(
      cast.map(async ({ folder, ...person }) => {
        await makePersonFolder(this.#options.instance, person, this.folderOf(folder), passphrase);
        writeFileSync(join(this.folderOf(folder), PERSON_FILES.passphrase), passphrase, { mode: 0o600 });
        done += 1;
        progress?.(done, cast.length);
      }),
    );
    await this.loadPeople();
  }

  get passphraseFile(): string {
    return join(this.#options.folder, 'passphrase.txt');
  }

  /** Loads the people of an earlier run: all, or only those who hold shares (deriving a key takes its time). */
  async loadPeople(who: 'everybody' | 'holders' = 'everybody'): Promise<void> {
    const folder = join(this.#options.folder, 'people');
    const never = { passphrase: () => Promise.reject(new KmcError('E_PASSPHRASE', 'A passphrase file is missing.')) };
    const names = (existsSync(folder) ? readdirSync(folder) : []).filter(
      (name) => who === 'everybody' || existsSync(join(folder, name, SHARE_FILES.service)),
    );
    // As in makePeople: all key derivations at once.
    const loaded = await Promise.all(
      names.map((name) => loadParticipant(never, this.#options.instance.engine, { name, folder: join(folder, name) })),
    );
    for (const participant of loaded) this.#people.set(participant.name, participant);
  }

  /** Opens the service keystore with the shares on the stage. */
  async unseal(): Promise<void> {
    await unsealWith(this.#options.instance, [...this.#people.values()]);
  }

  /** Holds the ceremony of a template, from its file to the verified bundle, and hands out what it made for people. */
  async hold(template: string, options: HoldOptions = {}): Promise<VerifiedBundle> {
    const { environment, instance, site } = this.#options;
    const inputs = this.#inputs(options.inputs ?? new Map());
    const text = prepareCeremony(readFileSync(join(TEMPLATES, `${template}.template.yaml`), 'utf8'), {
      certificateOf: (name) => this.person(name).certificate,
      inputs,
      previous: this.#previous?.digest ?? 'none',
      now: instance.clock.now(),
      values: options.values ?? new Map(),
    });
    const bytes = Buffer.from(text, 'utf8');
    const { policies, policyDigest, engine } = instance;
    const file = loadCeremonyFile(bytes, { policies, environment: environment.environment });
    const { environment: kind, instance: id } = environment;
    const bundle = await holdCeremony(
      { instance: id, environment: kind, policies, policyDigest, tool: site.tool() },
      {
        engine,
        clock: SYSTEM_CLOCK,
        folder: site.folder(this.bundleOf(file.id)),
        openKeystoreFiles: () => site.openKeystoreFiles(),
        network: () => site.network(),
        service: instance,
      },
      {
        file,
        bytes,
        inputs,
        people: [...this.#people.values()],
        ...(this.#previous === undefined ? {} : { previous: this.#previous }),
        ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
        ...(options.progress === undefined ? {} : { progress: options.progress }),
      },
    );
    this.#previous = bundle;
    this.#handOver(file.id);
    return bundle;
  }

  /** Lets the service verify a closed bundle and take in what it made. */
  async import(ceremony: string): Promise<readonly string[]> {
    const { instance, site } = this.#options;
    const folder = site.folder(this.bundleOf(ceremony));
    const imported = await importCeremony({ ...instance, folder }, { type: 'system', id: instance.node });
    return imported.authorities;
  }

  #inputs(given: ReadonlyMap<string, Buffer>) {
    const certificates = new Map(
      [...this.#people.values()].flatMap(({ certificate }) => {
        const person = subjectPerson(parseCertificate(certificate).subject);
        return person === undefined ? [] : [[personInputName(person), certificate] as const];
      }),
    );
    return {
      read(name: string): Buffer {
        const bytes = given.get(name) ?? certificates.get(name);
        if (bytes === undefined) throw new KmcError('E_NOT_FOUND', `The ceremony asks for an input ${name}.`);
        return Buffer.from(bytes);
      },
    };
  }

  #handOver(ceremony: string): void {
    const { site } = this.#options;
    const given = handedOver(site.folder(this.bundleOf(ceremony)).files());
    for (const [name, participant] of this.#people) {
      const person = subjectPerson(parseCertificate(participant.certificate).subject);
      const mine = given.find((one) => one.person === person?.id);
      if (mine === undefined) continue;
      handOver(this.folderOf(name), mine);
      this.#people.set(name, afterCeremony(participant, mine));
    }
  }
}
