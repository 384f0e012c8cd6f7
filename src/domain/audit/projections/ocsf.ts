/** Events in the Open Cybersecurity Schema Framework 1.3, one JSON object a line. */
import type { AuditAction } from '../actions.ts';
import type { AuditOutcome } from '../record.ts';
import type { PlacedEvent } from './placed-event.ts';

const ENTITY_MANAGEMENT = { class_uid: 3004, category_uid: 3, class_name: 'Entity Management' } as const;
const API_ACTIVITY = { class_uid: 6003, category_uid: 6, class_name: 'API Activity' } as const;
const ACCOUNT_CHANGE = { class_uid: 3001, category_uid: 3, class_name: 'Account Change' } as const;

type OcsfClass = typeof ENTITY_MANAGEMENT | typeof API_ACTIVITY | typeof ACCOUNT_CHANGE;

const OTHER = 99;
/** Activities of Entity Management. */
const ACTIVITY = {
  create: 1,
  read: 2,
  update: 3,
  delete: 4,
  enroll: 6,
  enable: 8,
  disable: 9,
  activate: 10,
  deactivate: 11,
  suspend: 12,
  resume: 13,
} as const;

/** Actions that the schema has a word for; every other one is an activity "Other" of Entity Management. */
const WORDS: Readonly<Partial<Record<AuditAction, readonly [OcsfClass, number]>>> = {
  'key.generate': [ENTITY_MANAGEMENT, ACTIVITY.create],
  'key.import': [ENTITY_MANAGEMENT, ACTIVITY.create],
  'key.distribute': [ENTITY_MANAGEMENT, ACTIVITY.read],
  'key.activate': [ENTITY_MANAGEMENT, ACTIVITY.activate],
  'key.deactivate': [ENTITY_MANAGEMENT, ACTIVITY.deactivate],
  'key.suspend': [ENTITY_MANAGEMENT, ACTIVITY.suspend],
  'key.reactivate': [ENTITY_MANAGEMENT, ACTIVITY.resume],
  'key.rotate': [ENTITY_MANAGEMENT, ACTIVITY.update],
  'key.recover-user': [ENTITY_MANAGEMENT, ACTIVITY.read],
  'key.recover-judicial': [ENTITY_MANAGEMENT, ACTIVITY.read],
  'key.export': [ENTITY_MANAGEMENT, ACTIVITY.read],
  'key.destroy': [ENTITY_MANAGEMENT, ACTIVITY.delete],
  'certificate.issue': [ENTITY_MANAGEMENT, ACTIVITY.create],
  'certificate.renew': [ENTITY_MANAGEMENT, ACTIVITY.create],
  'certificate.suspend': [ENTITY_MANAGEMENT, ACTIVITY.suspend],
  'certificate.unsuspend': [ENTITY_MANAGEMENT, ACTIVITY.resume],
  'certificate.revoke': [ENTITY_MANAGEMENT, ACTIVITY.disable],
  'device.register': [ENTITY_MANAGEMENT, ACTIVITY.create],
  'device.update': [ENTITY_MANAGEMENT, ACTIVITY.update],
  'device.suspend': [ENTITY_MANAGEMENT, ACTIVITY.suspend],
  'device.resume': [ENTITY_MANAGEMENT, ACTIVITY.resume],
  'device.decommission': [ENTITY_MANAGEMENT, ACTIVITY.delete],
  'enrolment.complete': [ENTITY_MANAGEMENT, ACTIVITY.enroll],
  'person.appoint': [ACCOUNT_CHANGE, 1],
  'person.enable': [ACCOUNT_CHANGE, 2],
  'person.disable': [ACCOUNT_CHANGE, 5],
  'person.leave': [ACCOUNT_CHANGE, 6],
  'person.role-grant': [ACCOUNT_CHANGE, 7],
  'person.role-revoke': [ACCOUNT_CHANGE, 8],
  'access.denied': [API_ACTIVITY, OTHER],
  'access.refused': [API_ACTIVITY, OTHER],
  'audit.pull': [API_ACTIVITY, 2],
  'audit.export': [API_ACTIVITY, 2],
};

/** Status and severity by outcome. */
const OUTCOMES: Readonly<Record<AuditOutcome, { readonly status_id: number; readonly severity_id: number }>> = {
  success: { status_id: 1, severity_id: 1 },
  failure: { status_id: 2, severity_id: 3 },
  denied: { status_id: 2, severity_id: 3 },
  unknown: { status_id: 0, severity_id: 4 },
};

/** The object with its line end; `raw_data` is the event itself, and its hash stands beside it. */
export function ocsfLine({ index, leaf, canon, record }: PlacedEvent): string {
  const { act, actor, code, id, log, out, src, subj, ts } = record;
  const [ocsfClass, activity] = WORDS[act] ?? [ENTITY_MANAGEMENT, OTHER];
  const [first] = subj;
  const object = {
    ...ocsfClass,
    activity_id: activity,
    ...(activity === OTHER ? { activity_name: act } : {}),
    type_uid: ocsfClass.class_uid * 100 + activity,
    time: Date.parse(ts),
    ...OUTCOMES[out],
    ...(code === undefined ? {} : { status_code: code }),
    message: act,
    metadata: {
      version: '1.3.0',
      product: { name: 'KMC', vendor_name: 'KMC' },
      uid: id,
      log_name: log,
      sequence: index,
      event_code: act,
      ...(src.req === undefined ? {} : { correlation_uid: src.req }),
    },
    actor: {
      user: {
        uid: actor.id,
        type_id: OTHER,
        type: actor.t,
        ...(actor.role === undefined ? {} : { groups: [{ name: actor.role }] }),
      },
    },
    device: { hostname: src.node, type_id: 1 },
    ...(first === undefined ? {} : { entity: { type: first.t, uid: first.tag } }),
    ...(ocsfClass === API_ACTIVITY
      ? { api: { operation: String(record.det['operation'] ?? act) }, src_endpoint: { name: src.node } }
      : {}),
    ...(ocsfClass === ACCOUNT_CHANGE ? { user: { uid: first?.tag ?? actor.id } } : {}),
    raw_data: canon.toString('utf8'),
    raw_data_hash: { algorithm_id: OTHER, algorithm: 'SM3', value: leaf.toString('hex') },
  };
  return `${JSON.stringify(object)}\n`;
}
