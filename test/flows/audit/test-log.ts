/** A whole audit log for tests: settings of a database, MAC key, signer with its certificate, clock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyEncryptionKey, KeyHandle } from '../../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import type { AuditEventInput } from '../../../src/domain/audit/event.ts';
import type { AuditPolicy } from '../../../src/domain/audit/policy.ts';
import { newId } from '../../../src/domain/id.ts';
import { advanceAuditLog, type AuditLogPorts } from '../../../src/flows/audit/log/advance-audit-log.ts';
import { CheckpointSight } from '../../../src/flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../../../src/flows/audit/receipts/outstanding-receipts.ts';
import { createRowMac } from '../../../src/flows/audit/events/row-mac.ts';
import type { LogSigner } from '../../../src/flows/audit/checkpoints/sign-checkpoint.ts';
import type { Clock } from '../../../src/flows/ports/database.ts';
import { createAuditSignerState } from '../../../src/keystore/audit-signer-state.ts';
import type { AuditSettings } from '../../../src/store/audit-events.ts';
import type { KmcDatabase } from '../../../src/store/database.ts';
import { assembleCertificate, encodeTbsCertificate } from '../../../src/x509/certificate.ts';
import { extensionOf } from '../../../src/x509/extensions.ts';
import { keyUsage } from '../../../src/x509/extensions/key-usage.ts';
import { encodeName } from '../../../src/x509/name.ts';

export const ORIGIN = 'kmc.example.org/audit/2026';
export const START = new Date('2026-11-23T11:15:40.123Z');
export const engine = createSoftwareEngine();

/** A clock that stands until a test moves it. */
export class TestClock implements Clock {
  #now = START.getTime();

  now(): Date {
    return new Date(this.#now);
  }

  advance(seconds: number): void {
    this.#now += seconds * 1000;
  }
}

export interface LogKey {
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
}

let first: Promise<LogKey> | undefined;

/** The same key in every test that asks for no other. */
export function logKey(): Promise<LogKey> {
  first ??= makeLogKey();
  return first;
}

/** A key for a log with a self-signed certificate. */
export async function makeLogKey(): Promise<LogKey> {
  const key = await engine.generateKeyPair('SM2');
  return { key, certificate: (await selfSigned(key.spki, (tbs) => engine.sign(key, 'SM2-SM3', tbs))).certificate };
}

/** A certificate for a key of any origin; no verifier of the log looks at its signature. */
export async function selfSigned(
  spki: Buffer,
  sign: (tbs: Buffer) => Promise<Buffer> = () => Promise.resolve(Buffer.from('3006020101020101', 'hex')),
): Promise<LogKey> {
  const name = encodeName([{ type: 'CN', value: 'audit log' }]);
  const tbs = encodeTbsCertificate({
    serialNumber: Buffer.from('0102030405060708', 'hex'),
    signatureAlgorithm: 'SM2-SM3',
    issuer: name,
    subject: name,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2029-01-01T00:00:00Z'),
    spki,
    extensions: [extensionOf(keyUsage, ['digitalSignature'])],
  });
  return { key: { spki } as KeyHandle, certificate: assembleCertificate(tbs, 'SM2-SM3', await sign(tbs)) };
}

/** The MAC key of a keystore that a test can seal. */
export class TestKeystore {
  sealed = false;
  #key: KeyEncryptionKey | undefined;

  async open(): Promise<void> {
    this.#key = { purpose: 'audit-mac', version: 1, secret: await engine.generateSecret(32) };
  }

  current(): KeyEncryptionKey | undefined {
    return this.sealed ? undefined : this.#key;
  }

  version(version: number): KeyEncryptionKey | undefined {
    return version === 1 ? this.current() : undefined;
  }
}

const folders: string[] = [];
process.once('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-signer-'));
  folders.push(folder);
  return folder;
}

export class TestLog {
  readonly clock = new TestClock();
  readonly keystore = new TestKeystore();
  readonly outstanding = new OutstandingReceipts();
  readonly rowMac = createRowMac(engine, this.keystore);
  readonly folder = scratchFolder();
  readonly logKey: LogKey;
  readonly sight: CheckpointSight;
  readonly settings: AuditSettings;

  static async make(key?: LogKey): Promise<TestLog> {
    const log = new TestLog(key ?? (await logKey()));
    await log.keystore.open();
    return log;
  }

  private constructor(key: LogKey) {
    this.logKey = key;
    this.sight = new CheckpointSight({ name: ORIGIN, signer: 'log', spki: key.key.spki });
    this.settings = { origin: ORIGIN, rowMac: this.rowMac, verified: this.sight };
  }

  get signer(): LogSigner {
    return { origin: ORIGIN, key: this.logKey.key };
  }

  get policy(): AuditPolicy {
    return {
      origin: ORIGIN,
      logKey: spkiSm3(this.logKey.key.spki),
      clockSkew: 5,
      maxDelay: 60,
      witnesses: [],
      quorum: 0,
    };
  }

  get validity(): { notBefore: Date; notAfter: Date } {
    return { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2029-01-01T00:00:00Z') };
  }

  ports(database: KmcDatabase): AuditLogPorts {
    return {
      database,
      auditLog: database.auditLog,
      signerState: createAuditSignerState(this.folder),
      engine,
      clock: this.clock,
      rowMac: this.rowMac,
      sight: this.sight,
      outstanding: this.outstanding,
    };
  }

  /** Appends one event in a transaction of its own. */
  async append(database: KmcDatabase, event: AuditEventInput): Promise<void> {
    await database.transaction((tx) => tx.audit.append(event, this.clock.now()));
  }

  /** Moves the clock on by a second, sequences and signs. */
  async advance(database: KmcDatabase): ReturnType<typeof advanceAuditLog> {
    this.clock.advance(1);
    return await advanceAuditLog(this.ports(database), this.signer);
  }
}

/** An event about a device, whole and allowed. */
export function deviceEvent(device: string, given: Partial<AuditEventInput> = {}): AuditEventInput {
  return {
    id: newId('ev'),
    action: 'device.update',
    outcome: 'success',
    subjects: [{ type: 'device', id: device }],
    actor: { type: 'person', id: 'p-operator', role: 'ra-operator' },
    source: { node: 'node-1', request: 'req-1' },
    detail: { profile: 'gateway', region: 'r-1' },
    ...given,
  };
}
