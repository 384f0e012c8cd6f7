/** The rules that a trust-bundle manifest must keep, and the one error that names the rule it broke (A.3, A.4). */
import { KmcError } from '../../errors.ts';

/** Rule -> what it asks, for people. A device, the service and the tests know these names. */
export const TRUST_RULES = {
  'unknown-schema': 'the schema of the manifest is one that this program knows',
  'other-bundle': 'the manifest is of the bundle that the device trusts',
  'skipped-version': 'each version follows the one before it',
  rollback: 'versions only rise',
  'previous-digest': 'the manifest names the digest of the version before it',
  expired: 'the newest manifest is in force',
  'not-yet-issued': 'the manifest was issued before now',
  'too-few-signers': 'each set that must sign reaches its threshold of distinct holders',
  downgrade: 'signer sets are added at the end, given up at the front, and never listed again',
  'deny-list': 'the deny list only grows, and what stands on it is not trusted',
  'link-missing': 'a new anchor comes with a link certificate of an anchor that is trusted',
  'link-mismatch':
    'a link certificate is made by its old anchor, with SHA-256 or SM3, for the key and the name of the new one',
  'not-committed': 'an emergency installs only the standby key that the trusted version committed to',
  'first-version': 'a device without a manifest begins with version 1, under its present anchor',
  fingerprint: 'the fingerprints typed at the device are those of an anchor of the manifest',
  inconsistent: 'the manifest does not contradict itself',
} as const satisfies Readonly<Record<string, string>>;
export type TrustRule = keyof typeof TRUST_RULES;

/** E_TRUST with the rule as its `rule`. `detail` says what was found, for people. */
export function trustRefusal(rule: TrustRule, detail: string, cause?: unknown): KmcError {
  return new KmcError('E_TRUST', `${detail} The rule: ${TRUST_RULES[rule]}.`, {
    rule,
    ...(cause === undefined ? {} : { cause }),
  });
}
