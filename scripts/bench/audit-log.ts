/** What the audit log costs: small transactions with and without their events, and the verification of a log. */
import { join } from 'node:path';
import knexLibrary from 'knex';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { checkpointMessage, encodeNote, noteKeyId } from '../../src/domain/audit/checkpoint.ts';
import { encodeAuditEvent, type AuditEventInput, type ChainHead } from '../../src/domain/audit/event.ts';
import { subjectKey } from '../../src/domain/audit/record.ts';
import { CompactRange, leafHash } from '../../src/domain/audit/tree.ts';
import { AuditVerification } from '../../src/domain/audit/verify.ts';
import { newId } from '../../src/domain/id.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { keepAuditLog } from '../../src/flows/audit/log/keep-audit-log.ts';
import { CheckpointSight } from '../../src/flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../../src/flows/audit/receipts/outstanding-receipts.ts';
import { createRowMac } from '../../src/flows/audit/events/row-mac.ts';
import { createAuditSignerState } from '../../src/keystore/audit-signer-state.ts';
import { theEstate } from '../../test/fixtures/estate.ts';
import { TestInstance } from '../../test/fixtures/instance.ts';
import type { TestPlace } from '../../test/store/postgres-cluster.ts';
import { escrowedKey } from '../../test/store/rows.ts';
import { openPlace, type PlaceName } from './database-place.ts';
import { compare, median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const CLIENTS = 16;
const ORIGIN = 'bench.example.org/audit';

function keyEvent(keyId: string, id: string, action: 'key.suspend' | 'key.reactivate'): AuditEventInput {
  return {
    id,
    action,
    outcome: 'success',
    subjects: [{ type: 'key', id: keyId }],
    actor: { type: 'system', id: 'bench' },
    source: { node: 'node-1' },
    detail: { algorithm: 'SM2' },
  };
}

/** Starts the work behind the flows: sequencer and signer, as the service runs them. @returns what ends it. */
async function startLog({ instance, database, folder }: TestInstance): Promise<() => Promise<void>> {
  const { clock, engine, keystore, audit } = instance;
  const key = await engine.generateKeyPair('SM2');
  const stop = new AbortController();
  const ports = {
    database,
    clock,
    engine,
    auditLog: database.auditLog,
    signerState: createAuditSignerState(join(folder, 'signer')),
    rowMac: createRowMac(engine, keystore.auditMacKeys),
    sight: new CheckpointSight({ name: audit.origin, signer: 'log', spki: key.spki }),
    outstanding: new OutstandingReceipts(),
  };
  const kept = keepAuditLog(ports, {
    signer: () => Promise.resolve({ origin: audit.origin, key }),
    report: ({ quarantined }) => {
      if (quarantined.length > 0) throw new Error('the log refused an event of the benchmark');
    },
    trouble: (error) => {
      throw error;
    },
    signal: stop.signal,
  });
  return async () => {
    stop.abort();
    await kept;
  };
}

/** Escrowed keys, one for each client, that go to and fro between two states. */
class MovingKeys {
  readonly #test: TestInstance;
  readonly #audited: boolean;
  readonly #versions = new Map<string, number>();
  #event = '';

  constructor(test: TestInstance, audited: boolean) {
    this.#test = test;
    this.#audited = audited;
  }

  async fill(): Promise<void> {
    const at = this.#test.clock.now();
    this.#event = newId('ev', at);
    const rows = Array.from({ length: CLIENTS }, (_, n) =>
      escrowedKey(`bench-${n}`, this.#event, { createdAt: at, changedAt: at }),
    );
    await this.#test.database.transaction(async (tx) => {
      await tx.audit.append(keyEvent('bench-0', this.#event, 'key.reactivate'), at);
      await tx.escrowedKeys.insertAll(rows.map((row) => ({ ...row, state: 'generated' as const })));
    });
    for (const { id } of rows) this.#versions.set(id, 1);
  }

  /** Every client changes its own key again and again. @returns transactions a second. */
  async run(milliseconds: number): Promise<{ perSecond: number; count: number }> {
    const start = performance.now();
    let count = 0;
    const client = async (id: string): Promise<void> => {
      while (performance.now() - start < milliseconds) {
        await this.#move(id);
        count += 1;
      }
    };
    await Promise.all([...this.#versions.keys()].map(client));
    return { perSecond: count / ((performance.now() - start) / 1000), count };
  }

  async #move(id: string): Promise<void> {
    const version = this.#versions.get(id) ?? 1;
    const [from, to] = version % 2 === 1 ? (['generated', 'spare'] as const) : (['spare', 'generated'] as const);
    const { clock, database } = this.#test;
    const at = clock.now();
    const event = this.#audited ? newId('ev', at) : this.#event;
    const won = await database.transaction(async (tx) => {
      if (!(await tx.escrowedKeys.transition({ id, from: { state: from, version }, to, at, auditEvent: event })))
        return false;
      if (this.#audited)
        await tx.audit.append(keyEvent(id, event, to === 'spare' ? 'key.reactivate' : 'key.suspend'), at);
      return true;
    });
    if (!won) throw new Error('a key of the benchmark is in another state than expected');
    this.#versions.set(id, version + 1);
  }
}

/** Takes the trigger away that refuses changes without an event of their own: for a throw-away database only. */
async function allowSilentChanges(url: string): Promise<void> {
  const isSqlite = url.startsWith('sqlite:');
  const knex = isSqlite
    ? knexLibrary({ client: 'sqlite3', connection: { filename: url.slice('sqlite:'.length) }, useNullAsDefault: true })
    : knexLibrary({ client: 'pg', connection: url, pool: { min: 0, max: 1 } });
  try {
    await knex.raw(`drop trigger escrowed_keys_audited${isSqlite ? '' : ' on escrowed_keys'}`);
  } finally {
    await knex.destroy();
  }
}

interface MovingTest {
  readonly keys: MovingKeys;
  stop(): Promise<void>;
}

/** An instance with moving keys: with the whole audit log, or with none of it. */
async function startMoving(url: string, audited: boolean): Promise<MovingTest> {
  const test = await TestInstance.make(url, CLIENTS);
  const keys = new MovingKeys(test, audited);
  await keys.fill();
  if (!audited) await allowSilentChanges(url);
  const stopLog = audited ? await startLog(test) : () => Promise.resolve();
  return {
    keys,
    async stop() {
      await stopLog();
      await test.stop();
    },
  };
}

async function appendRates(audited: MovingKeys, bare: MovingKeys, { quick }: BenchOptions): Promise<Measurement> {
  const rounds = quick ? 3 : 7;
  const milliseconds = quick ? 700 : 3_000;
  const own: number[] = [];
  const without: number[] = [];
  let n = 0;
  await audited.run(milliseconds);
  await bare.run(milliseconds);
  for (let round = 0; round < rounds; round += 1) {
    const { perSecond, count } = await audited.run(milliseconds);
    own.push(perSecond);
    n += count;
    without.push((await bare.run(milliseconds)).perSecond);
  }
  return { ...summarize(own, 'transactions/s', n, { 'without audit': median(without) }), clients: CLIENTS };
}

function append(name: string, place: PlaceName, database: string): Benchmark {
  return {
    name,
    what: `transitions of escrowed keys with their events by ${CLIENTS} clients, sequencer and signer running, on ${database}; "without audit" = the same transitions without events, in a database of their own`,
    async run(options) {
      const places: TestPlace[] = [];
      const running: MovingTest[] = [];
      try {
        const moving: MovingKeys[] = [];
        for (const audited of [true, false]) {
          const opened = await openPlace(place);
          if (opened === undefined) return undefined;
          places.push(opened);
          const started = await startMoving(opened.url, audited);
          running.push(started);
          moving.push(started.keys);
        }
        const [audited, bare] = moving;
        return audited === undefined || bare === undefined ? undefined : await appendRates(audited, bare, options);
      } finally {
        for (const one of running) await one.stop();
        for (const one of places) await one.release();
      }
    },
  };
}

/** Events of many subjects, as the log keeps them. */
function writtenEvents(count: number): Buffer[] {
  const heads = new Map<string, ChainHead>();
  const start = Math.floor(Date.now() / 1000) * 1000 - count;
  return Array.from({ length: count }, (_, n) => {
    const at = new Date(start + n);
    const event = keyEvent(`key-${n % 500}`, newId('ev', at), n % 2 === 0 ? 'key.suspend' : 'key.reactivate');
    const { canon, leaf, record } = encodeAuditEvent(event, { log: ORIGIN, at, heads });
    for (const link of record.subj) heads.set(subjectKey(link), { nextN: link.n + 1, lastLeaf: leaf });
    return canon;
  });
}

function treeRoot(events: readonly Buffer[]): Buffer {
  const range = new CompactRange(sm3);
  for (const canon of events) range.append(leafHash(sm3, canon));
  return range.root();
}

/** A full check of the events against a signed note; throws unless everything holds. */
async function fullCheck(events: readonly Buffer[]): Promise<() => Promise<void>> {
  const { engine } = await theEstate();
  const key = await engine.generateKeyPair('SM2');
  const checkpoint = { origin: ORIGIN, size: events.length, root: treeRoot(events) };
  const time = Math.floor(Date.now() / 1000);
  const der = await engine.sign(key, 'SM2-SM3', checkpointMessage('log', time, checkpoint));
  const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
  const keyId = noteKeyId({ name: ORIGIN, signer: 'log', spki: key.spki });
  const note = encodeNote({ checkpoint, signatures: [{ name: ORIGIN, keyId, time, signature }] });
  const policy = { origin: ORIGIN, logKey: spkiSm3(key.spki), clockSkew: 5, maxDelay: 3_600, witnesses: [], quorum: 0 };
  const validity = { notBefore: new Date((time - 86_400) * 1000), notAfter: new Date((time + 86_400) * 1000) };
  return async () => {
    const input = { policy, logSpki: key.spki, validity, checkpoint: note, otherNotes: [] };
    const verification = new AuditVerification(input);
    for (const canon of events) verification.add(canon);
    const { exitCode, findings } = await verification.finish();
    if (exitCode !== 0) throw new Error(`the log of the benchmark does not verify: ${findings[0]?.what}`);
  };
}

async function verify(options: BenchOptions): Promise<Measurement> {
  const events = writtenEvents(options.quick ? 1_000 : 5_000);
  const check = await fullCheck(events);
  const bareHashing = (): void => {
    for (const canon of events) sm3(canon);
  };
  const passes = await compare(check, { 'tree alone': () => treeRoot(events), 'bare SM3': bareHashing }, options);
  const scaled = (value: number): number => value * events.length;
  return {
    ...passes,
    value: scaled(passes.value),
    unit: 'events/s',
    n: scaled(passes.n),
    median: scaled(passes.median),
    min: scaled(passes.min),
    max: scaled(passes.max),
    peers: Object.fromEntries(Object.entries(passes.peers).map(([peer, value]) => [peer, scaled(value)])),
    octetsPerEvent: events.reduce((sum, { length }) => sum + length, 0) / events.length,
  };
}

export const auditBenchmarks: readonly Benchmark[] = [
  append('audit.append', 'sqlite', 'SQLite'),
  append('audit.append.pg', 'postgresql', 'PostgreSQL'),
  {
    name: 'audit.verify',
    what: 'the full strict check of a log on one core; "tree alone" = leaves and root, "bare SM3" = one hash of the octets of each event',
    run: verify,
  },
];
