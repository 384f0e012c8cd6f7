/** The detail fields of what applications are and do: their registration, and the uses of managed keys. */
import { REASON, type DetailFields } from './action-fields.ts';

export const APPLICATION_FIELDS: DetailFields = {
  certificate: 'digest',
  from: 'name',
  key: 'id',
  kid: 'digest',
  notAfter: 'time',
  operations: 'text',
  request: 'id',
  serial: 'hex',
  to: 'name',
  unit: 'text',
  ...REASON,
};
/** Uses of a managed key by one caller within a minute, each operation with its count. */
export const USE_FIELDS: DetailFields = {
  dataKey: 'count',
  decrypt: 'count',
  encrypt: 'count',
  failures: 'count',
  /** Uses that were reserved by a process that ended without a word: at most so many were made. */
  lost: 'count',
  mac: 'count',
  minute: 'time',
  rewrap: 'count',
  sign: 'count',
  verify: 'count',
  version: 'count',
  ...REASON,
};
