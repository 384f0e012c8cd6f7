/** The detail fields of events about registration authorities, supervised authorities and alarms. */
import type { DetailFields } from './action-fields.ts';

export const REGISTRATION_AUTHORITY_FIELDS: DetailFields = {
  devices: 'count',
  devicesPerDay: 'count',
  evidence: 'digest',
  from: 'name',
  operators: 'count',
  profiles: 'count',
  region: 'name',
  request: 'id',
  to: 'name',
  tokens: 'count',
};
/** Of certification authorities under supervision, and of what is imported of them. */
export const SUPERVISED_FIELDS: DetailFields = {
  certificate: 'digest',
  count: 'count',
  crlNumber: 'count',
  digest: 'digest',
  entries: 'count',
  faulty: 'count',
  kid: 'digest',
  name: 'text',
  nextUpdate: 'time',
  region: 'name',
  released: 'count',
  request: 'id',
  revoked: 'count',
  thisUpdate: 'time',
  to: 'name',
  weak: 'count',
};
export const ALARM_FIELDS: DetailFields = { kind: 'name', region: 'name', subject: 'id', text: 'text' };
