/** Who calls a flow, as the authentication of its request found it. */
import type { AuditActor } from './audit/event.ts';
import type { RoleGrant } from './person.ts';
import type { RoleName } from './roles.ts';

export interface PersonCaller {
  readonly type: 'person';
  readonly id: string;
  readonly unit: string;
  readonly roles: readonly RoleGrant[];
  /** `sm3:<hex>` of the certificate the request was signed with. */
  readonly certificateSm3: string;
}

export interface DeviceCaller {
  readonly type: 'device';
  readonly id: string;
  readonly region: string;
  readonly certificateSm3: string;
}

/** A registered application: it uses managed keys, by its grants. */
export interface ApplicationCaller {
  readonly type: 'application';
  readonly id: string;
  readonly certificateSm3: string;
}

/** A sealed account that opened the break-glass session which is under way (enrolment-and-root-upgrade D.5). */
export interface SealedAccountCaller {
  readonly type: 'sealed-account';
  readonly id: string;
  /** Id of the session. */
  readonly session: string;
  readonly certificateSm3: string;
}

export interface AnonymousCaller {
  readonly type: 'anonymous';
  /** Transport address. */
  readonly source: string;
}

/** The service itself: background work, start-up, local ceremonies. */
export interface SystemCaller {
  readonly type: 'system';
  readonly id: string;
}

export type Caller =
  | PersonCaller
  | DeviceCaller
  | ApplicationCaller
  | SealedAccountCaller
  | AnonymousCaller
  | SystemCaller;

/** The actor field of an audit event for this caller. The address of an anonymous caller is no identity: it stays out. */
export function auditActor(caller: Caller, role?: RoleName): AuditActor {
  const id = caller.type === 'anonymous' ? 'anonymous' : caller.id;
  return {
    type: caller.type,
    id,
    ...(role === undefined ? {} : { role }),
    ...('certificateSm3' in caller ? { cert: caller.certificateSm3 } : {}),
  };
}
