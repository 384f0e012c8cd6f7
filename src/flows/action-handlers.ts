/** The acts that this service does once they are approved: one handler for each, in one table. */
import type { ActionHandlers } from './approvals/action-handler.ts';
import { createIssuingKey } from './authorities/create-issuing-key.ts';
import { revokeAuthority } from './authorities/revoke-authority.ts';
import { revokeCertificates } from './certificates/revoke-certificates.ts';
import { registerDeviceBatch } from './devices/register-device-batch.ts';
import { registerMarkedDevice } from './devices/register-marked-device.ts';
import type { Instance } from './instance.ts';
import { appointPerson } from './people/appoint-person.ts';
import { enablePerson } from './people/enable-person.ts';
import { grantRole } from './people/grant-role.ts';
import { replaceCertificate } from './people/replace-certificate.ts';
import { revokeRole } from './people/revoke-role.ts';
import { changePolicyHandler } from './policy/change-policy.ts';

/** The handlers of an instance. An act that is not here is refused when it is proposed (E_USAGE). */
export function actionHandlers(instance: Instance): ActionHandlers {
  return {
    'authority.create-issuing': createIssuingKey(instance),
    'authority.revoke': revokeAuthority(),
    'certificate.revoke-bulk': revokeCertificates('certificate.revoke-bulk'),
    'certificate.revoke-mass': revokeCertificates('certificate.revoke-mass'),
    'device.register-batch': registerDeviceBatch(instance),
    'device.register-marked': registerMarkedDevice(),
    'person.appoint': appointPerson(instance, 'operating'),
    'person.appoint-auditor': appointPerson(instance, 'audit'),
    'person.enable': enablePerson(),
    'person.grant-role': grantRole(instance),
    'person.replace-certificate': replaceCertificate(instance),
    'person.revoke-role': revokeRole(instance),
    'policy.change': changePolicyHandler(instance),
  };
}
