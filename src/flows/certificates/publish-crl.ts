import { createDigests } from '../../crypto/digests.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { lostEntries } from '../../domain/crl-guard.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { encodeTbsCertList, parseCertificateList, type RevokedCertificate } from '../../x509/crl.ts';
import { EXTENSIONS, extensionOf } from '../../x509/extensions.ts';
import { lintTbsCertList } from '../../x509/lint/lint-tbs-cert-list.ts';
import { compareSerialNumbers } from '../../x509/serial-number.ts';
import { openAuthority, requireSigningAuthority, type SigningAuthorityRow } from '../authorities/issuing-authority.ts';
import type { RevokedEntry } from '../ports/certificates.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { crlNumberDetail } from './crl-number-detail.ts';
import { signCertificateList } from './sign-certificate-list.ts';

export interface PublishCrlPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  readonly node: string;
}

const SCOPE = 'complete';
/** Another publisher may win the number: then everything is read again. */
const ATTEMPTS = 4;

interface CrlSource {
  readonly row: SigningAuthorityRow;
  readonly previous: CrlRow | undefined;
  /** What the new CRL will hold. */
  readonly revoked: readonly RevokedEntry[];
  /** How many entries of the last CRL are gone without a reason. */
  readonly lost: number;
}

/** An entry of the last CRL must still be in the inventory; only one on hold may have been released. */
async function countLost(reader: Reader, authorityId: string, previous: CrlRow): Promise<number> {
  // Those whose certificates have ended are not in the next CRL, and still in the inventory.
  const inventory = await reader.certificates.revoked(authorityId, {});
  let lost = 0;
  for (const { serialNumber, reason } of lostEntries(parseCertificateList(previous.crl).entries, inventory)) {
    const row =
      reason === 'certificateHold' ? await reader.certificates.findBySerial(authorityId, serialNumber) : undefined;
    if (row?.status !== 'good') lost += 1;
  }
  return lost;
}

async function readSource(ports: PublishCrlPorts, authorityId: string): Promise<CrlSource> {
  return await ports.database.snapshot(async (reader) => {
    const row = await requireSigningAuthority(reader, authorityId, 'lists');
    if (row.inventory === 'awaited') {
      throw new KmcError(
        'E_STATE',
        'The inventory of this authority is not in yet: nothing is said of its certificates.',
      );
    }
    const previous = await reader.crls.latest(authorityId, SCOPE);
    // An entry stays until it stood in one CRL after the certificate's own end (RFC 5280 3.3).
    const filter = previous === undefined ? {} : { endingAfter: previous.thisUpdate };
    return {
      row,
      previous,
      revoked: await reader.certificates.revoked(authorityId, filter),
      lost: previous === undefined ? 0 : await countLost(reader, authorityId, previous),
    };
  });
}

function entryOf({ serialNumber, revokedAt, reason, invalidityDate }: RevokedEntry): RevokedCertificate {
  return {
    serialNumber,
    revocationDate: revokedAt,
    // A reason that says nothing is left out (RFC 5280 5.3.1).
    ...(reason === 'unspecified' ? {} : { reason }),
    ...(invalidityDate === undefined ? {} : { invalidityDate }),
  };
}

/** As CRLs count time. */
function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** @throws KmcError E_TIME, E_INTEGRITY, E_CRL rather than sign what contradicts the last CRL. */
function guard({ row, previous, revoked, lost }: CrlSource, thisUpdate: Date): void {
  const last = previous?.thisUpdate ?? new Date(0);
  const newest = revoked.reduce((latest, { revokedAt }) => (revokedAt > latest ? revokedAt : latest), last);
  if (thisUpdate < wholeSeconds(newest)) {
    throw new KmcError(
      'E_TIME',
      'The clock is behind the last CRL or a revocation: set it right before another CRL is made.',
    );
  }
  if (previous !== undefined && row.crlNumber < previous.number) {
    throw new KmcError('E_INTEGRITY', 'The CRL number went back: the database was altered. Restore it.');
  }
  if (lost === 0) return;
  throw new KmcError('E_CRL', `The new CRL would lose ${lost} entries of the last one: the inventory was altered.`);
}

async function signCrl(ports: PublishCrlPorts, source: CrlSource, thisUpdate: Date): Promise<CrlRow> {
  const { row, previous, revoked } = source;
  const authority = await openAuthority(ports, row);
  const number = row.crlNumber + 1n;
  const nextUpdate = new Date(thisUpdate.getTime() + ports.policies.revocation.crlValiditySeconds * 1000);
  const entries = revoked.map(entryOf).sort((a, b) => compareSerialNumbers(a.serialNumber, b.serialNumber));
  const tbs = encodeTbsCertList({
    signatureAlgorithm: authority.signer.algorithm,
    issuer: authority.issuer.name,
    thisUpdate,
    nextUpdate,
    entries,
    extensions: [
      extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: authority.issuer.keyIdentifier }),
      extensionOf(EXTENSIONS.crlNumber, number),
    ],
  });
  const linted = lintTbsCertList(tbs, {
    issuer: authority.certificate,
    ...(previous === undefined ? {} : { previousNumber: previous.number }),
  });
  const crl = await signCertificateList(authority.signer, linted);
  return {
    authorityId: row.id,
    scope: SCOPE,
    number,
    crl,
    crlSm3: createDigests(crl).sm3,
    entries: entries.length,
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
 * Makes the next complete CRL of an authority and puts it in the place of the last one: same entries or more, a higher
 * number, a later time, linted, and its signature checked twice.
 * @returns the new CRL.
 * @throws KmcError E_NOT_FOUND; E_STATE (the authority signs no CRLs, or its inventory is awaited); E_CRL when an entry
 * would be lost; E_TIME when the clock went back; E_SEALED; E_INTEGRITY when the number was altered or the signature does
 * not verify; E_CONFLICT when other publishers won every time.
 */
export async function publishCrl(ports: PublishCrlPorts, caller: Caller, authorityId: string): Promise<CrlRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const source = await readSource(ports, authorityId);
    const thisUpdate = wholeSeconds(ports.clock.now());
    guard(source, thisUpdate);
    const row = await signCrl(ports, source, thisUpdate);
    if (await store(ports, caller, row, source.row.crlNumber)) return row;
  }
  throw new KmcError('E_CONFLICT', 'Other CRLs of this authority were made meanwhile: the newest one is in place.');
}
