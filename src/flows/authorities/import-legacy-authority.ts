import { createDigests } from '../../crypto/digests.ts';
import type { KeyHandle } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId, requireId } from '../../domain/id.ts';
import { parseInventory, requireInventoryCoversCrl, type InventoryLine } from '../../domain/legacy-inventory.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { parseCertificateList, type CertificateList } from '../../x509/crl.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Clock, Database } from '../ports/database.ts';
import { crlNumberDetail } from '../certificates/crl-number-detail.ts';
import { requireAuthorityCertificate, requireIssuer } from './authority-certificate.ts';
import { authorityEvent, authorityRow, insertAuthority } from './authority-row.ts';
import { insertCaKey, sealedCaKey } from './insert-ca-key.ts';
import { inventoryEvents } from './inventory-events.ts';

export interface ImportLegacyPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly keystore: ServiceKeystore;
  readonly node: string;
}

/** What the ceremony file states; compared before anything is stored (A.7). */
export interface LegacyExpectation {
  readonly valid: number;
  readonly revoked: number;
  /** `sm3:<hex>` of the CRL and of the inventory file. */
  readonly crl: string;
  readonly inventory: string;
}

export interface LegacyAuthority {
  readonly id: string;
  readonly kind: 'root' | 'issuing';
  readonly generation: string;
  /** DER. */
  readonly certificate: Buffer;
  /** Id of its issuer, which was imported before; absent for a root. */
  readonly issuerId?: string;
  /** The last CRL, DER. */
  readonly crl: Buffer;
  /** JSON lines. */
  readonly inventory: Buffer;
  readonly expected: LegacyExpectation;
  /** Its key, to go into the service keystore: of an issuing CA. A root key goes into the ceremony keystore instead. */
  readonly key?: KeyHandle;
}

interface CheckedEstate {
  readonly certificate: Certificate;
  readonly crl: CertificateList;
  readonly crlNumber: bigint;
  readonly lines: readonly InventoryLine[];
}

function checkExpectation(input: LegacyAuthority, lines: readonly InventoryLine[]): void {
  const revoked = lines.filter((line) => line.revoked !== undefined).length;
  const found = {
    valid: lines.length - revoked,
    revoked,
    crl: createDigests(input.crl).sm3,
    inventory: createDigests(input.inventory).sm3,
  };
  const wrong = (Object.keys(found) as (keyof LegacyExpectation)[]).filter(
    (name) => found[name] !== input.expected[name],
  );
  if (wrong.length === 0) return;
  throw new KmcError(
    'E_STALE',
    `What is to be imported is not what was approved: ${wrong.join(', ')}. Nothing was imported.`,
  );
}

/** The CRL that the next one continues: complete, understood in full, and not from the future. */
function checkCrl(crl: CertificateList, certificate: Certificate, now: Date): bigint {
  if (!crl.issuer.der.equals(certificate.subject.der) || !verifySignedBy(crl, certificate)) {
    throw new KmcError('E_CRL', 'The last CRL was not signed by this authority.');
  }
  if (crl.crlNumber === undefined) throw new KmcError('E_CRL', 'The last CRL has no number to continue from.');
  if (crl.issuingDistributionPoint !== undefined || crl.deltaBase !== undefined) {
    throw new KmcError('E_CRL', 'The last CRL holds only a part of the entries: bring the complete one.');
  }
  if (crl.entries.some((entry) => entry.unknownCritical !== undefined || entry.ofOtherIssuer === true)) {
    throw new KmcError('E_CRL', 'An entry of the last CRL has a critical extension that is not known here.');
  }
  if (crl.thisUpdate > now) throw new KmcError('E_CRL', 'The last CRL is from the future: set the clock right.');
  return crl.crlNumber;
}

function checkEstate(input: LegacyAuthority, now: Date): CheckedEstate {
  const certificate = parseCertificate(input.certificate);
  requireAuthorityCertificate(certificate, input, now);
  const crl = parseCertificateList(input.crl);
  const crlNumber = checkCrl(crl, certificate, now);
  if (input.key !== undefined && !input.key.spki.equals(certificate.spki)) {
    throw new KmcError('E_KEY', 'The private key is not that of the certificate.');
  }
  const lines = parseInventory(input.inventory.toString('utf8'));
  checkExpectation(input, lines);
  requireInventoryCoversCrl(lines, crl.entries);
  return { certificate, crl, crlNumber, lines };
}

/** Status and revocation of an inventory line; the CRL may know a date of invalidity besides. */
function statusOf({ serialNumber, revoked }: InventoryLine, invalidityDates: ReadonlyMap<string, Date | undefined>) {
  if (revoked === undefined) {
    return { status: 'good', revokedAt: undefined, reason: undefined, invalidityDate: undefined } as const;
  }
  const { at, reason } = revoked;
  const status = reason === 'certificateHold' ? 'on-hold' : 'revoked';
  return { status, revokedAt: at, reason, invalidityDate: invalidityDates.get(serialNumber) } as const;
}

function certificateRows(
  authorityId: string,
  { lines, crl }: CheckedEstate,
  createdAt: Date,
  auditEvent: string,
): CertificateRow[] {
  const invalidityDates = new Map(crl.entries.map((entry) => [entry.serialNumber, entry.invalidityDate]));
  return lines.map((line) => ({
    id: newId('cert', createdAt),
    authorityId,
    serialNumber: line.serialNumber,
    subject: line.subject,
    spkiSm3: spkiSm3(line.spki),
    profile: 'legacy-gateway',
    notBefore: line.notBefore,
    notAfter: line.notAfter,
    certificate: undefined,
    certificateSm3: undefined,
    certificateSha256: undefined,
    source: 'imported',
    pairId: undefined,
    deviceId: undefined,
    shard: undefined,
    ...statusOf(line, invalidityDates),
    createdAt,
    lastAuditEvent: auditEvent,
  }));
}

function crlRow(input: LegacyAuthority, { crl, crlNumber }: CheckedEstate): CrlRow {
  return {
    authorityId: input.id,
    scope: 'complete',
    number: crlNumber,
    crl: input.crl,
    crlSm3: input.expected.crl,
    entries: crl.entries.length,
    thisUpdate: crl.thisUpdate,
    nextUpdate: crl.nextUpdate ?? crl.thisUpdate,
    source: 'imported',
  };
}

function crlEvent(
  node: string,
  caller: Caller,
  { id, expected }: LegacyAuthority,
  { crl, crlNumber }: CheckedEstate,
  event: string,
): AuditEventInput {
  return {
    id: event,
    action: 'crl.import',
    outcome: 'success',
    subjects: [{ type: 'crl', id }],
    terms: [{ type: 'authority', id }],
    actor: auditActor(caller),
    source: { node },
    detail: {
      authority: id,
      ...crlNumberDetail(crlNumber),
      digest: expected.crl,
      entries: crl.entries.length,
      thisUpdate: signedTime(crl.thisUpdate),
    },
  };
}

/**
 * Brings a legacy authority into the service with its last CRL and its inventory, all or nothing: the CRL number
 * continues, old entries stay, imported serials and keys are known from the first moment (A.7).
 * @throws KmcError E_STALE when counts or digests are not those of the ceremony file; E_CERT, E_CRL, E_KEY, E_SCHEMA, E_JSON
 * for what is imported; E_NOT_FOUND (no such issuer); E_CONFLICT when the authority is here already; E_SEALED.
 */
export async function importLegacyAuthority(
  ports: ImportLegacyPorts,
  caller: Caller,
  input: LegacyAuthority,
): Promise<AuthorityRow> {
  requireId(input.id, 'id of the authority');
  const at = ports.clock.now();
  const estate = checkEstate(input, at);
  const sealed = input.key === undefined ? undefined : await sealedCaKey(ports.keystore, input.id, input.key);
  const events = { authority: newId('ev', at), inventory: newId('ev', at) };
  const rows = certificateRows(input.id, estate, at, events.inventory);
  const imported = inventoryEvents({ authority: input.id, node: ports.node, caller, at }, estate.certificate, rows);
  const row = authorityRow(
    {
      id: input.id,
      kind: input.kind,
      state: 'active',
      generation: input.generation,
      inventory: 'complete',
      crlNumber: estate.crlNumber,
      ...(sealed === undefined ? {} : { keyId: input.id }),
      ...(input.issuerId === undefined ? {} : { issuerId: input.issuerId }),
    },
    estate.certificate,
    at,
  );
  return await ports.database.transaction(async (tx) => {
    if (input.issuerId !== undefined) await requireIssuer(tx, estate.certificate, input.issuerId);
    if (sealed !== undefined) await insertCaKey(tx, sealed, at);
    await insertAuthority(tx, row);
    await tx.audit.append(
      authorityEvent(
        'authority.import',
        { event: events.authority, authority: input.id, node: ports.node },
        estate.certificate,
        caller,
      ),
      at,
    );
    await tx.audit.append(crlEvent(ports.node, caller, input, estate, events.inventory), at);
    for (const part of imported) await tx.audit.appendAll(part);
    await tx.certificates.insertAll(rows);
    await tx.crls.insert(crlRow(input, estate));
    return row;
  });
}
