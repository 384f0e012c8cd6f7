/**
 * The closed registry of what the audit log can say: each action with its class and the detail fields it may carry. An
 * action or a field that is not here cannot be written, and a verifier refuses it (audit-log 3.2, 3.10).
 */
import {
  AUDIT_FIELDS,
  BREAK_GLASS_FIELDS,
  CEREMONY_FIELDS,
  CERTIFICATE_FIELDS,
  CLOCK_FIELDS,
  CRL_FIELDS,
  DEVICE_FIELDS,
  ENROLMENT_FIELDS,
  EXPIRY_FIELDS,
  FLEET_FIELDS,
  INSTANCE_FIELDS,
  KEY_FIELDS,
  KEYSTORE_FIELDS,
  MANIFEST_FIELDS,
  PERSON_FIELDS,
  POLICY_FIELDS,
  RECOVERY_FIELDS,
  REFUSED_FIELDS,
  REQUEST_FIELDS,
  TOKEN_FIELDS,
  type DetailFields,
} from './action-fields.ts';
import { APPLICATION_FIELDS, USE_FIELDS } from './application-fields.ts';
import { BACKUP_FIELDS } from './backup-fields.ts';
import { ALARM_FIELDS, REGISTRATION_AUTHORITY_FIELDS, SUPERVISED_FIELDS } from './supervision-fields.ts';

export interface AuditActionRule {
  readonly class: string;
  /** Field name -> kind. Every field may be left out. */
  readonly detail: DetailFields;
  /**
   * True for what must be recordable while the keystore is sealed, when no key for the row MAC exists: unsealing itself,
   * starting, refusing. Only these rows may be without MAC (see AuditRowMac).
   */
  readonly whileSealed: boolean;
}

function act(actionClass: string, detail: DetailFields): AuditActionRule {
  return { class: actionClass, detail, whileSealed: false };
}

function sealed(actionClass: string, detail: DetailFields): AuditActionRule {
  return { class: actionClass, detail, whileSealed: true };
}

export const AUDIT_ACTIONS = {
  'instance.init': sealed('instance', INSTANCE_FIELDS),
  'instance.start': sealed('instance', INSTANCE_FIELDS),
  'instance.stop': sealed('instance', INSTANCE_FIELDS),
  'instance.configure': act('instance', INSTANCE_FIELDS),
  'instance.clock-step': sealed('instance', CLOCK_FIELDS),
  'keystore.create': sealed('keystore', KEYSTORE_FIELDS),
  'keystore.unseal': sealed('keystore', KEYSTORE_FIELDS),
  'keystore.share': sealed('keystore', KEYSTORE_FIELDS),
  'keystore.seal': sealed('keystore', KEYSTORE_FIELDS),
  'keystore.epoch': sealed('keystore', KEYSTORE_FIELDS),
  'keystore.kek-rotate': act('keystore', KEYSTORE_FIELDS),
  'keystore.rewrap': act('keystore', KEYSTORE_FIELDS),
  'keystore.kek-destroy': act('keystore', KEYSTORE_FIELDS),
  'keystore.blob-refused': act('keystore', KEYSTORE_FIELDS),
  'ceremony.open': act('ceremony', CEREMONY_FIELDS),
  'ceremony.step': act('ceremony', CEREMONY_FIELDS),
  'ceremony.deviate': act('ceremony', CEREMONY_FIELDS),
  'ceremony.close': act('ceremony', CEREMONY_FIELDS),
  'ceremony.import': act('ceremony', CEREMONY_FIELDS),
  'person.appoint': act('person', PERSON_FIELDS),
  'person.role-grant': act('person', PERSON_FIELDS),
  'person.role-revoke': act('person', PERSON_FIELDS),
  'person.certificate-issue': act('person', PERSON_FIELDS),
  'person.certificate-revoke': act('person', PERSON_FIELDS),
  'person.disable': act('person', PERSON_FIELDS),
  'person.enable': act('person', PERSON_FIELDS),
  'person.leave': act('person', PERSON_FIELDS),
  'breakglass.seal-account': act('breakglass', BREAK_GLASS_FIELDS),
  'breakglass.open': act('breakglass', BREAK_GLASS_FIELDS),
  'breakglass.act': act('breakglass', BREAK_GLASS_FIELDS),
  'breakglass.end': act('breakglass', BREAK_GLASS_FIELDS),
  'breakglass.review': act('breakglass', BREAK_GLASS_FIELDS),
  'issuance.pause': act('issuance', BREAK_GLASS_FIELDS),
  'issuance.resume': act('issuance', BREAK_GLASS_FIELDS),
  'policy.pin': act('policy', POLICY_FIELDS),
  'policy.change': act('policy', POLICY_FIELDS),
  'request.create': act('request', REQUEST_FIELDS),
  'request.approve': act('request', REQUEST_FIELDS),
  'request.reject': act('request', REQUEST_FIELDS),
  'request.approval-withdraw': act('request', REQUEST_FIELDS),
  'request.withdraw': act('request', REQUEST_FIELDS),
  'request.quorum': act('request', REQUEST_FIELDS),
  'request.expire': act('request', REQUEST_FIELDS),
  'request.supersede': act('request', REQUEST_FIELDS),
  'request.execute': act('request', REQUEST_FIELDS),
  'authority.create': act('authority', CERTIFICATE_FIELDS),
  'authority.import': act('authority', CERTIFICATE_FIELDS),
  'authority.register': act('authority', CERTIFICATE_FIELDS),
  'authority.activate': act('authority', CERTIFICATE_FIELDS),
  'authority.retire': act('authority', CERTIFICATE_FIELDS),
  'authority.revoke': act('authority', CERTIFICATE_FIELDS),
  'certificate.request': act('certificate', CERTIFICATE_FIELDS),
  'certificate.issue': act('certificate', CERTIFICATE_FIELDS),
  'certificate.renew': act('certificate', CERTIFICATE_FIELDS),
  'certificate.suspend': act('certificate', CERTIFICATE_FIELDS),
  'certificate.unsuspend': act('certificate', CERTIFICATE_FIELDS),
  'certificate.revoke': act('certificate', CERTIFICATE_FIELDS),
  'certificate.publish': act('certificate', CERTIFICATE_FIELDS),
  'certificate.import': act('certificate', CERTIFICATE_FIELDS),
  'crl.issue': act('crl', CRL_FIELDS),
  'crl.import': act('crl', CRL_FIELDS),
  'manifest.publish': act('manifest', MANIFEST_FIELDS),
  'ocsp.signer': act('crl', CERTIFICATE_FIELDS),
  'verdict.signer': act('certificate', CERTIFICATE_FIELDS),
  'expiry.remind': act('certificate', EXPIRY_FIELDS),
  'device.register': act('device', DEVICE_FIELDS),
  'device.update': act('device', DEVICE_FIELDS),
  'device.suspend': act('device', DEVICE_FIELDS),
  'device.resume': act('device', DEVICE_FIELDS),
  'device.readmit': act('device', DEVICE_FIELDS),
  'device.waive': act('device', DEVICE_FIELDS),
  'device.decommission': act('device', DEVICE_FIELDS),
  'registrar.take-over': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.apply': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.attest-documents': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.attest-premises': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.appoint-operators': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.open': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.suspend': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.resume': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.close': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'registrar.amend': act('registrar', REGISTRATION_AUTHORITY_FIELDS),
  'alarm.raise': act('alarm', ALARM_FIELDS),
  'alarm.clear': act('alarm', ALARM_FIELDS),
  'supervision.register': act('supervision', SUPERVISED_FIELDS),
  'supervision.end': act('supervision', SUPERVISED_FIELDS),
  'supervision.import-certificates': act('supervision', SUPERVISED_FIELDS),
  'supervision.import-crl': act('supervision', SUPERVISED_FIELDS),
  'device.report': act('fleet', FLEET_FIELDS),
  'fleet.snapshot': act('fleet', FLEET_FIELDS),
  'fleet.reissue': act('fleet', FLEET_FIELDS),
  'token.issue': act('token', TOKEN_FIELDS),
  'token.use': act('token', TOKEN_FIELDS),
  'token.attempt': act('token', TOKEN_FIELDS),
  'token.lock': act('token', TOKEN_FIELDS),
  'token.expire': act('token', TOKEN_FIELDS),
  'token.revoke': act('token', TOKEN_FIELDS),
  'enrolment.request': act('enrolment', ENROLMENT_FIELDS),
  'enrolment.complete': act('enrolment', ENROLMENT_FIELDS),
  'enrolment.redeliver': act('enrolment', ENROLMENT_FIELDS),
  'enrolment.expire': act('enrolment', ENROLMENT_FIELDS),
  'enrolment.renew': act('enrolment', ENROLMENT_FIELDS),
  'key.generate': act('key.lifecycle', KEY_FIELDS),
  'key.import': act('key.lifecycle', KEY_FIELDS),
  'key.distribute': act('key.lifecycle', KEY_FIELDS),
  'key.release': act('key.lifecycle', KEY_FIELDS),
  'key.activate': act('key.lifecycle', KEY_FIELDS),
  'key.deactivate': act('key.lifecycle', KEY_FIELDS),
  'key.suspend': act('key.lifecycle', KEY_FIELDS),
  'key.reactivate': act('key.lifecycle', KEY_FIELDS),
  'key.compromise': act('key.lifecycle', KEY_FIELDS),
  'key.rotate': act('key.lifecycle', KEY_FIELDS),
  'key.rewrap': act('key.lifecycle', KEY_FIELDS),
  'key.escrow': act('key.lifecycle', KEY_FIELDS),
  'key.recover-user': act('key.lifecycle', KEY_FIELDS),
  'key.recover-judicial': act('key.judicial', RECOVERY_FIELDS),
  'key.export': act('key.lifecycle', KEY_FIELDS),
  'key.backup': act('key.lifecycle', KEY_FIELDS),
  'key.restore': act('key.lifecycle', KEY_FIELDS),
  'key.archive': act('key.lifecycle', KEY_FIELDS),
  'key.destroy-schedule': act('key.lifecycle', KEY_FIELDS),
  'key.destroy-cancel': act('key.lifecycle', KEY_FIELDS),
  'key.destroy': act('key.lifecycle', KEY_FIELDS),
  'key.broken': act('key.lifecycle', KEY_FIELDS),
  'pool.refill': act('key.lifecycle', KEY_FIELDS),
  'key.use': act('key.use', USE_FIELDS),
  'application.register': act('application', APPLICATION_FIELDS),
  'application.certify': act('application', APPLICATION_FIELDS),
  'application.update': act('application', APPLICATION_FIELDS),
  'application.grant': act('application', APPLICATION_FIELDS),
  'application.withdraw-grant': act('application', APPLICATION_FIELDS),
  'backup.create': act('backup', BACKUP_FIELDS),
  'backup.verify': act('backup', BACKUP_FIELDS),
  'backup.restore': act('backup', BACKUP_FIELDS),
  'access.denied': sealed('access', REFUSED_FIELDS),
  'access.refused': sealed('access', REFUSED_FIELDS),
  'log.open': sealed('audit', AUDIT_FIELDS),
  'log.close': act('audit', AUDIT_FIELDS),
  'log.key-rotate': act('audit', AUDIT_FIELDS),
  'audit.cosign': act('audit', AUDIT_FIELDS),
  'audit.index': act('audit', AUDIT_FIELDS),
  'audit.pull': act('audit', AUDIT_FIELDS),
  'audit.export': act('audit', AUDIT_FIELDS),
  'audit.quarantine': act('audit', AUDIT_FIELDS),
  'sequencer.start': act('audit', AUDIT_FIELDS),
  'sequencer.stop': act('audit', AUDIT_FIELDS),
} as const satisfies Record<string, AuditActionRule>;

export type AuditAction = keyof typeof AUDIT_ACTIONS;

/** True for an action of the registry. */
export function isAuditAction(name: string): name is AuditAction {
  return Object.hasOwn(AUDIT_ACTIONS, name);
}

/** The rule of an action, undefined for one that is not in the registry. */
export function auditActionRule(name: string): AuditActionRule | undefined {
  return isAuditAction(name) ? AUDIT_ACTIONS[name] : undefined;
}
