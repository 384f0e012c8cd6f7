/** The migrations in their order. A name, once released, never changes and never goes. */
import type { Knex } from 'knex';
import { up as core } from './001-core.ts';
import { up as audit } from './002-audit.ts';
import { up as approvals } from './003-approvals.ts';
import { up as devices } from './004-devices.ts';
import { up as certificates } from './005-certificates.ts';
import { up as escrowedKeys } from './006-escrowed-keys.ts';
import { up as trustBundles } from './007-trust-bundles.ts';
import { up as keyLife } from './008-key-life.ts';
import { up as separationOfDuty } from './009-separation-of-duty.ts';
import { up as status } from './010-status.ts';
import { up as deviceAccess } from './011-device-access.ts';
import { up as caKmc } from './012-ca-kmc.ts';
import { up as breakGlass } from './013-break-glass.ts';
import { up as eventIndexes } from './014-event-indexes.ts';
import { up as keyClaims } from './015-key-claims.ts';
import { up as managedKeys } from './016-managed-keys.ts';
import { up as backups } from './017-backups.ts';
import { up as rootUpgrades } from './018-root-upgrades.ts';
import { up as fleet } from './019-fleet.ts';
import { up as auditService } from './020-audit-service.ts';
import { up as registrationAuthorities } from './021-registration-authorities.ts';
import { up as supervision } from './022-supervision.ts';

export interface Migration {
  readonly name: string;
  readonly up: (knex: Knex) => Promise<void>;
}

export const MIGRATIONS: readonly Migration[] = [
  { name: '001-core', up: core },
  { name: '002-audit', up: audit },
  { name: '003-approvals', up: approvals },
  { name: '004-devices', up: devices },
  { name: '005-certificates', up: certificates },
  { name: '006-escrowed-keys', up: escrowedKeys },
  { name: '007-trust-bundles', up: trustBundles },
  { name: '008-key-life', up: keyLife },
  { name: '009-separation-of-duty', up: separationOfDuty },
  { name: '010-status', up: status },
  { name: '011-device-access', up: deviceAccess },
  { name: '012-ca-kmc', up: caKmc },
  { name: '013-break-glass', up: breakGlass },
  { name: '014-event-indexes', up: eventIndexes },
  { name: '015-key-claims', up: keyClaims },
  { name: '016-managed-keys', up: managedKeys },
  { name: '017-backups', up: backups },
  { name: '018-root-upgrades', up: rootUpgrades },
  { name: '019-fleet', up: fleet },
  { name: '020-audit-service', up: auditService },
  { name: '021-registration-authorities', up: registrationAuthorities },
  { name: '022-supervision', up: supervision },
];
