/** What the next CRL of a scope will say, read at one moment and held against the CRLs before it. */
import { CrlGuard } from '../../domain/crl-guard.ts';
import { COMPLETE, DELTA, isShard, type CrlScope } from '../../domain/crl-scope.ts';
import { KmcError } from '../../errors.ts';
import { EncodedEntries, parseCertificateList } from '../../x509/crl.ts';
import type { ReadRevokedCertificate, RevokedCertificate } from '../../x509/crl.ts';
import { compareSerialNumbers } from '../../x509/serial-number.ts';
import { requireSigningAuthority, type SigningAuthorityRow } from '../authorities/issuing-authority.ts';
import type { RevokedRow } from '../ports/certificates.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Reader } from '../ports/database.ts';
import { eachRevoked } from './each-revoked.ts';

export interface CrlSource {
  readonly row: SigningAuthorityRow;
  readonly scope: CrlScope;
  /** The newest CRL of the same scope. */
  readonly previous: CrlRow | undefined;
  /** The complete CRL that a delta starts from. */
  readonly base: CrlRow | undefined;
  /** What the new CRL will hold. */
  readonly entries: EncodedEntries;
  /** Time of the newest CRL that is held against it, or of the newest revocation. */
  readonly newest: Date;
  /** How many entries of the last CRLs are gone without a reason. */
  readonly lost: number;
}

function entryOf({ serialNumber, revokedAt, reason, invalidityDate }: RevokedRow): RevokedCertificate {
  return {
    serialNumber,
    revocationDate: revokedAt,
    // A reason that says nothing is left out (RFC 5280 5.3.1).
    ...(reason === 'unspecified' ? {} : { reason }),
    ...(invalidityDate === undefined ? {} : { invalidityDate }),
  };
}

function wholeSeconds(date: Date | undefined): number | undefined {
  return date === undefined ? undefined : Math.floor(date.getTime() / 1000);
}

function isSaidAlready(entry: RevokedCertificate, said: ReadRevokedCertificate | undefined): boolean {
  return (
    said !== undefined &&
    said.reason === entry.reason &&
    wholeSeconds(said.revocationDate) === wholeSeconds(entry.revocationDate) &&
    wholeSeconds(said.invalidityDate) === wholeSeconds(entry.invalidityDate)
  );
}

/** Those of `lost` that were on hold and are good again: the one way off a CRL before the certificate's end. */
async function released(
  reader: Reader,
  authorityId: string,
  lost: readonly ReadRevokedCertificate[],
): Promise<ReadRevokedCertificate[]> {
  const found: ReadRevokedCertificate[] = [];
  for (const entry of lost.filter(({ reason }) => reason === 'certificateHold')) {
    const row = await reader.certificates.findBySerial(authorityId, entry.serialNumber);
    if (row?.status === 'good') found.push(entry);
  }
  return found;
}

/** The CRLs that the next one must not contradict, that of its own scope first. */
async function readGuarded(reader: Reader, authorityId: string, scope: CrlScope): Promise<CrlRow[]> {
  const scopes = isShard(scope) ? [scope] : scope === COMPLETE ? [COMPLETE, DELTA] : [DELTA, COMPLETE];
  const rows: CrlRow[] = [];
  for (const each of scopes) {
    const row = await reader.crls.latest(authorityId, each);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/** The entries of a delta CRL with those taken off its base, in order. */
function withRemovals(
  entries: readonly RevokedCertificate[],
  removed: readonly ReadRevokedCertificate[],
): EncodedEntries {
  const removals = removed.map(({ serialNumber, revocationDate }) => ({
    serialNumber,
    revocationDate,
    reason: 'removeFromCRL' as const,
  }));
  return EncodedEntries.of(
    [...entries, ...removals].sort((a, b) => compareSerialNumbers(a.serialNumber, b.serialNumber)),
  );
}

async function readEntries(
  reader: Reader,
  { row, scope }: { readonly row: SigningAuthorityRow; readonly scope: CrlScope },
  guarded: readonly CrlRow[],
): Promise<Pick<CrlSource, 'entries' | 'newest' | 'lost'>> {
  const guards = guarded.map((crl) => ({
    scope: crl.scope,
    guard: new CrlGuard(parseCertificateList(crl.crl).entries),
  }));
  const since = guarded.find((crl) => crl.scope === (scope === DELTA ? COMPLETE : scope))?.thisUpdate;
  let newest = guarded.reduce((latest, { thisUpdate }) => (thisUpdate > latest ? thisUpdate : latest), new Date(0));
  const entries = new EncodedEntries();
  const changes: RevokedCertificate[] = [];
  for await (const revoked of eachRevoked(reader, row.id, isShard(scope) ? scope : undefined)) {
    const seen = guards.map(({ guard, ...of }) => ({ ...of, entry: guard.see(revoked) }));
    if (revoked.revokedAt > newest) newest = revoked.revokedAt;
    // An entry stays until it stood in one CRL after the certificate's own end (RFC 5280 3.3 and 5.2.4).
    if (since !== undefined && revoked.notAfter < since) continue;
    const entry = entryOf(revoked);
    if (scope !== DELTA) entries.add(entry);
    else if (!isSaidAlready(entry, seen.find((of) => of.scope === COMPLETE)?.entry)) changes.push(entry);
  }
  let lost = 0;
  const removed: ReadRevokedCertificate[] = [];
  for (const { guard, scope: of } of guards) {
    const gone = guard.lost();
    const good = await released(reader, row.id, gone);
    lost += gone.length - good.length;
    if (of === COMPLETE) removed.push(...good);
  }
  return { entries: scope === DELTA ? withRemovals(changes, removed) : entries, newest, lost };
}

/**
 * Reads what the next CRL of a scope will say. `reader` is of a snapshot.
 * @throws KmcError E_NOT_FOUND; E_STATE when the authority signs no CRLs, its inventory is awaited, or there is no complete
 * CRL yet for a delta to start from.
 */
export async function readCrlSource(reader: Reader, authorityId: string, scope: CrlScope): Promise<CrlSource> {
  const row = await requireSigningAuthority(reader, authorityId, 'lists');
  if (row.inventory === 'awaited') {
    throw new KmcError(
      'E_STATE',
      'The inventory of this authority is not in yet: nothing is said of its certificates.',
    );
  }
  const guarded = await readGuarded(reader, authorityId, scope);
  const base = scope === DELTA ? guarded.find((crl) => crl.scope === COMPLETE) : undefined;
  if (scope === DELTA && base === undefined) {
    throw new KmcError('E_STATE', 'A delta CRL starts from a complete one: publish that first.');
  }
  const previous = guarded.find((crl) => crl.scope === scope);
  return { row, scope, previous, base, ...(await readEntries(reader, { row, scope }, guarded)) };
}
