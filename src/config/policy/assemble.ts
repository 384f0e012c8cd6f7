/** From the parsed policy files to the domain's policy set. */
import type { PolicySet } from '../../domain/policy.ts';
import type { PublicationPolicy } from '../../domain/profile.ts';
import { orderedPair } from '../../domain/roles.ts';
import type { PolicyFiles } from './schemas.ts';

/** What a development instance puts where addresses.yaml says nothing: this machine, and the example arc of RFC 5612. */
const DEVELOPMENT_PUBLICATION: PublicationPolicy = {
  crl: 'http://127.0.0.1:8440/crl',
  ocsp: 'http://127.0.0.1:8440/ocsp',
  caIssuers: 'http://127.0.0.1:8440/ca',
  caRepository: 'http://127.0.0.1:8440/ca',
  certificatePolicy: '1.3.6.1.4.1.32473.1.1',
  bundleSigner: '1.3.6.1.4.1.32473.1.2',
};

function publicationOf(yaml: PolicyFiles['addresses.yaml']): PublicationPolicy {
  const stated = {
    crl: yaml.crl,
    ocsp: yaml.ocsp,
    caIssuers: yaml['ca-issuers'],
    caRepository: yaml['ca-repository'],
    certificatePolicy: yaml['certificate-policy'],
    bundleSigner: yaml['bundle-signer'],
  };
  const present = Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined));
  return { ...DEVELOPMENT_PUBLICATION, ...present };
}

const DAY = 86_400;

/** The policy set of files that the linter found free of errors. */
export function policySetOf(files: PolicyFiles): PolicySet {
  const { targets, quotas, regions, 'registration-authorities': registrationAuthorities } = files['regions.yaml'];
  const { enrolment, issuance, revocation, keys, backups, reminders, supervision, audit } = files['limits.yaml'];
  return {
    version: files['quorums.yaml'].version,
    quorums: files['quorums.yaml'].classes,
    exclusions: files['roles.yaml']['never-together'].map(([a, b]) => orderedPair(a, b)),
    profiles: files['profiles.yaml'].certificates,
    deviceProfiles: files['profiles.yaml'].devices,
    cryptoPeriods: files['crypto-periods.yaml'].periods,
    regions,
    registrationAuthorities,
    registrationQuota: { devices: quotas.devices, devicesPerDay: quotas['devices-per-day'] },
    targets: {
      certificates: targets.certificates,
      perRegistrationAuthority: targets['per-registration-authority'],
    },
    publication: publicationOf(files['addresses.yaml']),
    enrolment: {
      tokenInPersonSeconds: enrolment['token-in-person'],
      tokenRemoteSeconds: enrolment['token-remote'],
      tokenTries: enrolment['token-tries'],
      tokenLockSeconds: enrolment['token-lock'],
      redeliverySeconds: enrolment.redelivery,
      pendingSeconds: enrolment.pending,
    },
    issuance: {
      signatureCheck: issuance['signature-check'],
      sampleOneIn: issuance['sample-one-in'],
    },
    revocation: {
      crlIntervalSeconds: revocation['crl-interval'],
      crlValiditySeconds: revocation['crl-validity'],
      deltaCrlIntervalSeconds: revocation['delta-crl-interval'],
      deltaCrlValiditySeconds: revocation['delta-crl-validity'],
      ocspIntervalSeconds: revocation['ocsp-interval'],
      ocspValiditySeconds: revocation['ocsp-validity'],
    },
    keys: {
      destroyWindowSeconds: keys['destroy-window'],
      pools: keys.pools,
    },
    backupKeepSeconds: backups.keep,
    reminders,
    supervision: {
      fetchIntervalSeconds: supervision['fetch-interval'],
      unreachableAfterSeconds: supervision['unreachable-after'],
      renewalOverdueSeconds: supervision['renewal-overdue'],
      approvalWaitsSeconds: supervision['approval-waits'],
      issuance: {
        days: supervision['issuance-days'],
        deviations: supervision['issuance-deviations'],
        least: supervision['issuance-least'],
      },
    },
    auditRetentionDays: Math.floor(audit.retention / DAY),
    auditCosignatures: audit.cosignatures,
  };
}
