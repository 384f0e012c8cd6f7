/** Ceremonies on a temporary home: the people of the shipped templates, real files, a real database, one engine. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCeremonyFile, readCeremonyFile } from '../../../src/config/ceremony-file.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import type { CeremonyFile } from '../../../src/domain/ceremony/ceremony-file.ts';
import { personInputName } from '../../../src/domain/ceremony/people.ts';
import type { ToolIdentity } from '../../../src/domain/ceremony/plan.ts';
import type { VerifiedBundle } from '../../../src/domain/ceremony/verify-bundle.ts';
import type { CeremonyRunPorts } from '../../../src/flows/ceremonies/ceremony-run.ts';
import { afterCeremony, handedOver } from '../../../src/flows/ceremonies/hand-over.ts';
import { holdCeremony } from '../../../src/flows/ceremonies/hold-ceremony.ts';
import { makePersonalCertificate } from '../../../src/flows/ceremonies/make-personal-certificate.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import { planCeremony, type PlannedCeremony } from '../../../src/flows/ceremonies/plan-ceremony.ts';
import { prepareCeremony } from '../../../src/flows/ceremonies/prepare-ceremony.ts';
import type { CeremonySetting } from '../../../src/flows/ceremonies/step-act.ts';
import { openCeremonyFolder, openCeremonyInputs } from '../../../src/keystore/ceremony-folder.ts';
import { openFileKeystore } from '../../../src/keystore/file-keystore.ts';
import { openInstance, type OpenedInstance } from '../../../src/main/open-instance.ts';

export const TEMPLATES = join(import.meta.dirname, '..', '..', '..', 'scripts', 'ceremonies');

const zeros = (count: number): string => '0'.repeat(count);
export const TOOL: ToolIdentity = {
  bundleSm3: `sm3:${zeros(64)}`,
  bundleSha256: `sha256:${zeros(64)}`,
  node: process.version,
  nodeSm3: `sm3:${zeros(64)}`,
  openssl: process.versions.openssl,
  os: 'test',
  commit: 'none',
  lockSm3: `sm3:${zeros(64)}`,
  engine: 'software',
};

export interface Prepared {
  readonly file: CeremonyFile;
  readonly bytes: Buffer;
}

export interface HoldOptions {
  readonly secrets?: ReadonlyMap<string, Buffer>;
  /** A change of the template that is filled in. */
  readonly change?: (text: string) => string;
  readonly values?: ReadonlyMap<string, string>;
}

/** Ids of the shipped templates: their folders have the names of the templates. */
const FIRST_IDS: Readonly<Record<string, string>> = {
  'ca-root': 'sm2-root',
  'ca-issuing': 'sm2-issuing',
  'cross-sign': 'sm2-links',
  destroy: 'destroy-root',
};

export class Workshop {
  readonly root: string;
  readonly instance: OpenedInstance;
  /** By the name of the person's folder: `custodian-1`. */
  people: ReadonlyMap<string, Participant>;
  previous: VerifiedBundle | undefined;

  private constructor(root: string, instance: OpenedInstance, people: ReadonlyMap<string, Participant>) {
    this.root = root;
    this.instance = instance;
    this.people = people;
  }

  /** A new home with everybody's key, and nothing else. */
  static async open(): Promise<Workshop> {
    const root = mkdtempSync(join(tmpdir(), 'kmc-ceremony-'));
    mkdirSync(join(root, 'inputs'));
    const instance = await openInstance(readEnvironment({ home: join(root, 'home') }, {}));
    const people = new Map<string, Participant>();
    for (const spec of firstPeople()) {
      const key = await instance.engine.generateKeyPair('SM2');
      const certificate = await makePersonalCertificate(instance.engine, key, spec, new Date());
      const name = spec.id.replace(/^p-/, '');
      people.set(name, { name, key, certificate, shares: {} });
      writeFileSync(join(root, 'inputs', personInputName(spec)), certificate);
    }
    return new Workshop(root, instance, people);
  }

  get setting(): CeremonySetting {
    const { id, environment, policies, policyDigest } = this.instance;
    return { instance: id, environment, policies, policyDigest, tool: TOOL };
  }

  ports(name: string, withService = true): CeremonyRunPorts {
    return {
      engine: this.instance.engine,
      clock: this.instance.clock,
      folder: openCeremonyFolder(this.folder(name)),
      openKeystoreFiles: () => openFileKeystore(join(this.root, 'home', 'ceremony'), 'ceremony'),
      network: () => [],
      ...(withService ? { service: this.instance } : {}),
    };
  }

  folder(name: string): string {
    return join(this.root, 'ceremonies', name);
  }

  input(name: string, bytes: Buffer): void {
    writeFileSync(join(this.root, 'inputs', name), bytes);
  }

  output(ceremony: string, name: string): Buffer {
    return readFileSync(join(this.folder(ceremony), 'outputs', name));
  }

  get inputs() {
    return openCeremonyInputs(join(this.root, 'inputs'));
  }

  /** The text of a template with everything filled in. */
  fill(template: string, values: ReadonlyMap<string, string> = new Map()): string {
    return prepareCeremony(readFileSync(join(TEMPLATES, `${template}.template.yaml`), 'utf8'), {
      certificateOf: (name) => this.person(name).certificate,
      inputs: this.inputs,
      previous: this.previous?.digest ?? 'none',
      now: new Date(),
      values,
    });
  }

  prepare(
    template: string,
    change: (text: string) => string = (text) => text,
    values?: ReadonlyMap<string, string>,
  ): Prepared {
    const bytes = Buffer.from(change(this.fill(template, values)), 'utf8');
    return { bytes, file: loadCeremonyFile(bytes, { policies: this.instance.policies, environment: 'development' }) };
  }

  /** The plan of a prepared ceremony. */
  plan(template: string, prepared: Prepared = this.prepare(template)): PlannedCeremony {
    const previous = this.previous === undefined ? {} : { previous: this.previous };
    return planCeremony(this.setting, { ...prepared, inputs: this.inputs, ...previous });
  }

  person(name: string): Participant {
    const person = this.people.get(name);
    if (person === undefined) throw new Error(`there is no ${name}`);
    return person;
  }

  /** Holds a ceremony from its template; what it gives to people is handed over. */
  async hold(template: string, options: HoldOptions = {}): Promise<VerifiedBundle> {
    const { secrets, change, values } = options;
    const prepared = this.prepare(template, change, values);
    const { id } = prepared.file;
    const ports = this.ports(id === (FIRST_IDS[template] ?? template) ? template : id);
    const bundle = await holdCeremony(this.setting, ports, {
      ...prepared,
      inputs: this.inputs,
      ...(this.previous === undefined ? {} : { previous: this.previous }),
      people: [...this.people.values()],
      ...(secrets === undefined ? {} : { secrets }),
    });
    this.previous = bundle;
    const given = new Map(handedOver(ports.folder.files()).map((one) => [one.person, one]));
    this.people = new Map(
      [...this.people].map(([name, person]) => {
        const own = given.get(`p-${name}`);
        return [name, own === undefined ? person : afterCeremony(person, own)];
      }),
    );
    return bundle;
  }

  async close(): Promise<void> {
    await this.instance.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The first people of the shipped template. */
export function firstPeople() {
  const template = readFileSync(join(TEMPLATES, 'kmc-init.template.yaml'), 'utf8');
  const text = template
    .replaceAll(/\$\{person:[a-z0-9-]+\}/g, `sm3:${zeros(64)}`)
    .replaceAll(/\$\{(?:from|to)\}/g, '2026-01-01T00:00:00Z');
  const { file, findings } = readCeremonyFile(Buffer.from(text, 'utf8'));
  if (file === undefined) throw new Error(JSON.stringify(findings));
  return file.people;
}
