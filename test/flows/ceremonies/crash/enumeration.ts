/**
 * Kills a ceremony at every durable change it makes, each time in a process of its own, goes on with `resume` and `close`,
 * and compares what is there with what an uncut ceremony leaves: as many keys, certificates, people and records, a bundle
 * that verifies, keystores that open (security-and-faults 5.4, C9).
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unsealWith } from '../../../../src/cli/unseal-here.ts';
import { loadParticipant } from '../../../../src/cli/participants.ts';
import { parseAuditRecord, type SubjectType } from '../../../../src/domain/audit/record.ts';
import type { ReadTranscript } from '../../../../src/domain/ceremony/transcript.ts';
import { requireVerifiedCeremony } from '../../../../src/flows/ceremonies/verify-ceremony.ts';
import { importCeremony } from '../../../../src/flows/ceremonies/import-ceremony.ts';
import { encodeKeystoreArchive } from '../../../../src/domain/keystore/keystore-archive.ts';
import { inspectKeystore } from '../../../../src/flows/keystore/inspect-keystore.ts';
import { openFileKeystore } from '../../../../src/keystore/file-keystore.ts';
import { issuingRequest } from '../issuing-request.ts';
import { bringLegacyEstate } from '../legacy-inputs.ts';
import { CeremonyStage, makeStage } from './stage.ts';

const REPOSITORY = join(import.meta.dirname, '../../../..');
const BUNDLE = join(REPOSITORY, 'node_modules/.cache/kmc-crash-ceremonies');
const PROCESSES = 2;
/** Written each time that a keystore is opened or closed, also after a cut. */
const REPEATABLE = new Set(['keystore.share', 'keystore.unseal', 'keystore.seal']);

export interface Enumerated {
  readonly ceremony: string;
  /** Durable changes of an uncut ceremony. */
  readonly points: number;
  /** How many of them were cut. */
  readonly cuts: number;
  readonly violations: readonly string[];
}

/** Each ceremony with what must be there before it. */
type Preparation = (stage: CeremonyStage) => Promise<void> | void;
const MANIFEST_BODY = readFileSync(join(import.meta.dirname, '../../../fixtures/manifest-body.json'));
const nothing: Preparation = () => undefined;
const PREPARATIONS: Readonly<Record<string, Preparation>> = {
  'kmc-init': nothing,
  'ca-root': nothing,
  async 'ca-issuing'(stage) {
    stage.input('sm2-root.cer', stage.output('ca-root', 'sm2-root.cer'));
    await importCurrent(stage);
    stage.input('sm2-issuing.csr', await issuingRequest(stage));
  },
  'legacy-import': (stage) => bringLegacyEstate(stage),
  'cross-sign': nothing,
  reshare: bringRecipients,
  'bundle-signing': (stage) => stage.input('manifest-body.json', MANIFEST_BODY),
  restore(stage) {
    bringRecipients(stage);
    stage.input('ceremony.keystore', archiveOf(stage));
    rmSync(join(stage.root, 'home', 'ceremony'), { recursive: true });
  },
  destroy: nothing,
};

/** The custodians get new shares. */
function bringRecipients(stage: CeremonyStage): void {
  for (const number of [1, 2, 3, 4, 5]) {
    stage.input(`recipient-${number}.cer`, stage.certificateOf(`custodian-${number}`));
  }
}

/** The ceremony keystore as it is now: the shares at hand are those that open it. */
function archiveOf(stage: CeremonyStage): Buffer {
  const files = stage.ports.openKeystoreFiles();
  try {
    return encodeKeystoreArchive({
      manifest: files.manifest()!,
      files: files.list().map(({ path }) => ({ name: path, bytes: files.read(path) })),
    });
  } finally {
    files.close();
  }
}

export const CEREMONIES: readonly string[] = Object.keys(PREPARATIONS);

async function importCurrent(stage: CeremonyStage): Promise<void> {
  await unsealWith(stage.instance, [...stage.people.values()]);
  await importCeremony({ ...stage.instance, folder: stage.ports.folder }, { type: 'system', id: 'kmc' });
}

/** Bundles the process that is killed, so that hundreds of it start fast. */
function buildChild(): string {
  const entry = join(import.meta.dirname, 'crash-child.ts');
  const options = ['--bundle', '--splitting', '--platform=node', '--format=esm', '--packages=external'];
  execFileSync(join(REPOSITORY, 'node_modules/.bin/esbuild'), [
    entry,
    ...options,
    '--log-level=error',
    `--outdir=${BUNDLE}/test/flows/ceremonies`,
    '--out-extension:.js=.mjs',
  ]);
  // The kernel and the workers lie where the build puts them, seen from the bundle.
  rmSync(join(BUNDLE, 'dist'), { recursive: true, force: true });
  symlinkSync(join(REPOSITORY, 'dist'), join(BUNDLE, 'dist'));
  return join(BUNDLE, 'test/flows/ceremonies/crash-child.mjs');
}

/** Works on the ceremonies in their order; every one begins where the one before it ended. */
export class CeremonyEnumeration {
  readonly #folder = mkdtempSync(join(tmpdir(), 'kmc-crash-ceremonies-'));
  readonly #child = buildChild();
  readonly #loseIntent: boolean;

  /** @param loseIntent makes each ceremony forget the record of the step it was cut in, which is wrong. */
  constructor({ loseIntent = false }: { readonly loseIntent?: boolean } = {}) {
    this.#loseIntent = loseIntent;
  }

  /**
   * @param points which of the points 1..count of a ceremony are cut; all of them unless given.
   * @param seen told of each ceremony that is done.
   */
  async run(
    ceremonies: readonly string[],
    points: (count: number, ceremony: string) => readonly number[] = everyPoint,
    seen: (done: Enumerated) => void = () => undefined,
  ): Promise<Enumerated[]> {
    const found: Enumerated[] = [];
    const template = join(this.#folder, 'template');
    await makeStage(template);
    for (const ceremony of CEREMONIES) {
      await this.#prepare(template, ceremony);
      const uncut = this.#copy(template, 'uncut');
      const { points: count } = await this.#perform(uncut, 0);
      const expected = await withStage(uncut, leftBy);
      if (ceremonies.includes(ceremony)) {
        const cuts = points(count, ceremony);
        const violations = await this.#cutAll(template, ceremony, cuts, expected);
        const done = { ceremony, points: count, cuts: cuts.length, violations };
        found.push(done);
        seen(done);
      }
      if (found.length === ceremonies.length) break;
      // What the uncut one left, shares handed over, is what the next one begins with.
      rmSync(template, { recursive: true });
      renameSync(uncut, template);
    }
    return found;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #prepare(root: string, ceremony: string): Promise<void> {
    // The first ceremony makes the home: nothing of it may be there before.
    if (ceremony === CEREMONIES[0]) {
      const aside = join(this.#folder, 'aside');
      cpSync(root, aside, { recursive: true });
      const stage = await CeremonyStage.open(aside);
      stage.prepare(ceremony);
      await stage.close();
      for (const name of ['current.json', 'current.yaml']) cpSync(join(aside, name), join(root, name));
      return;
    }
    const stage = await CeremonyStage.open(root);
    await PREPARATIONS[ceremony]?.(stage);
    stage.prepare(ceremony);
    await stage.close();
  }

  async #cutAll(
    template: string,
    ceremony: string,
    cuts: readonly number[],
    expected: string,
  ): Promise<readonly string[]> {
    const waiting = [...cuts];
    const violations: string[] = [];
    const worker = async (): Promise<void> => {
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        const violation = await this.#cut(template, ceremony, at, expected);
        if (violation !== undefined) violations.push(violation);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, worker));
    return violations;
  }

  async #cut(template: string, ceremony: string, at: number, expected: string): Promise<string | undefined> {
    const root = this.#copy(template, `cut-${at}`);
    try {
      const { signal } = await this.#perform(root, at);
      if (signal !== 'SIGKILL') throw new Error(`the process was not killed: ${String(signal)}`);
      if (this.#loseIntent) loseLastIntent(join(root, 'ceremonies', ceremony, 'transcript.jsonl'));
      const left = await withStage(root, async (stage) => {
        await stage.finish();
        return await leftBy(stage);
      });
      if (left !== expected) throw new Error(`left ${left}, an uncut ceremony leaves ${expected}`);
      return undefined;
    } catch (error) {
      return `${ceremony}, point ${at}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }

  #copy(template: string, name: string): string {
    const root = join(this.#folder, name);
    cpSync(template, root, { recursive: true });
    return root;
  }

  async #perform(root: string, at: number): Promise<{ readonly points: number; readonly signal: string | null }> {
    const env = { ...process.env, KMC_POLICIES: join(REPOSITORY, 'policies') };
    const child = spawn(process.execPath, [this.#child, root, String(at)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => (out += String(text)));
    child.stderr.on('data', (text) => (err += String(text)));
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        if (code === 0 || signal !== null) resolve({ points: Number(out), signal });
        else reject(new Error(`the ceremony failed without being cut: ${err}`));
      });
    });
  }
}

const everyPoint = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** Chooses `sample` points, evenly spread over the middle of equal parts. */
export const spread =
  (sample: number) =>
  (count: number): number[] =>
    sample >= count ? everyPoint(count) : everyPoint(sample).map((at) => Math.ceil(((at - 0.5) * count) / sample));

async function withStage<T>(root: string, work: (stage: CeremonyStage) => Promise<T>): Promise<T> {
  const stage = await CeremonyStage.open(root);
  try {
    return await work(stage);
  } finally {
    await stage.close();
  }
}

/** Wrong on purpose: as if the record before the act had not been durable. The enumeration must find what follows. */
function loseLastIntent(file: string): void {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  if (lines.at(-1)?.includes('"kind":"intent"') === true) {
    writeFileSync(
      file,
      lines
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(''),
    );
  }
}

/** What a ceremony left, in counts and names: two that went well leave the same. @throws when something does not hold. */
async function leftBy(stage: CeremonyStage): Promise<string> {
  const { root, ports } = stage;
  const { closing, transcript } = requireVerifiedCeremony(ports.folder);
  stage.handOver();
  const strays = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'));
  if (strays.length > 0) throw new Error(`temporary files are left: ${strays.join(', ')}`);
  const facts = {
    files: [...ports.folder.files().keys()],
    steps: stepsOf(transcript),
    after: closing.after,
    ceremonyKeystore: keystoreFacts(join(root, 'home', 'ceremony'), 'ceremony'),
    serviceKeystore: keystoreFacts(join(root, 'home', 'service'), 'service'),
    service: await serviceFacts(stage),
  };
  return JSON.stringify(facts);
}

function stepsOf({ records }: ReadTranscript): string[] {
  return records.filter(({ kind, outcome }) => kind === 'result' && outcome === 'success').map(({ step }) => step);
}

/** Epoch and files; the names of share sets are random. */
function keystoreFacts(root: string, kind: 'service' | 'ceremony') {
  const files = openFileKeystore(root, kind);
  try {
    const inspected = inspectKeystore(files);
    if (inspected?.record !== undefined) throw new Error(`a journal record is left in the ${kind} keystore`);
    const names = files.list().map(({ path }) => path.replace(/[0-9a-f]{32}/, 'SET'));
    return { epoch: inspected?.manifest.body.epoch, names };
  } finally {
    files.close();
  }
}

async function serviceFacts({ instance, root, people }: CeremonyStage) {
  const never = { passphrase: () => Promise.reject(new Error('no passphrase file')) };
  const holders = [...people.keys()].filter((name) => name.startsWith('custodian-')).slice(-3);
  const custodians = await Promise.all(
    holders.map((name) => loadParticipant(never, instance.engine, { name, folder: join(root, 'people', name) })),
  );
  await unsealWith(instance, custodians);
  return await instance.database.read(async (reader) => {
    const authorities = await reader.authorities.list({});
    const keys = await reader.keystoreRows.caKeys();
    for (const { keyId } of keys) await instance.keystore.caKey(keyId);
    const persons = await reader.people.list({ limit: 1000 });
    const certificates = await reader.certificates.list({}, { limit: 1000 });
    const subjects: (readonly [SubjectType, string])[] = [
      ['keystore', 'service'],
      ['log', instance.id],
      ...authorities.flatMap(({ id }) => [['authority', id] as const, ['key', id] as const, ['crl', id] as const]),
      ...keys.map(({ keyId }) => ['key', keyId] as const),
      ...persons.map(({ id }) => ['person', id] as const),
    ];
    const acts: string[] = [];
    for (const [type, id] of subjects) {
      const rows = await reader.audit.history(type, id, 0, 1000);
      const all = rows.map(({ canon }) => parseAuditRecord(canon).act);
      acts.push(`${type} ${id}: ${all.filter((act) => !REPEATABLE.has(act)).join(' ')}`);
    }
    return {
      epoch: await reader.instance.keystoreEpoch(),
      authorities: authorities.map(({ id, state }) => `${id} ${state}`),
      keys: keys.map(({ keyId, version }) => `${keyId} ${version}`),
      people: persons.map((one) => `${one.id} ${one.accounts.length} ${one.roles.length}`),
      certificates: certificates.map(({ profile, status }) => `${profile} ${status}`).sort(),
      acts,
    };
  });
}
