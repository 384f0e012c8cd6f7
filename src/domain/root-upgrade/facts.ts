/** What the guards of a root upgrade look at: one record, read in one moment, without a clock or a database behind it. */
import type { FleetReadiness } from '../fleet/readiness.ts';
import type { AttestationKind } from './attestation.ts';
import type { UpgradePlan } from './plan.ts';
import type { UpgradeState } from './states.ts';

/** The manifests that transitions publish; an upgrade has at most one staged of each. */
export const MANIFEST_PURPOSES = ['stage', 'retire', 'clear', 'remove', 'emergency'] as const;
export type ManifestPurpose = (typeof MANIFEST_PURPOSES)[number];

export interface AttestedFact {
  readonly kind: AttestationKind;
  readonly passed: boolean;
  /** `sm3:<hex>` of the document. */
  readonly documentSm3: string;
  readonly at: Date;
  readonly by: string;
}

/** One of the plan's authorities as the service knows it. */
export interface AuthorityFact {
  readonly id: string;
  readonly generation: string | undefined;
  readonly algorithm: string;
  readonly subject: string;
  readonly state: string;
  readonly notAfter: Date;
  /** Id of the authority that certified it; absent for a root. */
  readonly issuer: string | undefined;
}

export interface HierarchyFacts {
  readonly oldRoot: AuthorityFact | undefined;
  readonly oldIssuing: AuthorityFact | undefined;
  readonly newRoot: AuthorityFact | undefined;
  readonly newIssuing: AuthorityFact | undefined;
  readonly standbyRoot: AuthorityFact | undefined;
  /**
   * What our validator, or the openssl program, does not accept of the certificates that T3 brings, link by link, and
   * what is missing of them. Empty when all is well; absent when it was not looked at.
   */
  readonly linkFaults: readonly string[] | undefined;
  /** CRL and OCSP answers of the new issuing CA are to be had. */
  readonly status: { readonly crl: boolean; readonly ocsp: boolean };
}

export interface StagedManifestFact {
  readonly purpose: ManifestPurpose;
  readonly version: number;
  /** What a device would refuse it for now; undefined when it would take it. */
  readonly fault: string | undefined;
}

export interface BundleFacts {
  readonly latestVersion: number | undefined;
  /** The states of both anchors in the newest version that is public: `absent` for one that it does not list. */
  readonly oldAnchor: string;
  readonly newAnchor: string;
  /** From when on the old anchor is distrusted, while a date is set. */
  readonly distrustAfter: Date | undefined;
  /** The standby key that the newest version commits to. */
  readonly commits: string | undefined;
  readonly staged: readonly StagedManifestFact[];
}

export interface SnapshotFact {
  readonly id: string;
  /** `sm3:<hex>`: what the auditor attests. */
  readonly digest: string;
  readonly at: Date;
  readonly readiness: FleetReadiness;
}

export interface RingFacts {
  readonly devices: number;
  /** Models (with firmware) and regions of the estate without a device in the ring, and devices that are not in service. */
  readonly missingModels: readonly string[];
  readonly missingRegions: readonly string[];
  readonly unknown: readonly string[];
  readonly regions: number;
}

/** A device with an unexpired certificate of the old generation that no waiver covers. */
export interface OldLeaf {
  readonly device: string;
  readonly notAfter: Date;
}

export interface UpgradeFacts {
  readonly now: Date;
  readonly plan: UpgradePlan;
  readonly state: UpgradeState;
  readonly suspended: boolean;
  /** When each state was entered last. */
  readonly entered: Readonly<Partial<Record<UpgradeState, Date>>>;
  readonly attested: readonly AttestedFact[];
  readonly hierarchy: HierarchyFacts;
  readonly bundle: BundleFacts;
  /** The canary ring that the pilot is asked for with, or runs with. */
  readonly ring: RingFacts | undefined;
  /** Absent before the pilot. */
  readonly fleet: FleetReadiness | undefined;
  /** The newest snapshot of evidence. */
  readonly snapshot: SnapshotFact | undefined;
  readonly waves: { readonly opened: number; readonly lastAt: Date | undefined };
  readonly oldLeaves: { readonly total: number; readonly listed: readonly OldLeaf[] };
  /** The standby key (`sm3:<hex>`) of the new root, as an emergency needs it committed. */
  readonly newRootKey: string | undefined;
  /** Another upgrade of the same bundle that is under way. */
  readonly otherLive: string | undefined;
}
