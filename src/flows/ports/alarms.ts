/** Alarms of supervision: raised while their condition holds, and kept after it. */
import type { AlarmCondition } from '../../domain/supervision/alarms.ts';
import type { Page } from './database.ts';

export interface AlarmRow extends AlarmCondition {
  readonly id: string;
  readonly raisedAt: Date;
  readonly clearedAt: Date | undefined;
  readonly lastAuditEvent: string;
}

export interface AlarmFilter {
  readonly kind?: string;
  readonly region?: string;
  /** `true`: only open ones. */
  readonly open?: boolean;
}

/** Device certificates of one registration authority that were not renewed in time. */
export interface OverdueCount {
  readonly registrationAuthority: string;
  readonly count: number;
}

export interface AlarmReader {
  /** All open ones, in the order of ids. */
  open(): Promise<AlarmRow[]>;
  list(filter: AlarmFilter, page: Page): Promise<AlarmRow[]>;
  /** Good device certificates that end after `after` and not after `until`, without a successor. */
  overdueRenewals(after: Date, until: Date): Promise<OverdueCount[]>;
}

export interface AlarmWriter extends AlarmReader {
  /** False while an alarm of that kind and subject is open. */
  raise(row: AlarmRow): Promise<boolean>;
  /** False when it is cleared already. */
  clear(id: string, at: Date, auditEvent: string): Promise<boolean>;
}
