/** One development instance with keys in its stores, open and unsealed, and backups that its people order as everywhere. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, type Environment } from '../../src/config/environment.ts';
import { newId } from '../../src/domain/id.ts';
import type { PersonCaller, SystemCaller } from '../../src/domain/caller.ts';
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { createRequest } from '../../src/flows/approvals/create-request.ts';
import { decideRequest } from '../../src/flows/approvals/decide-request.ts';
import { executeRequest } from '../../src/flows/approvals/execute-request.ts';
import { signDecision } from '../../src/flows/approvals/sign-decision.ts';
import { advanceAuditLog } from '../../src/flows/audit/log/advance-audit-log.ts';
import { chooseKey } from '../../src/flows/keys/choose-key.ts';
import { ownedKey, takeKey } from '../../src/flows/keys/take-key.ts';
import { refillPool } from '../../src/flows/pools/refill-pool.ts';
import { encodeName } from '../../src/x509/name.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { ceremonySiteOf } from '../../src/main/ceremony-place.ts';
import { DevelopmentStage } from '../../src/main/development/stage.ts';
import { STAGE_FOLDER } from '../../src/main/home-folder.ts';
import { initInstance } from '../../src/main/init.ts';
import { openInstance, type OpenedInstance } from '../../src/main/open-instance.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { withPool } from '../fixtures/instance.ts';

export const CUSTODIANS = ['custodian-1', 'custodian-2', 'custodian-3'] as const;
const SYSTEM: SystemCaller = { type: 'system', id: 'node-1' };

export interface MadeBackup {
  readonly id: string;
  readonly file: string;
  readonly result: Readonly<Record<string, unknown>>;
}

export class BackupStage {
  readonly root: string;
  readonly environment: Environment;
  readonly instance: OpenedInstance;
  readonly stage: DevelopmentStage;
  #copies = 0;

  private constructor(root: string, environment: Environment, instance: OpenedInstance, stage: DevelopmentStage) {
    this.root = root;
    this.environment = environment;
    this.instance = instance;
    this.stage = stage;
  }

  static async make(): Promise<BackupStage> {
    const root = mkdtempSync(join(tmpdir(), 'kmc-backup-'));
    const environment = readEnvironment({ home: join(root, 'home') }, {});
    await initInstance(environment);
    const instance = await openInstance(environment);
    const site = ceremonySiteOf(environment, instance.engine);
    const stage = new DevelopmentStage({ environment, instance, site, folder: join(environment.home, STAGE_FOLDER) });
    await stage.loadPeople();
    const made = new BackupStage(root, environment, instance, stage);
    await stage.unseal();
    await made.#fillStores();
    return made;
  }

  async remove(): Promise<void> {
    await this.instance.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** The settings of a home that is not there yet, with no word of this one. */
  elsewhere(database?: string): Environment {
    const home = join(this.root, `restored-${(this.#copies += 1)}`);
    return readEnvironment({ home, ...(database === undefined ? {} : { database }) }, {});
  }

  /** A copy of a file, to be broken. */
  copyOf(file: string): string {
    const copy = join(this.root, `copy-${(this.#copies += 1)}`);
    copyFileSync(file, copy);
    return copy;
  }

  folderOf(name: string): string {
    return join(this.environment.home, STAGE_FOLDER, 'people', name);
  }

  /** The certificate of the audit log in a file. */
  async logCertificate(): Promise<Buffer> {
    const certificate = await this.instance.audit.certificate();
    if (certificate === undefined) throw new Error('there is no log certificate');
    return certificate;
  }

  /** Orders a backup, has it approved and made. */
  async backup(): Promise<MadeBackup> {
    const { instance } = this;
    const ports = { ...instance, handlers: actionHandlers(instance) };
    const source = { node: instance.node };
    const proposer = await this.callerOf('system-1');
    const asked = { op: 'backup.create', targetId: instance.id, params: {}, reason: 'drill', source } as const;
    const { request, digest } = await createRequest(ports, asked, proposer);
    const decision = await signDecision(
      { engine: instance.engine, ...this.stage.person('security-1') },
      {
        requestId: request.id,
        requestDigest: digest,
        decision: 'APPROVE',
        role: 'security-administrator',
        at: instance.clock.now(),
      },
    );
    await decideRequest(ports, { requestId: request.id, decision, source }, await this.callerOf('security-1'));
    const { result } = await executeRequest(ports, { requestId: request.id, source }, proposer);
    const id = String(result['backup']);
    return { id, file: join(this.environment.backups, `${id}.kmc-backup`), result };
  }

  async callerOf(name: string): Promise<PersonCaller> {
    const certificateSm3 = sm3Fingerprint(this.stage.person(name).certificate);
    const person = await this.instance.database.read((reader) => reader.people.findByCertificate(certificateSm3));
    if (person === undefined) throw new Error(`${name} is nobody here`);
    return { type: 'person', id: person.id, unit: person.unit, roles: person.roles, certificateSm3 };
  }

  /** Signs what waits in the log. */
  async settleLog(): Promise<void> {
    const ports = await this.instance.audit.ports();
    if (ports !== undefined) await advanceAuditLog(ports, await this.instance.audit.signer());
  }

  /** A pool of twenty keys, of which one goes to somebody. */
  async #fillStores(): Promise<void> {
    const { instance } = this;
    const small = withPool(instance, { low: 1, high: 20, batch: 20 });
    await refillPool(small, SYSTEM, { pool: 'sm2-encryption' });
    await this.take();
    await this.settleLog();
  }

  /** Gives a key of the pool to a certificate of the issuing CA. @returns its id. */
  async take(): Promise<string> {
    const { instance } = this;
    const { row, handle } = await chooseKey(instance, 'sm2-encryption');
    const at = instance.clock.now();
    const event = newId('ev', at);
    const owner = {
      authorityId: 'sm2-issuing',
      certificateSerial: newId('x', at)
        .slice(2, 22)
        .replace(/[^0-9a-f]/g, 'a'),
      subject: encodeName([{ type: 'CN', value: 'somebody' }]),
      recipientSpkiSm3: spkiSm3(handle.spki),
      deviceId: undefined,
    };
    await instance.database.transaction(async (tx) => {
      await takeKey(tx, ownedKey(row, owner, at, event));
      await tx.audit.append(
        {
          id: event,
          action: 'key.activate',
          outcome: 'success',
          subjects: [{ type: 'key', id: row.id }],
          actor: SYSTEM,
          source: { node: instance.node },
          detail: { kid: row.spkiSm3 },
        },
        at,
      );
    });
    instance.engine.destroyKey(handle);
    return row.id;
  }
}
