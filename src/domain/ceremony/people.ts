/** The first people of an instance, as the file of `kmc-init` states them (enrolment-and-root-upgrade D.3). */
import type { Person, RoleGrant } from '../person.ts';

export interface PersonSpec {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  /** Code of the region the person works in. */
  readonly region?: string;
  readonly roles: readonly RoleGrant[];
  /** `sm3:<hex>` of the self-signed certificate that the person brings; it counts for nothing after the close. */
  readonly certificate: string;
  /** `sm3:<hex>`, see crypto/identity-digest.ts; needed in production. */
  readonly identity?: string;
}

/** The people as they will stand in the service, for the rules that count who is left to decide. */
export function futurePerson(spec: PersonSpec): Person {
  const { certificate: _selfSigned, identity, ...rest } = spec;
  return { ...rest, ...(identity === undefined ? {} : { identityDigest: identity }), status: 'active', accounts: [] };
}

/** Name of a person's self-signed certificate among the inputs of `kmc-init`. */
export function personInputName(spec: Pick<PersonSpec, 'id'>): string {
  return `${spec.id}.cer`;
}
