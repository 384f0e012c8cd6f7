import { bulkRevocation, BULK_REVOCATION_LIMIT } from '../../domain/action.ts';
import { isId, newId } from '../../domain/id.ts';
import { oneOf, requireMembers, textLike, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApplyAct, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { CertificateRow, RevocationReason } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';
import { certificateWithPair } from './certificate-pair.ts';
import { isRevocable, recordRevocation, requireNoPersons } from './record-revocation.ts';

/** One transaction holds them all. Above that an authority is revoked, or several requests are made. */
const MASS_REVOCATION_LIMIT = 5000;

const REASONS = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const satisfies readonly RevocationReason[];

/** How many there may be, by act: each act has its own class. */
const LIMITS = {
  'certificate.revoke-bulk': { least: 1, most: BULK_REVOCATION_LIMIT },
  'certificate.revoke-mass': { least: BULK_REVOCATION_LIMIT + 1, most: MASS_REVOCATION_LIMIT },
} as const;
export type RevocationAct = keyof typeof LIMITS;

interface RevocationParameters {
  /** Decimal number of certificates. */
  readonly count: string;
  readonly reason: (typeof REASONS)[number];
  readonly certificates: readonly string[];
}

const idList: MemberCheck = (value) =>
  Array.isArray(value) &&
  value.every((id) => typeof id === 'string' && isId(id)) &&
  new Set(value).size === value.length
    ? undefined
    : 'must be a list of ids of certificates, each once';

function readParameters(name: RevocationAct, params: SignedObject): RevocationParameters {
  const checks = {
    count: textLike(/^[1-9][0-9]{0,5}$/, 'a decimal number'),
    reason: oneOf(REASONS),
    certificates: idList,
  };
  requireMembers<RevocationParameters>(params, checks, 'revocation');
  const { length } = params.certificates;
  if (params.count !== String(length)) {
    throw new KmcError('E_SCHEMA', 'params.count is not the number of certificates in the list.');
  }
  const { least, most } = LIMITS[name];
  if (length >= least && length <= most) return params;
  throw new KmcError(
    'E_SCHEMA',
    bulkRevocation(length) === name
      ? `One request revokes at most ${most}.`
      : `So many take ${bulkRevocation(length)}.`,
  );
}

/** Refuses certificates that are not there, and those of people, whose accounts are replaced or suspended instead. */
async function requireOthersCertificates(reader: Reader, ids: readonly string[]): Promise<void> {
  const rows: CertificateRow[] = [];
  for (const id of ids) {
    const row = await reader.certificates.find(id);
    if (row === undefined || row.status === 'reserved' || row.status === 'aborted') {
      throw new KmcError('E_NOT_FOUND', `There is no certificate of the id ${id}.`);
    }
    rows.push(row);
  }
  await requireNoPersons(reader, rows);
}

async function prepare(name: RevocationAct, act: ApprovedAct): Promise<ApplyAct> {
  const { reason, certificates } = readParameters(name, act.request.params);
  // Each may have another half that is revoked with it.
  const planned = certificates.map((id) => ({ id, events: [newId('ev', act.at), newId('ev', act.at)] }));
  const { actor, source, approvals, at } = act;
  return async (tx) => {
    let revoked = 0;
    let before = 0;
    for (const { id, events } of planned) {
      const pair = (await certificateWithPair(tx, id)).filter((row) => isRevocable(row, reason));
      if (pair.length === 0) before += 1;
      for (const [position, row] of pair.entries()) {
        const auditEvent = events[position] ?? '';
        await recordRevocation(tx, row, {
          reason,
          invalidityDate: undefined,
          auditEvent,
          at,
          actor,
          source,
          approvals,
        });
        revoked += 1;
      }
    }
    return { batch: act.request.target.split('/')[1] ?? '', revoked: String(revoked), before: String(before) };
  };
}

/**
 * The acts `certificate.revoke-bulk` (up to 500) and `certificate.revoke-mass` (more): revokes the certificates and the
 * other halves of their pairs, all or none. Target `batch/<id>`; parameters `count`, `reason` and `certificates`, their
 * ids. Those that were revoked in between, or with their other half, are counted as `before`.
 */
export function revokeCertificates(name: RevocationAct): DatabaseHandler {
  return {
    kind: 'database',
    async target() {
      return ABSENT;
    },
    async check(reader, _targetId, params) {
      await requireOthersCertificates(reader, readParameters(name, params).certificates);
    },
    prepare: (act) => prepare(name, act),
  };
}
