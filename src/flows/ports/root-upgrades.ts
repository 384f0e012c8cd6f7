/** Root upgrades: their state, their history, and what was handed in for them (enrolment-and-root-upgrade A.5). */
import type { AttestationKind } from '../../domain/root-upgrade/attestation.ts';
import type { ManifestPurpose } from '../../domain/root-upgrade/facts.ts';
import type { UpgradeKind, UpgradeState } from '../../domain/root-upgrade/states.ts';

export interface RootUpgradeRow {
  readonly id: string;
  readonly kind: UpgradeKind;
  /** Name of the trust bundle. */
  readonly bundle: string;
  readonly state: UpgradeState;
  readonly suspended: boolean;
  /** Rises by one with every change of the row: what approvers approve is bound to it. */
  readonly version: number;
  /** Canonical JSON (JCS). */
  readonly plan: string;
  /** `sm3:<hex>` over it. */
  readonly planDigest: string;
  readonly wavesOpened: number;
  readonly lastWaveAt: Date | undefined;
  /** Id of the newer upgrade that replaced it. */
  readonly supersededBy: string | undefined;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

/** One change of an upgrade: a transition, a wave, a pause. */
export interface UpgradeStepRow {
  readonly upgrade: string;
  /** The version that it led to. */
  readonly version: number;
  /** Name of the transition, or `plan`, `wave`, `suspend`, `resume`. */
  readonly step: string;
  readonly fromState: UpgradeState;
  readonly toState: UpgradeState;
  /** Id of the approved request, where one decided it. */
  readonly request: string | undefined;
  readonly actor: string;
  /** What was stated with it: JSON. */
  readonly stated: string;
  readonly at: Date;
  readonly lastAuditEvent: string;
}

export interface UpgradeAttestationRow {
  readonly id: string;
  readonly upgrade: string;
  readonly kind: AttestationKind;
  readonly passed: boolean;
  /** `sm3:<hex>` */
  readonly documentSm3: string;
  /** The document itself; absent for a snapshot of evidence, which is kept as such. */
  readonly document: Buffer | undefined;
  /** Canonical JSON of the signed body. */
  readonly body: string;
  /** base64 of raw r||s. */
  readonly signature: string;
  /** DER. */
  readonly certificate: Buffer;
  readonly person: string;
  readonly attestedAt: Date;
  readonly recordedAt: Date;
  readonly lastAuditEvent: string;
}

export interface UpgradeManifestRow {
  readonly upgrade: string;
  readonly purpose: ManifestPurpose;
  /** `sm3:<hex>` of the signed body. */
  readonly digest: string;
  readonly bundle: string;
  readonly version: number;
  /** The manifest file: canonical JSON, UTF-8. */
  readonly manifest: Buffer;
  readonly stagedBy: string;
  readonly stagedAt: Date;
  readonly lastAuditEvent: string;
}

export interface RootUpgradeFilter {
  readonly bundle?: string;
  readonly state?: UpgradeState;
}

export interface RootUpgradeReader {
  find(id: string): Promise<RootUpgradeRow | undefined>;
  /** All of them, in the order of ids: there are few. */
  list(filter: RootUpgradeFilter): Promise<RootUpgradeRow[]>;
  /** Those past DRAFT that are not at an end (CLOSED, ABORTED, SUPERSEDED, or REMOVED and waiting to be closed). */
  underWay(): Promise<RootUpgradeRow[]>;
  /** In their order. */
  steps(upgrade: string): Promise<UpgradeStepRow[]>;
  attestations(upgrade: string): Promise<UpgradeAttestationRow[]>;
  /** The newest of each purpose. */
  manifests(upgrade: string): Promise<UpgradeManifestRow[]>;
}

export type UpgradeChange = Partial<
  Pick<
    RootUpgradeRow,
    'state' | 'suspended' | 'plan' | 'planDigest' | 'kind' | 'wavesOpened' | 'lastWaveAt' | 'supersededBy'
  >
>;

export interface RootUpgradeWriter extends RootUpgradeReader {
  /** False when the id stands there already. */
  insert(row: RootUpgradeRow): Promise<boolean>;
  /** Compare-and-set on state and version; the step is written with it. False when the row is no longer as given. */
  change(from: RootUpgradeRow, to: UpgradeChange, step: UpgradeStepRow): Promise<boolean>;
  /** False when the same attestation stands there already. */
  attest(row: UpgradeAttestationRow): Promise<boolean>;
  /** False when the same manifest is staged already. */
  stage(row: UpgradeManifestRow): Promise<boolean>;
}
