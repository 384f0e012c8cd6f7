/** Applications (the callers of the data-encryption service): what is registered of one, and what it may do with a key. */
import { KmcError } from '../errors.ts';
import { encodeName } from '../x509/name.ts';
import { KEY_OPERATIONS, type KeyOperation } from './managed-key.ts';
import { isBase64, plainText, requireMembers, type MemberCheck, type SignedObject } from './signed-body.ts';

export const APPLICATION_STATUSES = ['in-service', 'suspended', 'ended'] as const;
export type ApplicationStatus = (typeof APPLICATION_STATUSES)[number];

/** What people decide of an application that is registered, and where each act leads. */
const APPLICATION_ACTS = {
  'application.suspend': { from: ['in-service'], to: 'suspended' },
  'application.resume': { from: ['suspended'], to: 'in-service' },
  'application.end': { from: ['in-service', 'suspended'], to: 'ended' },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly ApplicationStatus[]; readonly to: ApplicationStatus }>
>;
export type ApplicationActName = keyof typeof APPLICATION_ACTS;

/** @throws KmcError E_STATE when the act is not one of that status. */
export function nextApplicationStatus(act: ApplicationActName, status: ApplicationStatus): ApplicationStatus {
  const { from, to }: { readonly from: readonly ApplicationStatus[]; readonly to: ApplicationStatus } =
    APPLICATION_ACTS[act];
  if (from.includes(status)) return to;
  throw new KmcError('E_STATE', `An application that is ${status} does not take ${act}.`);
}

export interface ApplicationNames {
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
}

/** Parameters of `application.register`: a new application, or a further certificate of one that is known. */
export interface ApplicationRegistration {
  readonly names: ApplicationNames | undefined;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
}

const request: MemberCheck = (value) =>
  typeof value === 'string' && value.length <= 24_000 && isBase64(value) ? undefined : 'must be base64 of PKCS#10';
const NAMES = { name: plainText(64), unit: plainText(64), organisation: plainText(64) };

/** @throws KmcError E_SCHEMA with a pointer for each fault. */
export function readApplicationRegistration(params: SignedObject): ApplicationRegistration {
  const what = 'registration of an application';
  const isNew = Object.keys(params).some((member) => Object.hasOwn(NAMES, member));
  if (!isNew) {
    requireMembers<{ csr: string }>(params, { csr: request }, what);
    return { names: undefined, csr: Buffer.from(params.csr, 'base64') };
  }
  requireMembers<ApplicationNames & { csr: string }>(params, { ...NAMES, csr: request }, what);
  const { name, unit, organisation } = params;
  return { names: { name, unit, organisation }, csr: Buffer.from(params.csr, 'base64') };
}

/** The subject of an application's certificates: country, organisation, unit, name, id. @returns Name, DER. */
export function applicationSubject(id: string, { name, unit, organisation }: ApplicationNames): Buffer {
  return encodeName(
    [
      { type: 'C', value: 'CN' },
      { type: 'O', value: organisation },
      { type: 'OU', value: unit },
      { type: 'CN', value: name },
      { type: 'serialNumber', value: id },
    ],
    'E_SCHEMA',
  );
}

/** Parameters of `application.grant` and `application.withdraw-grant`. */
export interface GrantParameters {
  readonly key: string;
  readonly operations: readonly KeyOperation[];
}

const operationList: MemberCheck = (value) => {
  const names: readonly unknown[] = KEY_OPERATIONS;
  return Array.isArray(value) &&
    value.length > 0 &&
    value.every((name) => names.includes(name)) &&
    new Set(value).size === value.length
    ? undefined
    : `must be a list of ${KEY_OPERATIONS.join(', ')}, each once`;
};

/** @throws KmcError E_SCHEMA. */
export function readGrant(params: SignedObject): GrantParameters {
  requireMembers<GrantParameters>(params, { key: plainText(64), operations: operationList }, 'grant');
  return params;
}

/** The operations in the order of the table, each once. */
export function inOrder(operations: Iterable<KeyOperation>): KeyOperation[] {
  const held = new Set(operations);
  return KEY_OPERATIONS.filter((operation) => held.has(operation));
}
