/** The detail fields of the events of a root upgrade. All of them may be left out. */
import type { DetailFields } from './action-fields.ts';

export const ROOT_UPGRADE_FIELDS: DetailFields = {
  attested: 'name',
  authority: 'id',
  bundle: 'id',
  bundleVersion: 'count',
  devices: 'count',
  digest: 'digest',
  from: 'name',
  kind: 'name',
  note: 'text',
  passed: 'flag',
  plan: 'digest',
  purpose: 'name',
  reason: 'name',
  request: 'id',
  snapshot: 'digest',
  step: 'name',
  supersededBy: 'id',
  to: 'name',
  wave: 'count',
};
