/** Certificates that devices got under another root than before: one pair for each device and generation (A.5). */

export interface ReissueRow {
  /** `sm3:<hex>` of the key of the root. */
  readonly rootSm3: string;
  readonly deviceId: string;
  readonly enrolmentId: string;
  readonly issuedAt: Date;
}

/** Devices of a region that have a pair of the generation, and all that are in service there. */
export interface ReissueCount {
  readonly region: string;
  readonly reissued: number;
  readonly total: number;
}

export interface ReissueReader {
  find(rootSm3: string, deviceId: string): Promise<ReissueRow | undefined>;
  /** Gateways in service, by region; `total` counts those that have one and those that have none. */
  progress(rootSm3: string): Promise<ReissueCount[]>;
}

export interface ReissueWriter extends ReissueReader {
  /** False when the device has a pair of that generation which was not revoked. */
  claim(row: ReissueRow): Promise<boolean>;
}
