import { createDigests } from '../../crypto/digests.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { COMPLETE, crlAddress, DELTA, isShard, type CrlScope } from '../../domain/crl-scope.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { encodeTbsCertList } from '../../x509/crl.ts';
import { EXTENSIONS, extensionOf, type Extension } from '../../x509/extensions.ts';
import { distributionPointsOf } from '../../x509/extensions/access.ts';
import { lintTbsCertList } from '../../x509/lint/lint-tbs-cert-list.ts';
import { openAuthority } from '../authorities/issuing-authority.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Clock, Database } from '../ports/database.ts';
import { crlNumberDetail } from './crl-number-detail.ts';
import { crlScopes, hasParts } from './crl-scopes.ts';
import { readCrlSource, type CrlSource } from './crl-source.ts';
import { signCertificateList } from './sign-certificate-list.ts';

export interface PublishCrlPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  readonly node: string;
}

/** Another publisher may win the number: then everything is read again. */
const ATTEMPTS = 4;

/** As CRLs count time. */
function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** @throws KmcError E_TIME, E_INTEGRITY, E_CRL rather than sign what contradicts the last CRLs. */
function guard({ row, previous, base, newest, lost }: CrlSource, thisUpdate: Date): void {
  if (thisUpdate < wholeSeconds(newest)) {
    throw new KmcError(
      'E_TIME',
      'The clock is behind the last CRL or a revocation: set it right before another CRL is made.',
    );
  }
  if ([previous, base].some((crl) => crl !== undefined && row.crlNumber < crl.number)) {
    throw new KmcError('E_INTEGRITY', 'The CRL number went back: the database was altered. Restore it.');
  }
  if (lost === 0) return;
  throw new KmcError('E_CRL', `The new CRL would lose ${lost} entries of the last one: the inventory was altered.`);
}

/** What a CRL says of its scope (RFC 5280 5.2.4 to 5.2.6). */
function scopeExtensions({ publication }: PolicySet, { row, scope, base }: CrlSource): Extension[] {
  if (base !== undefined) return [extensionOf(EXTENSIONS.deltaCrlIndicator, base.number)];
  const pointsTo = (of: CrlScope) => distributionPointsOf([crlAddress(publication, row.id, of)]);
  if (isShard(scope)) {
    const [point] = pointsTo(scope);
    const name = point?.distributionPoint;
    const shard = { ...(name === undefined ? {} : { distributionPoint: name }), onlyContainsUserCerts: true } as const;
    return [extensionOf(EXTENSIONS.issuingDistributionPoint, shard)];
  }
  return hasParts(row) ? [extensionOf(EXTENSIONS.freshestCrl, pointsTo(DELTA))] : [];
}

async function signCrl(ports: PublishCrlPorts, source: CrlSource, thisUpdate: Date): Promise<CrlRow> {
  const { row, scope, previous, entries } = source;
  const authority = await openAuthority(ports, row);
  const number = row.crlNumber + 1n;
  const { crlValiditySeconds, deltaCrlValiditySeconds } = ports.policies.revocation;
  const validity = scope === DELTA ? deltaCrlValiditySeconds : crlValiditySeconds;
  const nextUpdate = new Date(thisUpdate.getTime() + validity * 1000);
  const tbs = encodeTbsCertList({
    signatureAlgorithm: authority.signer.algorithm,
    issuer: authority.issuer.name,
    thisUpdate,
    nextUpdate,
    entries,
    extensions: [
      extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: authority.issuer.keyIdentifier }),
      extensionOf(EXTENSIONS.crlNumber, number),
      ...scopeExtensions(ports.policies, source),
    ],
  });
  const linted = lintTbsCertList(tbs, {
    issuer: authority.certificate,
    ...(previous === undefined ? {} : { previousNumber: previous.number }),
  });
  const crl = await signCertificateList(authority.signer, linted);
  return {
    authorityId: row.id,
    scope,
    number,
    crl,
    crlSm3: createDigests(crl).sm3,
    entries: entries.count,
    thisUpdate,
    nextUpdate,
    source: 'issued',
  };
}

async function store(ports: PublishCrlPorts, caller: Caller, row: CrlRow, from: bigint): Promise<boolean> {
  const auditEvent = newId('ev', row.thisUpdate);
  return await ports.database.transaction(async (tx) => {
    const won = await tx.authorities.advanceCrlNumber(row.authorityId, from, row.number);
    if (!won) return false;
    if (!(await tx.crls.insert(row))) {
      throw new KmcError('E_INTEGRITY', 'There is a CRL of that number already: the database was altered. Restore it.');
    }
    await tx.audit.append(
      {
        id: auditEvent,
        action: 'crl.issue',
        outcome: 'success',
        subjects: [{ type: 'crl', id: row.authorityId }],
        terms: [{ type: 'authority', id: row.authorityId }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: {
          authority: row.authorityId,
          ...crlNumberDetail(row.number),
          digest: row.crlSm3,
          ...(row.scope === COMPLETE ? {} : { shard: row.scope }),
          entries: row.entries,
          thisUpdate: signedTime(row.thisUpdate),
          nextUpdate: signedTime(row.nextUpdate),
        },
      },
      row.thisUpdate,
    );
    return true;
  });
}

/**
 * Makes the next CRL of an authority in one scope and puts it in the place of the last one: same entries or more, a higher
 * number (one sequence for all scopes of an authority), a later time, linted, and its signature checked twice. A delta
 * says what changed since the newest complete CRL; a shard, what is revoked in its region.
 * @returns the new CRL.
 * @throws KmcError E_NOT_FOUND; E_STATE (the authority signs no CRLs, has none of that scope, or its inventory is awaited);
 * E_CRL when an entry would be lost; E_TIME when the clock went back; E_SEALED; E_INTEGRITY when the number was altered or
 * the signature does not verify; E_CONFLICT when other publishers won every time.
 */
export async function publishCrl(
  ports: PublishCrlPorts,
  caller: Caller,
  authorityId: string,
  scope: CrlScope = COMPLETE,
): Promise<CrlRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const source = await ports.database.snapshot(async (reader) => readCrlSource(reader, authorityId, scope));
    if (!crlScopes(ports.policies, source.row).includes(scope)) {
      throw new KmcError('E_NOT_FOUND', `The certification authority ${authorityId} has no CRL ${scope}.`);
    }
    const thisUpdate = wholeSeconds(ports.clock.now());
    guard(source, thisUpdate);
    const row = await signCrl(ports, source, thisUpdate);
    if (await store(ports, caller, row, source.row.crlNumber)) return row;
  }
  throw new KmcError('E_CONFLICT', 'Other CRLs of this authority were made meanwhile: the newest one is in place.');
}
