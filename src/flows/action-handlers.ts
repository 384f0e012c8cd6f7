/** The acts that this service does once they are approved: one handler for each, in one table. */
import { ACTION_NAMES, type ActionName } from '../domain/action.ts';
import type { ActionHandler, ActionHandlers } from './approvals/action-handler.ts';
import { changeApplication } from './applications/change-application.ts';
import { grantKey } from './applications/grant-key.ts';
import { registerApplication } from './applications/register-application.ts';
import { createBackup } from './backups/create-backup.ts';
import { createIssuingKey } from './authorities/create-issuing-key.ts';
import { revokeAuthority } from './authorities/revoke-authority.ts';
import { registerExternalAuthority } from './ca-kmc/register-external-authority.ts';
import { resumeIssuance } from './break-glass/resume-issuance.ts';
import { sealAccount } from './break-glass/seal-account.ts';
import { revokeCertificates } from './certificates/revoke-certificates.ts';
import { decommissionDevice } from './devices/decommission-device.ts';
import { registerDeviceBatch } from './devices/register-device-batch.ts';
import { registerMarkedDevice } from './devices/register-marked-device.ts';
import { waiveDevice } from './fleet/waive-device.ts';
import type { Instance } from './instance.ts';
import { changeKey } from './keys/change-key.ts';
import { exportManagedKey } from './managed-keys/export-managed-key.ts';
import { destroyKekAct, rotateKekAct } from './keystore/kek-acts.ts';
import { appointPerson } from './people/appoint-person.ts';
import { enablePerson } from './people/enable-person.ts';
import { grantRole } from './people/grant-role.ts';
import { leaveOffice } from './people/leave-office.ts';
import { replaceCertificate } from './people/replace-certificate.ts';
import { revokeRole } from './people/revoke-role.ts';
import { suspendPerson } from './people/suspend-person.ts';
import { changePolicyHandler } from './policy/change-policy.ts';
import { resumeUpgrade } from './root-upgrade/resume-act.ts';
import { transitionAct } from './root-upgrade/transition-act.ts';
import { upgradePorts } from './root-upgrade/upgrade-ports.ts';
import { amendRegistrationAuthority } from './registration-authorities/amend-registration-authority.ts';
import { applyRegistrationAuthority } from './registration-authorities/apply-registration-authority.ts';
import {
  moveRegistrationAuthority,
  type AuthorityMove,
} from './registration-authorities/move-registration-authority.ts';
import { endSupervision } from './supervised-authorities/end-supervision.ts';
import { registerSupervisedAuthority } from './supervised-authorities/register-supervised-authority.ts';
import { approvedUserRecovery } from './recoveries/approved-user-recovery.ts';
import { judicialRecovery } from './recoveries/judicial-recovery.ts';

interface HandledAct {
  /** The parameters, for people: a question mark marks an optional one. */
  readonly params: string;
  readonly handler: (instance: Instance) => ActionHandler;
}

const PERSON =
  'name, unit, organisation, region?, identity? (needed in production), roles (list of {role, region?}), certificate (base64 of DER)';

/** The acts that decide a transition of a root upgrade: `kmc root-upgrade advance` asks for them, with what they rest on. */
function transition(op: ActionName): HandledAct {
  return {
    params: 'as kmc root-upgrade advance writes them',
    handler: (instance) => transitionAct(upgradePorts(instance), op),
  };
}

const TERMS = 'profiles (list of device profiles), devices, devicesPerDay (its quotas)';
const ATTESTATION = 'region, evidence (sm3:... of the report)';

function moving(act: AuthorityMove, params = 'region'): HandledAct {
  return { params, handler: (instance) => moveRegistrationAuthority(instance, act) };
}

const HANDLED = {
  'application.end': {
    params: 'none: its certificates are revoked',
    handler: () => changeApplication('application.end'),
  },
  'application.grant': {
    params: 'key, operations (list of encrypt, decrypt, rewrap, data-key, sign, verify, mac)',
    handler: () => grantKey('application.grant'),
  },
  'application.register': {
    params: 'name, unit, organisation, csr (base64 of PKCS#10); csr alone for a further key of a known one',
    handler: registerApplication,
  },
  'application.resume': { params: 'none', handler: () => changeApplication('application.resume') },
  'application.suspend': { params: 'none', handler: () => changeApplication('application.suspend') },
  'application.withdraw-grant': {
    params: 'key, operations (list)',
    handler: () => grantKey('application.withdraw-grant'),
  },
  'authority.create-issuing': { params: 'commonName, organization', handler: createIssuingKey },
  'authority.register-external': {
    params: 'communicationCertificate, authorityCertificate? (base64 of DER; the second for one that is not known yet)',
    handler: registerExternalAuthority,
  },
  'authority.revoke': {
    params: 'reason (cACompromise, superseded, cessationOfOperation, affiliationChanged)',
    handler: () => revokeAuthority(),
  },
  'backup.create': { params: 'none; the target is the id of the instance', handler: createBackup },
  'break-glass.seal-account': {
    params: 'bag, certificate (base64 of DER); the target is sealed-1, sealed-2 or sealed-3',
    handler: () => sealAccount(),
  },
  'certificate.revoke-bulk': {
    params: 'count (1 to 500), reason, certificates (list of ids)',
    handler: () => revokeCertificates('certificate.revoke-bulk'),
  },
  'certificate.revoke-mass': {
    params: 'count (above 500), reason, certificates (list of ids)',
    handler: () => revokeCertificates('certificate.revoke-mass'),
  },
  'device.decommission': {
    params: 'region, reason (cessationOfOperation, superseded, affiliationChanged, privilegeWithdrawn, keyCompromise)',
    handler: () => decommissionDevice(),
  },
  'device.register-batch': {
    params: 'region, count, devices (list of registrations, as POST /api/v1/devices takes them but without region)',
    handler: registerDeviceBatch,
  },
  'device.register-marked': { params: 'region, profile, as registered', handler: () => registerMarkedDevice() },
  'device.waive': {
    params: 'upgrade, region, until (a time, at most 90 days ahead), reason',
    handler: () => waiveDevice(),
  },
  'issuance.resume': { params: 'none; the target is certificates', handler: () => resumeIssuance() },
  'kek.destroy': { params: 'none; the target is <purpose>-<version>', handler: destroyKekAct },
  'kek.rotate': { params: 'none; the target is the purpose, e.g. escrow-store', handler: rotateKekAct },
  'key.destroy': {
    params: 'none: opens the window of policies/limits.yaml',
    handler: (instance) => changeKey(instance, 'key.destroy'),
  },
  'key.export': {
    params: 'recipientCertificate (base64 of DER); the target is a managed key',
    handler: exportManagedKey,
  },
  'key.mark-compromised': { params: 'incident', handler: (instance) => changeKey(instance, 'key.mark-compromised') },
  'key.reactivate': { params: 'none', handler: (instance) => changeKey(instance, 'key.reactivate') },
  'key.suspend': { params: 'none', handler: (instance) => changeKey(instance, 'key.suspend') },
  'person.appoint': { params: PERSON, handler: (instance) => appointPerson(instance, 'operating') },
  'person.appoint-auditor': { params: PERSON, handler: (instance) => appointPerson(instance, 'audit') },
  'person.enable': { params: 'none', handler: () => enablePerson() },
  'person.leave': { params: 'none', handler: leaveOffice },
  'person.suspend': { params: 'none', handler: suspendPerson },
  'person.grant-role': { params: 'role, region?', handler: grantRole },
  'person.replace-certificate': {
    params: 'certificate (base64 of DER), reason (superseded, keyCompromise, affiliationChanged)',
    handler: replaceCertificate,
  },
  'person.revoke-role': { params: 'role, region?', handler: revokeRole },
  'policy.change': {
    params: 'digest, version, policy, changes, as kmc policy propose writes them; the target is policy-set',
    handler: changePolicyHandler,
  },
  'recovery.judicial': {
    params: 'caseNumber, legalBasis, legalDocument (sm3:...), applicant, key, evidenceCertificate (base64 of DER)',
    handler: judicialRecovery,
  },
  'recovery.user': { params: 'recipient (base64 of a SubjectPublicKeyInfo)', handler: approvedUserRecovery },
  'root.plan': transition('root.plan'),
  'root.pilot': transition('root.pilot'),
  'root.rollout': transition('root.rollout'),
  'root.ready': transition('root.ready'),
  'root.activate': transition('root.activate'),
  'root.migrated': transition('root.migrated'),
  'root.retire': transition('root.retire'),
  'root.clear-retirement': transition('root.clear-retirement'),
  'root.remove': transition('root.remove'),
  'root.abort': transition('root.abort'),
  'root.roll-back': transition('root.roll-back'),
  'root.ready-again': transition('root.ready-again'),
  'root.declare-emergency': transition('root.declare-emergency'),
  'root.resume': { params: 'none', handler: () => resumeUpgrade() },
  'registration-authority.amend': { params: `region, ${TERMS}`, handler: amendRegistrationAuthority },
  'registration-authority.apply': { params: `region, nameEn, nameZh, ${TERMS}`, handler: applyRegistrationAuthority },
  'registration-authority.appoint-operators': moving(
    'registration-authority.appoint-operators',
    'region, operators (list of ids of people who hold ra-operator of the region, at least two)',
  ),
  'registration-authority.attest-documents': moving('registration-authority.attest-documents', ATTESTATION),
  'registration-authority.attest-premises': moving('registration-authority.attest-premises', ATTESTATION),
  'registration-authority.close': moving('registration-authority.close'),
  'registration-authority.open': moving('registration-authority.open'),
  'registration-authority.resume': moving('registration-authority.resume'),
  'registration-authority.suspend': moving('registration-authority.suspend'),
  'supervised-authority.end': { params: 'none', handler: () => endSupervision() },
  'supervised-authority.register': {
    params: 'region, name, certificate (base64 of DER), crlUrl, certificatesUrl (or an empty text)',
    handler: registerSupervisedAuthority,
  },
} as const satisfies Readonly<Partial<Record<ActionName, HandledAct>>>;

/** The acts that this service does, with their parameters as a person writes them. */
export const HANDLED_ACTS: readonly { readonly name: ActionName; readonly params: string }[] = ACTION_NAMES.flatMap(
  (name) => (isHandled(name) ? [{ name, params: HANDLED[name].params }] : []),
);

/** The handlers of an instance. An act that is not here is refused when it is proposed (E_USAGE). */
export function actionHandlers(instance: Instance): ActionHandlers {
  return Object.fromEntries(Object.entries(HANDLED).map(([name, { handler }]) => [name, handler(instance)]));
}

function isHandled(name: ActionName): name is keyof typeof HANDLED {
  return Object.hasOwn(HANDLED, name);
}
