/** Rules over certificate profiles: each must be able to pass the lint of its kind, and pairs must fit (gm-standards 5). */
import { OID } from '../../crypto/asn1/oids.ts';
import { EST_OPERATIONS } from '../../domain/est.ts';
import { pairFaults, REQUIRED_PROFILES, type CertificateProfile } from '../../domain/profile.ts';
import { CERTIFICATE_KINDS, GM_PROFILE_KINDS } from '../../x509/lint/certificate-kinds.ts';
import { advice, rule, unless, type Place, type PolicyRule } from './rule.ts';
import type { PolicyFiles } from './schemas.ts';

const OPERATIONS: readonly string[] = EST_OPERATIONS;

export const PROFILE_SET_RULES: readonly PolicyRule[] = [
  rule('profiles/required', 'profiles.yaml', ({ 'profiles.yaml': { certificates } }) =>
    REQUIRED_PROFILES.flatMap((name) =>
      unless(certificates[name] !== undefined, ['certificates'], `the profile ${name} must stand here`),
    ),
  ),
  rule('profiles/label', 'profiles.yaml', ({ 'profiles.yaml': { certificates, devices } }) =>
    (
      [
        ['certificates', certificates],
        ['devices', devices],
      ] as const
    ).flatMap(([group, profiles]) =>
      Object.keys(profiles).flatMap((name) =>
        unless(
          !OPERATIONS.includes(name),
          [group, name],
          'this is the name of an operation of EST: it cannot be a label',
        ),
      ),
    ),
  ),
  rule('profiles/device', 'profiles.yaml', ({ 'profiles.yaml': { certificates, devices } }) =>
    Object.entries(devices).flatMap(([name, device]) =>
      (['sign', 'enc'] as const).flatMap((half) => {
        const profile = device[half];
        return unless(
          profile === undefined || certificates[profile] !== undefined,
          ['devices', name, half],
          'there is no certificate profile of that name',
        );
      }),
    ),
  ),
  rule('profiles/successor', 'profiles.yaml', ({ 'profiles.yaml': { devices } }) =>
    Object.entries(devices).flatMap(([name, { successor }]) =>
      unless(
        successor === undefined || devices[successor]?.enc !== undefined,
        ['devices', name, 'successor'],
        'there is no device profile of that name with a pair',
      ),
    ),
  ),
  rule('profiles/pair', 'profiles.yaml', ({ 'profiles.yaml': { certificates, devices } }) =>
    Object.entries(devices).flatMap(([name, { sign, enc }]) => {
      const signing = certificates[sign];
      const encryption = enc === undefined ? undefined : certificates[enc];
      if (signing === undefined || encryption === undefined) return [];
      return pairFaults(signing, encryption).map((fault) => ({
        path: ['devices', name],
        message: `the pair ${sign} and ${enc} does not fit: ${fault}`,
      }));
    }),
  ),
];

const DAY = 86_400;
/** GmSSL refuses a chain with a certificate of more than 3653 days; leap days and rounding need some room. */
const LONGEST_DAYS = 3650;

function eachProfile(
  check: (profile: CertificateProfile, at: (member: string) => Place['path']) => Place[],
): PolicyRule['check'] {
  return ({ 'profiles.yaml': { certificates } }: PolicyFiles) =>
    Object.entries(certificates).flatMap(([name, profile]) =>
      check(profile, (member) => ['certificates', name, member]),
    );
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item) => right.includes(item));
}

/** The extensions that GM/T 0015 demands of a certificate that is not a root. */
const MANDATORY = [
  'subjectKeyIdentifier',
  'authorityKeyIdentifier',
  'certificatePolicies',
  'cRLDistributionPoints',
  'authorityInfoAccess',
] as const;

export const PROFILE_RULES: readonly PolicyRule[] = [
  rule(
    'profiles/crl-shards',
    'profiles.yaml',
    eachProfile((profile, at) =>
      unless(
        !profile.crlShards || profile.extensions.includes('cRLDistributionPoints'),
        at('crl-shards'),
        'only a certificate with cRLDistributionPoints can name the CRL of its region',
      ),
    ),
  ),
  rule(
    'profiles/ca',
    'profiles.yaml',
    eachProfile((profile, at) =>
      unless(
        (profile.ca !== undefined) === CERTIFICATE_KINDS[profile.kind].ca,
        at('kind'),
        `the kind ${profile.kind} is ${CERTIFICATE_KINDS[profile.kind].ca ? 'a CA: ca must stand here' : 'not a CA'}`,
      ),
    ),
  ),
  rule(
    'profiles/subject-keys',
    'profiles.yaml',
    eachProfile((profile, at) => {
      const { keyAlgorithms } = CERTIFICATE_KINDS[profile.kind];
      return unless(
        profile.subjectKeys.every((algorithm) => keyAlgorithms.includes(algorithm)),
        at('subject-keys'),
        `the kind ${profile.kind} is for ${keyAlgorithms.join(' or ')}`,
      );
    }),
  ),
  rule(
    'profiles/key-usage',
    'profiles.yaml',
    eachProfile((profile, at) => {
      const { keyUsages } = CERTIFICATE_KINDS[profile.kind];
      return unless(
        keyUsages.some((usages) => sameSet(usages, profile.keyUsage)),
        at('key-usage'),
        `the kind ${profile.kind} has ${keyUsages.map((usages) => usages.join(' and ')).join(', or ')}`,
      );
    }),
  ),
  rule(
    'profiles/key-purposes',
    'profiles.yaml',
    eachProfile((profile, at) => [
      ...unless(purposesFit(profile), at('key-purposes'), `these purposes do not fit the kind ${profile.kind}`),
      ...unless(
        profile.keyPurposesCritical === (CERTIFICATE_KINDS[profile.kind].purposes === 'private'),
        at('key-purposes-critical'),
        'key purposes are critical exactly where the purpose is one of our own',
      ),
    ]),
  ),
  rule(
    'profiles/validity',
    'profiles.yaml',
    eachProfile((profile, at) => {
      const { maxDays } = CERTIFICATE_KINDS[profile.kind];
      return [
        ...unless(profile.validitySeconds > 0, at('validity'), 'must be above zero'),
        ...unless(
          maxDays === undefined || profile.validitySeconds <= maxDays * DAY,
          at('validity'),
          `the kind ${profile.kind} lasts ${maxDays} days at most`,
        ),
      ];
    }),
  ),
  advice(
    'profiles/validity-above-3650d',
    'profiles.yaml',
    eachProfile((profile, at) =>
      unless(
        profile.validitySeconds <= LONGEST_DAYS * DAY,
        at('validity'),
        'GmSSL refuses a chain with a certificate of more than 3653 days',
      ),
    ),
  ),
  rule(
    'profiles/extensions',
    'profiles.yaml',
    eachProfile((profile, at) => {
      const facts = CERTIFICATE_KINDS[profile.kind];
      const wanted = [
        'subjectKeyIdentifier',
        ...(facts.selfIssued ? [] : ['authorityKeyIdentifier']),
        ...(GM_PROFILE_KINDS.includes(profile.kind) ? MANDATORY : []),
        ...(profile.kind === 'root' ? ['subjectInfoAccess'] : []),
        ...(profile.kind === 'ocsp' ? ['ocspNoCheck'] : []),
        ...(facts.dnsName ? ['subjectAltName'] : []),
      ];
      const named: readonly string[] = profile.extensions;
      return [
        ...[...new Set(wanted)].flatMap((name) =>
          unless(named.includes(name), at('extensions'), `the kind ${profile.kind} has ${name}`),
        ),
        ...unless(new Set(named).size === named.length, at('extensions'), 'an extension stands here twice'),
        ...unless(
          profile.kind === 'ocsp' || !named.includes('ocspNoCheck'),
          at('extensions'),
          'ocspNoCheck is for OCSP responders alone',
        ),
      ];
    }),
  ),
];

function purposesFit(profile: CertificateProfile): boolean {
  const { purposes } = CERTIFICATE_KINDS[profile.kind];
  const named = profile.keyPurposes;
  if (purposes === 'private') return sameSet(named, ['bundleSigner']);
  if (named.includes('bundleSigner')) return false;
  if (purposes === 'none') return named.length === 0;
  if (purposes === 'free') return new Set(named).size === named.length;
  return sameSet(
    named.map((purpose) => (purpose === 'bundleSigner' ? purpose : OID[purpose])),
    purposes,
  );
}
