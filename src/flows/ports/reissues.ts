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

/** An order to re-issue for a list of devices. */
export interface ReissueJobRow {
  readonly id: string;
  readonly upgradeId: string;
  /** Items in a minute at most. */
  readonly perMinute: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** When the last batch of it began. */
  readonly workedAt: Date;
  readonly lastAuditEvent: string;
}

export interface ReissueItemRow {
  readonly jobId: string;
  readonly deviceId: string;
  readonly csr: Buffer;
  readonly signature: Buffer;
  readonly certificateSm3: string;
  readonly state: 'waiting' | 'issued' | 'refused';
  /** Why it was refused. */
  readonly code: string | undefined;
  readonly doneAt: Date | undefined;
}

/** Items of a job that stand alike. */
export interface ReissueItemCount {
  readonly region: string;
  readonly state: ReissueItemRow['state'];
  readonly count: number;
}

export interface ReissueReader {
  job(id: string): Promise<ReissueJobRow | undefined>;
  /** Those with items that wait, oldest first. */
  openJobs(): Promise<ReissueJobRow[]>;
  /** Items that wait, in the order of device ids. */
  waiting(jobId: string, limit: number): Promise<ReissueItemRow[]>;
  itemCounts(jobId: string): Promise<ReissueItemCount[]>;
  /** Items that were refused, in the order of device ids. */
  refused(jobId: string, limit: number): Promise<ReissueItemRow[]>;
  find(rootSm3: string, deviceId: string): Promise<ReissueRow | undefined>;
  /** Gateways in service, by region; `total` counts those that have one and those that have none. */
  progress(rootSm3: string): Promise<ReissueCount[]>;
}

export interface ReissueWriter extends ReissueReader {
  insertJob(row: ReissueJobRow, items: readonly ReissueItemRow[]): Promise<void>;
  /** Takes the next batch for one worker: compare-and-set on `workedAt`. */
  beginBatch(job: Pick<ReissueJobRow, 'id' | 'workedAt'>, at: Date): Promise<boolean>;
  /** False when it does not wait any more. */
  finishItem(item: ReissueItemRow, state: 'issued' | 'refused', code: string | undefined, at: Date): Promise<boolean>;
  /** False when the device has a pair of that generation which was not revoked. */
  claim(row: ReissueRow): Promise<boolean>;
}
