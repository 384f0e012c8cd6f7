/** What a verifier trusts and tolerates: the policy file that stands beside an export, or in the auditor's own hands. */
import { parseStrictJson } from '../../crypto/jcs.ts';
import { parseSpki } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import type { NoteKey } from './checkpoint.ts';
import { isWholeNumber } from './detail.ts';
import { ORIGIN } from './record.ts';
import { inOrder, leaf, list, object, text } from './shape.ts';

export interface AuditPolicy {
  readonly origin: string;
  /** kid (`sm3:<hex>`) of the log's key. */
  readonly logKey: string;
  /** Seconds by which clocks of the service's machines may differ. */
  readonly clockSkew: number;
  /** Seconds within which an event has its place in the tree. */
  readonly maxDelay: number;
  readonly witnesses: readonly NoteKey[];
  /** Cosignatures that a checkpoint needs. */
  readonly quorum: number;
}

export const DEFAULT_CLOCK_SKEW = 5;
/** Longer than any flow works between looking at the clock and committing, and than a full queue takes to drain. */
export const DEFAULT_MAX_DELAY = 600;
const MAX_OCTETS = 65_536;

interface PolicyFile {
  readonly clockSkewSeconds: number;
  readonly logKey: string;
  readonly maxDelaySeconds: number;
  readonly origin: string;
  readonly quorum: number;
  readonly version: number;
  readonly witnesses: readonly { readonly name: string; readonly spki: string }[];
}

const seconds = leaf((value) => isWholeNumber(value) && Number(value) <= 86_400);
const POLICY_FILE = object({
  clockSkewSeconds: { check: seconds },
  logKey: { check: text(/^sm3:[0-9a-f]{64}$/) },
  maxDelaySeconds: { check: seconds },
  origin: { check: text(ORIGIN) },
  quorum: { check: leaf((value) => isWholeNumber(value) && Number(value) <= 16) },
  version: { check: leaf((value) => value === 1) },
  witnesses: {
    check: list(
      0,
      16,
      object({ name: { check: text(/^[^\s+]{1,128}$/) }, spki: { check: text(/^[A-Za-z0-9+/]+={0,2}$/) } }),
    ),
  },
});

/**
 * Reads a policy file: JSON with exactly the known members, whatever their order.
 * @throws KmcError E_JSON, E_SCHEMA; E_DER, E_POINT for the key of a witness.
 */
export function parseAuditPolicy(json: string): AuditPolicy {
  // People write policy files: there the order of members means nothing.
  const value = inOrder(parseStrictJson(json, { maxBytes: MAX_OCTETS, maxDepth: 4 }));
  const misfit = POLICY_FILE(value);
  if (!isPolicyFile(value, misfit)) {
    throw new KmcError('E_SCHEMA', `The audit policy does not fit its schema at "${misfit ?? ''}".`, {
      pointers: [{ pointer: misfit ?? '', detail: 'is not allowed there' }],
    });
  }
  return {
    origin: value.origin,
    logKey: value.logKey,
    clockSkew: value.clockSkewSeconds,
    maxDelay: value.maxDelaySeconds,
    witnesses: value.witnesses.map(({ name, spki }) => ({
      name,
      signer: 'witness',
      spki: parseSpki(Buffer.from(spki, 'base64')).der,
    })),
    quorum: value.quorum,
  };
}

/** The policy as a file that parseAuditPolicy reads. */
export function formatAuditPolicy(policy: AuditPolicy): string {
  const file: PolicyFile = {
    clockSkewSeconds: policy.clockSkew,
    logKey: policy.logKey,
    maxDelaySeconds: policy.maxDelay,
    origin: policy.origin,
    quorum: policy.quorum,
    version: 1,
    witnesses: policy.witnesses.map(({ name, spki }) => ({ name, spki: spki.toString('base64') })),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function isPolicyFile(_value: unknown, misfit: string | undefined): _value is PolicyFile {
  return misfit === undefined;
}
