import type { AttestationKind } from '../domain/root-upgrade/attestation.ts';
import type { ManifestPurpose } from '../domain/root-upgrade/facts.ts';
import type { UpgradeKind, UpgradeState } from '../domain/root-upgrade/states.ts';
import type {
  RootUpgradeFilter,
  RootUpgradeRow,
  RootUpgradeWriter,
  UpgradeAttestationRow,
  UpgradeChange,
  UpgradeManifestRow,
  UpgradeStepRow,
} from '../flows/ports/root-upgrades.ts';
import { filtered, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, flag, integer, optional, Table, text, time, won, word } from './table.ts';

const UPGRADES = new Table<RootUpgradeRow>('root_upgrades', {
  id: text,
  kind: word<UpgradeKind>(),
  bundle: text,
  state: word<UpgradeState>(),
  suspended: flag,
  version: integer,
  plan: text,
  planDigest: text,
  wavesOpened: integer,
  lastWaveAt: optional(time),
  supersededBy: optional(text),
  createdBy: text,
  createdAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

const STEPS = new Table<UpgradeStepRow>('root_upgrade_steps', {
  upgrade: text,
  version: integer,
  step: text,
  fromState: word<UpgradeState>(),
  toState: word<UpgradeState>(),
  request: optional(text),
  actor: text,
  stated: text,
  at: time,
  lastAuditEvent: text,
});

const ATTESTATIONS = new Table<UpgradeAttestationRow>('root_upgrade_attestations', {
  id: text,
  upgrade: text,
  kind: word<AttestationKind>(),
  passed: flag,
  documentSm3: text,
  document: optional(blob),
  body: text,
  signature: text,
  certificate: blob,
  person: text,
  attestedAt: time,
  recordedAt: time,
  lastAuditEvent: text,
});

const MANIFESTS = new Table<UpgradeManifestRow>('root_upgrade_manifests', {
  upgrade: text,
  purpose: word<ManifestPurpose>(),
  digest: text,
  bundle: text,
  version: integer,
  manifest: blob,
  stagedBy: text,
  stagedAt: time,
  lastAuditEvent: text,
});

const FILTER: FilterColumns<RootUpgradeFilter> = { bundle: 'bundle', state: 'state' };

export class StoredRootUpgrades implements RootUpgradeWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<RootUpgradeRow | undefined> {
    return UPGRADES.find(this.#sql, 'where id = ?', id);
  }

  async list(filter: RootUpgradeFilter): Promise<RootUpgradeRow[]> {
    const records = await this.#sql.query(filtered(this.#sql, UPGRADES, FILTER, filter).orderBy('id'));
    return records.map((record) => UPGRADES.decode(record));
  }

  underWay(): Promise<RootUpgradeRow[]> {
    return UPGRADES.all(
      this.#sql,
      "where state not in ('DRAFT', 'REMOVED', 'CLOSED', 'ABORTED', 'SUPERSEDED') order by id",
    );
  }

  steps(upgrade: string): Promise<UpgradeStepRow[]> {
    return STEPS.all(this.#sql, 'where upgrade = ? order by version', upgrade);
  }

  attestations(upgrade: string): Promise<UpgradeAttestationRow[]> {
    return ATTESTATIONS.all(this.#sql, 'where upgrade = ? order by recorded_at, id', upgrade);
  }

  async manifests(upgrade: string): Promise<UpgradeManifestRow[]> {
    const rows = await MANIFESTS.all(this.#sql, 'where upgrade = ? order by staged_at, digest', upgrade);
    return [...new Map(rows.map((row) => [row.purpose, row])).values()];
  }

  insert(row: RootUpgradeRow): Promise<boolean> {
    return UPGRADES.insert(this.#sql, row);
  }

  async change(from: RootUpgradeRow, to: UpgradeChange, step: UpgradeStepRow): Promise<boolean> {
    const next = { ...from, ...to };
    const moved = await won(
      this.#sql.run(
        `update root_upgrades set kind = ?, state = ?, suspended = ?, version = ?, plan = ?, plan_digest = ?,
           waves_opened = ?, last_wave_at = ?, superseded_by = ?, changed_at = ?, last_audit_event = ?
         where id = ? and state = ? and version = ?`,
        next.kind,
        next.state,
        next.suspended ? 1 : 0,
        step.version,
        next.plan,
        next.planDigest,
        next.wavesOpened,
        next.lastWaveAt?.toISOString() ?? null,
        next.supersededBy ?? null,
        step.at.toISOString(),
        step.lastAuditEvent,
        from.id,
        from.state,
        from.version,
      ),
    );
    return moved && (await STEPS.insert(this.#sql, step));
  }

  attest(row: UpgradeAttestationRow): Promise<boolean> {
    return ATTESTATIONS.insert(this.#sql, row);
  }

  stage(row: UpgradeManifestRow): Promise<boolean> {
    return MANIFESTS.insert(this.#sql, row);
  }
}
