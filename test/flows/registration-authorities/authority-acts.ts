/** Acts on registration authorities, from request to execution. */
import type { SignedObject } from '../../../src/domain/signed-body.ts';
import type { ActionName } from '../../../src/domain/action.ts';
import type { ExecutedRequest } from '../../../src/flows/approvals/execute-request.ts';
import type { RegistrationAuthorityRow } from '../../../src/flows/ports/registration-authorities.ts';
import type { TestInstance } from '../../fixtures/instance.ts';
import { carryOut } from '../people/people-acts.ts';

export type ActWord = 'apply' | 'open' | 'suspend' | 'resume' | 'close' | 'amend' | AttestedWord;
type AttestedWord = 'attest-documents' | 'attest-premises' | 'appoint-operators';

/** `sm3:` of some report. */
export const EVIDENCE = `sm3:${'ab'.repeat(32)}`;

export function opOf(word: ActWord): ActionName {
  return `registration-authority.${word}`;
}

/** Carries the act out, with everybody who may decide it. */
export function doAct(
  test: TestInstance,
  word: ActWord,
  id: string,
  region: string,
  params: SignedObject = {},
): Promise<ExecutedRequest> {
  return carryOut(test, { op: opOf(word), targetId: id, params: { region, ...params } });
}

export function authority(test: TestInstance, id: string): Promise<RegistrationAuthorityRow | undefined> {
  return test.database.read((reader) => reader.registrationAuthorities.find(id));
}

/** Other profiles and quotas. */
export function amend(
  test: TestInstance,
  id: string,
  region: string,
  terms: { readonly devices?: number; readonly devicesPerDay?: number; readonly profiles?: readonly string[] },
): Promise<ExecutedRequest> {
  const { devices = 100, devicesPerDay = 100, profiles = ['gateway'] } = terms;
  return doAct(test, 'amend', id, region, {
    profiles,
    devices: String(devices),
    devicesPerDay: String(devicesPerDay),
  });
}
