/** The acts that this service does once they are approved: one handler for each, in one table. */
import type { ActionHandlers } from './approvals/action-handler.ts';
import { createIssuingKey } from './authorities/create-issuing-key.ts';
import { registerDeviceBatch } from './devices/register-device-batch.ts';
import { registerMarkedDevice } from './devices/register-marked-device.ts';
import type { Instance } from './instance.ts';
import { changePolicyHandler } from './policy/change-policy.ts';

/** The handlers of an instance. An act that is not here is refused when it is proposed (E_USAGE). */
export function actionHandlers(instance: Instance): ActionHandlers {
  return {
    'authority.create-issuing': createIssuingKey(instance),
    'device.register-batch': registerDeviceBatch(instance),
    'device.register-marked': registerMarkedDevice(),
    'policy.change': changePolicyHandler(instance),
  };
}
