import { newId } from '../../domain/id.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { readDeviceRegistration, type DeviceRegistration } from '../../domain/device.ts';
import { deviceProfile } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { createRequest } from '../approvals/create-request.ts';
import type { Instance } from '../instance.ts';
import type { DeviceRow } from '../ports/devices.ts';
import { admitRegistrations } from '../registration-authorities/admit-registrations.ts';
import { authorityOfRegion, deviceRow, registrationEvent } from './device-row.ts';
import { requireRaOperator } from './device-access.ts';
import { registerMarkedDevice } from './register-marked-device.ts';

export type RegisterDevicePorts = Pick<
  Instance,
  'database' | 'clock' | 'policies' | 'policyDigest' | 'environment' | 'environmentName' | 'node'
>;

export interface RegisterDeviceInput {
  /** Without an id it gets a new one. */
  readonly registration: Omit<DeviceRegistration, 'id'> & { readonly id?: string };
  /** Code of the region. */
  readonly region: string;
  /** Id of the HTTP request, for the events. */
  readonly requestId?: string;
}

export interface RegisteredDevice {
  readonly device: DeviceRow;
  /** The request that must be approved before the device gets certificates; only for a marked profile. */
  readonly approvalRequestId: string | undefined;
}

/**
 * Registers one device in the caller's own region. A device of a marked profile is suspended at first, and a request
 * `device.register-marked` is opened for it: until that is executed its enrolment waits.
 * @throws KmcError E_FORBIDDEN (not an ra-operator of the region), E_SCHEMA, E_POLICY, E_NOT_FOUND (region), E_STATE (its
 * registration authority is not in service), E_QUOTA, E_CONFLICT (id, or serial number of that vendor, registered already).
 */
export async function registerDevice(
  ports: RegisterDevicePorts,
  caller: Caller,
  { registration: given, region, requestId }: RegisterDeviceInput,
): Promise<RegisteredDevice> {
  const operator = requireRaOperator(caller, region);
  const at = ports.clock.now();
  const registration = readDeviceRegistration({ ...given, id: given.id ?? newId('dev', at) });
  const { marked } = deviceProfile(ports.policies, registration.profile);
  const authority = await ports.database.read((reader) => authorityOfRegion(ports.policies, reader, region));
  const device = deviceRow(ports.policies, registration, authority, {
    person: operator.id,
    at,
    status: marked ? 'suspended' : 'registered',
  });
  const source = { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) };
  const event = { id: newId('ev', at), actor: auditActor(operator, 'ra-operator'), source };
  await ports.database.transaction(async (tx) => {
    await admitRegistrations(tx, [device], at);
    if (!(await tx.devices.insert(device))) {
      throw new KmcError(
        'E_CONFLICT',
        'A device of that id, or of that vendor and serial number, is registered already.',
      );
    }
    await tx.audit.append(registrationEvent(device, event), at);
  });
  if (!marked) return { device, approvalRequestId: undefined };
  const handlers = { 'device.register-marked': registerMarkedDevice() };
  const { request } = await createRequest(
    { ...ports, handlers },
    {
      op: 'device.register-marked',
      targetId: device.id,
      params: { region, profile: device.profile },
      reason: `Device ${device.id} of the marked profile ${device.profile}`,
      source,
    },
    caller,
  );
  return { device, approvalRequestId: request.id };
}
