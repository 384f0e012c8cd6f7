/**
 * A folder in which one ceremony after the other is held, by whichever process: the home of the instance, people with
 * their key files and shares, inputs, prepared ceremony files and bundles. Nothing is kept in memory between two calls of
 * `CeremonyStage.open`, so that a process may end anywhere.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { handOver, loadParticipant, PERSON_FILES } from '../../../../src/cli/participants.ts';
import { loadCeremonyFile } from '../../../../src/config/ceremony-file.ts';
import { readEnvironment } from '../../../../src/config/environment.ts';
import { decodePem, encodePem } from '../../../../src/crypto/asn1/pem.ts';
import { createSoftwareEngine } from '../../../../src/crypto/software-engine.ts';
import { approvalFile } from '../../../../src/domain/ceremony/bundle-files.ts';
import { personInputName } from '../../../../src/domain/ceremony/people.ts';
import { seatsOf } from '../../../../src/domain/ceremony/seats.ts';
import { KmcError } from '../../../../src/errors.ts';
import { approveCeremony } from '../../../../src/flows/ceremonies/approve-ceremony.ts';
import { closeCeremony } from '../../../../src/flows/ceremonies/close-ceremony.ts';
import type { CeremonyRunPorts } from '../../../../src/flows/ceremonies/ceremony-run.ts';
import { handedOver } from '../../../../src/flows/ceremonies/hand-over.ts';
import { makePersonalCertificate } from '../../../../src/flows/ceremonies/make-personal-certificate.ts';
import type { Participant } from '../../../../src/flows/ceremonies/participant.ts';
import { planCeremony, type PlannedCeremony } from '../../../../src/flows/ceremonies/plan-ceremony.ts';
import { prepareCeremony } from '../../../../src/flows/ceremonies/prepare-ceremony.ts';
import { resumeCeremony } from '../../../../src/flows/ceremonies/resume-ceremony.ts';
import { runCeremony } from '../../../../src/flows/ceremonies/run-ceremony.ts';
import { requireVerifiedCeremony } from '../../../../src/flows/ceremonies/verify-ceremony.ts';
import { openCeremonyFolder, openCeremonyInputs } from '../../../../src/keystore/ceremony-folder.ts';
import { openFileKeystore } from '../../../../src/keystore/file-keystore.ts';
import { openInstance, type OpenedInstance } from '../../../../src/main/open-instance.ts';
import { sm3Fingerprint } from '../../../../src/x509/certificate.ts';
import { legacySecrets } from '../legacy-inputs.ts';
import { firstPeople, TEMPLATES, TOOL } from '../workshop.ts';

const PASSPHRASE = 'a passphrase for tests';
/** Those whose keys are ever used; everybody else brings a certificate and stays out. */
const WITH_KEYS = /^(?:custodian-.|security-[13]|owner-.|witness-1|auditor-1|signer-.)$/;

/** Makes the people, with key files that open fast: one iteration, by the openssl program. */
export async function makeStage(root: string): Promise<void> {
  const engine = createSoftwareEngine();
  for (const folder of ['people', 'inputs', 'ceremonies']) mkdirSync(join(root, folder), { recursive: true });
  for (const spec of firstPeople()) {
    const name = spec.id.replace(/^p-/, '');
    const folder = join(root, 'people', name);
    mkdirSync(folder);
    const pem = WITH_KEYS.test(name) ? keyFile() : undefined;
    const key =
      pem === undefined
        ? await engine.generateKeyPair('SM2')
        : await engine.importPkcs8(decodePem(pem, 'ENCRYPTED PRIVATE KEY'), Buffer.from(PASSPHRASE));
    const certificate = await makePersonalCertificate(engine, key, spec, new Date());
    writeFileSync(join(folder, PERSON_FILES.certificate), encodePem('CERTIFICATE', certificate));
    writeFileSync(join(root, 'inputs', personInputName(spec)), certificate);
    if (pem === undefined) continue;
    writeFileSync(join(folder, PERSON_FILES.key), pem);
    writeFileSync(join(folder, PERSON_FILES.passphrase), PASSPHRASE);
  }
}

function keyFile(): string {
  const plain = execFileSync('openssl', ['genpkey', '-algorithm', 'SM2'], { encoding: 'utf8' });
  const shape = ['-topk8', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA256', '-iter', '1'];
  return execFileSync('openssl', ['pkcs8', ...shape, '-passout', `pass:${PASSPHRASE}`], {
    input: plain,
    encoding: 'utf8',
  });
}

/** The process that is killed runs from another folder, and is told where the policies are. */
function policiesOf({ KMC_POLICIES }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return KMC_POLICIES === undefined ? {} : { KMC_POLICIES };
}

/** What is being held: written by `prepare`, read by every process. */
interface Current {
  readonly template: string;
  readonly previous?: string;
}

export class CeremonyStage {
  readonly root: string;
  readonly instance: OpenedInstance;
  readonly people: ReadonlyMap<string, Participant>;

  private constructor(root: string, instance: OpenedInstance, people: ReadonlyMap<string, Participant>) {
    this.root = root;
    this.instance = instance;
    this.people = people;
  }

  static async open(root: string): Promise<CeremonyStage> {
    const instance = await openInstance(readEnvironment({ home: join(root, 'home') }, policiesOf(process.env)));
    const never = { passphrase: () => Promise.reject(new Error('no passphrase file')) };
    const names = readdirSync(join(root, 'people')).filter((name) => WITH_KEYS.test(name));
    const loaded = await Promise.all(
      names.map((name) => loadParticipant(never, instance.engine, { name, folder: join(root, 'people', name) })),
    );
    return new CeremonyStage(root, instance, new Map(loaded.map((one) => [one.name, one])));
  }

  get current(): Current {
    return JSON.parse(readFileSync(join(this.root, 'current.json'), 'utf8')) as Current;
  }

  get folder(): string {
    return join(this.root, 'ceremonies', this.current.template);
  }

  input(name: string, bytes: Buffer): void {
    writeFileSync(join(this.root, 'inputs', name), bytes);
  }

  output(template: string, name: string): Buffer {
    return readFileSync(join(this.root, 'ceremonies', template, 'outputs', name));
  }

  /** Writes the file of the next ceremony. */
  prepare(template: string): void {
    const { template: last } = existsSync(join(this.root, 'current.json')) ? this.current : { template: undefined };
    const previous = last === undefined ? {} : { previous: last };
    const text = prepareCeremony(readFileSync(join(TEMPLATES, `${template}.template.yaml`), 'utf8'), {
      certificateOf: (name) => this.certificateOf(name),
      inputs: openCeremonyInputs(join(this.root, 'inputs')),
      previous: last === undefined ? 'none' : this.#bundle(last).digest,
      now: new Date(),
      values: new Map([
        ['key', 'sm2-root'],
        ['reason', 'the end of a test'],
      ]),
    });
    writeFileSync(join(this.root, 'current.yaml'), text);
    writeFileSync(join(this.root, 'current.json'), JSON.stringify({ template, ...previous }));
  }

  /** Approves, runs and closes the prepared ceremony. */
  async perform(): Promise<void> {
    await this.#hold(runCeremony);
  }

  /** Goes on with it wherever it was cut: what is there is not done again. */
  async finish(): Promise<void> {
    await this.#hold(resumeCeremony);
  }

  /** Gives the people what the ceremony made for them. */
  handOver(): void {
    for (const given of handedOver(openCeremonyFolder(this.folder).files())) {
      handOver(join(this.root, 'people', given.person.replace(/^p-/, '')), given);
    }
  }

  async close(): Promise<void> {
    await this.instance.close();
  }

  get ports(): CeremonyRunPorts {
    const { engine, clock } = this.instance;
    return {
      engine,
      clock,
      folder: openCeremonyFolder(this.folder),
      openKeystoreFiles: () => openFileKeystore(join(this.root, 'home', 'ceremony'), 'ceremony'),
      network: () => [],
      service: this.instance,
    };
  }

  async #hold(conduct: typeof runCeremony): Promise<void> {
    const { ports } = this;
    const { bytes, planned } = this.#planned();
    const { file } = planned.planning;
    const seats = seatsOf(file.quorum);
    const seatOf = ({ certificate }: Participant) =>
      seats.find((one) => one.certificate === sm3Fingerprint(certificate))?.seat;
    const participants = [...this.people.values()].filter((one) => seatOf(one) !== undefined);
    for (const custodian of participants.filter((one) => seatOf(one) === 'custodian').slice(0, file.quorum.k)) {
      const isThere = ports.folder.read(approvalFile(sm3Fingerprint(custodian.certificate))) !== undefined;
      if (!isThere) await approveCeremony(ports, planned, bytes, [custodian]);
    }
    await conduct(ports, { planned, participants, secrets: legacySecrets() });
    try {
      await closeCeremony(ports, file, participants);
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_EXISTS') throw error;
    }
  }

  #planned(): { readonly bytes: Buffer; readonly planned: PlannedCeremony } {
    const { id, environment, policies, policyDigest } = this.instance;
    const { previous } = this.current;
    const bytes = readFileSync(join(this.root, 'current.yaml'));
    const planned = planCeremony(
      { instance: id, environment, policies, policyDigest, tool: TOOL },
      {
        file: loadCeremonyFile(bytes, { policies, environment }),
        bytes,
        inputs: openCeremonyInputs(join(this.root, 'inputs')),
        ...(previous === undefined ? {} : { previous: this.#bundle(previous) }),
      },
    );
    return { bytes, planned };
  }

  #bundle(template: string) {
    return requireVerifiedCeremony(openCeremonyFolder(join(this.root, 'ceremonies', template)));
  }

  certificateOf(name: string): Buffer {
    return decodePem(readFileSync(join(this.root, 'people', name, PERSON_FILES.certificate), 'utf8'), 'CERTIFICATE');
  }
}
