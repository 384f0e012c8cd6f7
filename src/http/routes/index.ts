/** Every route of the service. */
import type { Route } from '../route.ts';
import type { ServedInstance } from '../served-instance.ts';
import { alarmRoutes } from './alarms.ts';
import { applicationRoutes } from './applications.ts';
import { auditRoutes } from './audit.ts';
import { backupRoutes } from './backups.ts';
import { authorityRoutes } from './authorities.ts';
import { breakGlassRoutes } from './break-glass.ts';
import { caKmcRoutes } from './ca-kmc.ts';
import { certificateRoutes } from './certificates.ts';
import { consoleRoutes } from './console.ts';
import { crlRoutes } from './crls.ts';
import { challengeRoutes } from './challenges.ts';
import { dataRoutes } from './data.ts';
import { deviceRoutes } from './devices.ts';
import { enrolmentRoutes } from './enrolments.ts';
import { estRoutes } from './est.ts';
import { expirationRoutes } from './expirations.ts';
import { fleetRoutes } from './fleet.ts';
import { healthRoutes } from './health.ts';
import { keyRoutes } from './keys.ts';
import { keystoreRoutes } from './keystore.ts';
import { ocspRoutes } from './ocsp.ts';
import { openApiRoute } from './openapi.ts';
import { personRoutes } from './people.ts';
import { policyRoutes } from './policies.ts';
import { poolRoutes } from './pools.ts';
import { recoveryRoutes } from './recoveries.ts';
import { registrationAuthorityRoutes } from './registration-authorities.ts';
import { reissueRoutes } from './reissues.ts';
import { requestRoutes } from './requests.ts';
import { supervisedAuthorityRoutes } from './supervised-authorities.ts';
import { supervisedImportRoutes } from './supervised-imports.ts';
import { rootUpgradeInputRoutes } from './root-upgrade-inputs.ts';
import { rootUpgradeRoutes } from './root-upgrades.ts';
import { supervisionRoutes } from './supervision.ts';
import { trustBundleRoutes } from './trust-bundles.ts';
import { upgradeFleetRoutes } from './upgrade-fleet.ts';
import { verdictRoutes } from './verdicts.ts';

const NOUNS: readonly ((instance: ServedInstance) => Route[])[] = [
  healthRoutes,
  keystoreRoutes,
  requestRoutes,
  personRoutes,
  policyRoutes,
  auditRoutes,
  breakGlassRoutes,
  authorityRoutes,
  certificateRoutes,
  crlRoutes,
  ocspRoutes,
  expirationRoutes,
  deviceRoutes,
  registrationAuthorityRoutes,
  alarmRoutes,
  supervisedAuthorityRoutes,
  supervisedImportRoutes,
  enrolmentRoutes,
  supervisionRoutes,
  consoleRoutes,
  trustBundleRoutes,
  rootUpgradeRoutes,
  rootUpgradeInputRoutes,
  fleetRoutes,
  upgradeFleetRoutes,
  reissueRoutes,
  caKmcRoutes,
  keyRoutes,
  applicationRoutes,
  dataRoutes,
  poolRoutes,
  backupRoutes,
  challengeRoutes,
  estRoutes,
  recoveryRoutes,
  verdictRoutes,
];

/** The routes in the order in which they are tried and described. */
export function allRoutes(instance: ServedInstance): Route[] {
  const routes = NOUNS.flatMap((routesOf) => routesOf(instance));
  return [...routes, openApiRoute(routes, instance.version)];
}
