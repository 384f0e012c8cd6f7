import { REASON, type DetailFields } from './action-fields.ts';

/** The detail fields of events about backups and restores. */
export const BACKUP_FIELDS: DetailFields = {
  backup: 'id',
  content: 'digest',
  crls: 'count',
  epoch: 'count',
  expires: 'time',
  keys: 'count',
  origin: 'id',
  parts: 'count',
  previousOrigin: 'id',
  request: 'id',
  requests: 'count',
  rows: 'count',
  set: 'hex',
  size: 'count',
  takenAt: 'time',
  tokens: 'count',
  ...REASON,
};
