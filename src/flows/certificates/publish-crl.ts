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
import { issuingAuthority, type IssuingAuthority } from '../authorities/issuing-authority.ts';
import type { RevokedEntry } from '../ports/certificates.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
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
  readonly authority: IssuingAuthority;
  readonly previous: CrlRow | undefined;
  /** What the new CRL will hold. */
  readonly revoked: readonly RevokedEntry[];
  /** The same and those whose certificates have ended: what the last CRL held must be among them. */
  readonly known: readonly RevokedEntry[];
}

async function readSource(ports: PublishCrlPorts, authorityId: string): Promise<CrlSource> {
  return await ports.database.snapshot(async (reader) => {
    const authority = await issuingAuthority(ports, reader, authorityId, 'lists');
    if (authority.row.inventory === 'awaited') {
      throw new KmcError(
        'E_STATE',
        'The inventory of this authority is not in yet: nothing is said of its certificates.',
      );
    }
    const previous = await reader.crls.latest(authorityId, SCOPE);
    // An entry stays until it stood in one CRL after the certificate's own end (RFC 5280 3.3).
    const filter = previous === undefined ? {} : { endingAfter: previous.thisUpdate };
    const revoked = await reader.certificates.revoked(authorityId, filter);
    const known = previous === undefined ? revoked : await reader.certificates.revoked(authorityId, {});
    return { authority, previous, revoked, known };
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

function guard({ previous, known }: CrlSource, thisUpdate: Date): void {
  if (previous === undefined) return;
  if (thisUpdate < previous.thisUpdate) {
    throw new KmcError('E_TIME', 'The clock is behind the last CRL: set it right before another one is made.');
  }
  const lost = lostEntries(parseCertificateList(previous.crl).entries, known);
  if (lost.length === 0) return;
  throw new KmcError(
    'E_CRL',
    `The new CRL would lose ${lost.length} entries of the last one: the inventory was altered.`,
  );
}

async function signCrl(ports: PublishCrlPorts, source: CrlSource, number: bigint, thisUpdate: Date): Promise<CrlRow> {
  const { authority, previous, revoked } = source;
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
  const { id } = authority.row;
  const crlSm3 = createDigests(crl).sm3;
  return {
    authorityId: id,
    scope: SCOPE,
    number,
    crl,
    crlSm3,
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
    if (!won || !(await tx.crls.insert(row))) return false;
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
          crlNumber: Number(row.number),
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
 * would be lost; E_TIME when the clock went back; E_CONFLICT when other publishers won every time.
 */
export async function publishCrl(ports: PublishCrlPorts, caller: Caller, authorityId: string): Promise<CrlRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const source = await readSource(ports, authorityId);
    const thisUpdate = new Date(Math.floor(ports.clock.now().getTime() / 1000) * 1000);
    guard(source, thisUpdate);
    const from = source.authority.row.crlNumber;
    const row = await signCrl(ports, source, from + 1n, thisUpdate);
    if (await store(ports, caller, row, from)) return row;
  }
  throw new KmcError('E_CONFLICT', 'Other CRLs of this authority were made meanwhile: the newest one is in place.');
}
