/** Rules over regions, addresses, crypto-periods and limits. */
import { EXPIRING_KINDS } from '../../domain/expiry.ts';
import { REGION_COUNTS } from '../../domain/region.ts';
import { productionRule, repeated, rule, unless, type PolicyRule } from './rule.ts';

const HOUR = 3_600;
const DAY = 86_400;

export const REGION_RULES: readonly PolicyRule[] = [
  rule('regions/duplicate', 'regions.yaml', ({ 'regions.yaml': { regions } }) =>
    repeated(regions, (region) => region.code, 'regions', 'this code stands here twice'),
  ),
  rule('regions/count', 'regions.yaml', ({ 'regions.yaml': { regions } }) =>
    (['national', 'province', 'corps'] as const).flatMap((kind) => {
      const found = regions.filter((region) => region.kind === kind).length;
      return unless(
        found === REGION_COUNTS[kind],
        ['regions'],
        `there are ${REGION_COUNTS[kind]} of kind ${kind}, not ${found}`,
      );
    }),
  ),
  rule('regions/authority-duplicate', 'regions.yaml', ({ 'regions.yaml': { 'registration-authorities': list } }) =>
    repeated(list, (authority) => authority.id, 'registration-authorities', 'this id stands here twice'),
  ),
  rule(
    'regions/authority-region',
    'regions.yaml',
    ({ 'regions.yaml': { regions, 'registration-authorities': list } }) =>
      list.flatMap((authority, index) =>
        unless(
          regions.some((region) => region.code === authority.region && region.kind !== 'national'),
          ['registration-authorities', index, 'region'],
          'a registration authority belongs to a province or the corps of this file',
        ),
      ),
  ),
  rule('regions/quota', 'regions.yaml', ({ 'regions.yaml': { quotas } }) => [
    ...unless(quotas.devices > 0, ['quotas', 'devices'], 'an authority that may have no device registers nothing'),
    ...unless(quotas['devices-per-day'] > 0, ['quotas', 'devices-per-day'], 'must be above zero'),
  ]),
  rule('regions/target', 'regions.yaml', ({ 'regions.yaml': { targets } }) => [
    ...unless(targets.certificates > 0, ['targets', 'certificates'], 'the target must be above zero'),
    ...unless(
      targets['per-registration-authority'] > 0,
      ['targets', 'per-registration-authority'],
      'the target must be above zero',
    ),
  ]),
];

/** The arc that RFC 5612 sets aside for documentation. */
const EXAMPLE_ARC = '1.3.6.1.4.1.32473.';
const LOCAL_HOST = /^http:\/\/(?:localhost|127\.[0-9.]+|[A-Za-z0-9.-]+\.(?:example|invalid|test|localhost))(?:[:/]|$)/;
const ADDRESS_KEYS = ['crl', 'ocsp', 'ca-issuers', 'ca-repository'] as const;
const OID_KEYS = ['certificate-policy', 'bundle-signer'] as const;

export const ADDRESS_RULES: readonly PolicyRule[] = [
  productionRule('addresses/missing', 'addresses.yaml', ({ 'addresses.yaml': addresses }) =>
    [...ADDRESS_KEYS, ...OID_KEYS].flatMap((key) =>
      unless(addresses[key] !== undefined, [], `${key} must stand here: certificates keep it for years`),
    ),
  ),
  productionRule('addresses/local-host', 'addresses.yaml', ({ 'addresses.yaml': addresses }) =>
    ADDRESS_KEYS.flatMap((key) =>
      unless(!LOCAL_HOST.test(addresses[key] ?? ''), [key], 'nobody outside this machine reaches this address'),
    ),
  ),
  productionRule('addresses/example-arc', 'addresses.yaml', ({ 'addresses.yaml': addresses }) =>
    OID_KEYS.flatMap((key) =>
      unless(!(addresses[key] ?? '').startsWith(EXAMPLE_ARC), [key], 'this arc is for examples; use one of your own'),
    ),
  ),
];

export const LIMIT_RULES: readonly PolicyRule[] = [
  rule('limits/token', 'limits.yaml', ({ 'limits.yaml': { enrolment } }) => [
    ...unless(enrolment['token-in-person'] <= 3 * DAY, ['enrolment', 'token-in-person'], 'must be 72h or less'),
    ...unless(enrolment['token-remote'] <= DAY, ['enrolment', 'token-remote'], 'must be 24h or less'),
    ...unless(
      enrolment['token-tries'] >= 1 && enrolment['token-tries'] <= 5,
      ['enrolment', 'token-tries'],
      'must be 1 to 5',
    ),
    ...unless(enrolment['token-lock'] >= 900, ['enrolment', 'token-lock'], 'must be 15m or more'),
  ]),
  rule('limits/redelivery', 'limits.yaml', ({ 'limits.yaml': { enrolment } }) =>
    unless(enrolment.redelivery >= 3 * DAY, ['enrolment', 'redelivery'], 'devices may ask again for 72h'),
  ),
  rule('limits/crl', 'limits.yaml', ({ 'limits.yaml': { revocation } }) => [
    ...unless(
      revocation['crl-validity'] > revocation['crl-interval'],
      ['revocation', 'crl-validity'],
      'a CRL must outlive the interval to the next one',
    ),
    ...unless(
      revocation['delta-crl-validity'] > revocation['delta-crl-interval'],
      ['revocation', 'delta-crl-validity'],
      'a delta CRL must outlive the interval to the next one',
    ),
    ...unless(
      revocation['delta-crl-interval'] < revocation['crl-interval'],
      ['revocation', 'delta-crl-interval'],
      'a delta CRL comes more often than the complete one',
    ),
    ...unless(
      revocation['ocsp-validity'] > revocation['ocsp-interval'],
      ['revocation', 'ocsp-validity'],
      'an answer must outlive the interval to the next one',
    ),
  ]),
  rule('limits/destroy-window', 'limits.yaml', ({ 'limits.yaml': { keys } }) =>
    unless(
      keys['destroy-window'] >= 7 * DAY && keys['destroy-window'] <= 30 * DAY,
      ['keys', 'destroy-window'],
      'must be 7d to 30d',
    ),
  ),
  rule('limits/pool', 'limits.yaml', ({ 'limits.yaml': { keys } }) =>
    Object.entries(keys.pools).flatMap(([name, pool]) => [
      ...unless(pool.low < pool.high, ['keys', 'pools', name, 'low'], 'must be below high'),
      ...unless(
        !(pool.onDemand && pool.needsBackup),
        ['keys', 'pools', name, 'on-demand'],
        'a key that is made on demand is in no backup: one of the two, on-demand or needs-backup',
      ),
    ]),
  ),
  rule('limits/backups', 'limits.yaml', ({ 'limits.yaml': { backups } }) =>
    unless(backups.keep >= DAY, ['backups', 'keep'], 'must be 1d or more: an expired backup protects nobody'),
  ),
  rule('limits/sample', 'limits.yaml', ({ 'limits.yaml': { issuance } }) =>
    unless(issuance['sample-one-in'] <= 10_000, ['issuance', 'sample-one-in'], 'must be 10000 or less'),
  ),
  rule('limits/reminders', 'limits.yaml', ({ 'limits.yaml': { reminders, revocation } }) => [
    ...EXPIRING_KINDS.flatMap((kind) =>
      unless(reminders[kind] >= HOUR, ['reminders', kind], 'an hour is the least that helps anybody'),
    ),
    ...unless(
      reminders.crl < revocation['crl-validity'] - revocation['crl-interval'],
      ['reminders', 'crl'],
      'every CRL would be reminded of before the next one is due',
    ),
  ]),
  rule('limits/supervision', 'limits.yaml', ({ 'limits.yaml': { supervision } }) => [
    ...unless(supervision['fetch-interval'] >= 300, ['supervision', 'fetch-interval'], 'must be 5m or more'),
    ...unless(
      supervision['unreachable-after'] >= supervision['fetch-interval'],
      ['supervision', 'unreachable-after'],
      'nobody asks as often as that: fetch-interval or more',
    ),
    ...unless(supervision['approval-waits'] >= HOUR, ['supervision', 'approval-waits'], 'must be 1h or more'),
    ...unless(
      supervision['issuance-days'] >= 7 && supervision['issuance-days'] <= 90,
      ['supervision', 'issuance-days'],
      'must be 7 to 90',
    ),
    ...unless(supervision['issuance-deviations'] >= 3, ['supervision', 'issuance-deviations'], 'must be 3 or more'),
  ]),
  rule('limits/audit-retention', 'limits.yaml', ({ 'limits.yaml': { audit } }) =>
    unless(audit.retention >= 180 * DAY, ['audit', 'retention'], 'must be 180d or more'),
  ),
];

export const PERIOD_RULES: readonly PolicyRule[] = [
  rule('periods/zero', 'crypto-periods.yaml', ({ 'crypto-periods.yaml': { periods } }) =>
    Object.entries(periods).flatMap(([name, period]) =>
      unless(period.originateSeconds > 0, ['periods', name, 'protect'], 'a key that protects for no time is of no use'),
    ),
  ),
];
