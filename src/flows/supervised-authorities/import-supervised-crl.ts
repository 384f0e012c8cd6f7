import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { requireFollowing, standingAfter } from '../../domain/supervised-authority.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { parseCertificateList, type CertificateList } from '../../x509/crl.ts';
import { crlNumberDetail } from '../certificates/crl-number-detail.ts';
import type { StandingChange } from '../ports/supervised-authorities.ts';
import { breathe, importEvent, staleImport, supervisedScene, type SupervisionPorts } from './supervised-scene.ts';

export interface SupervisedCrlInput {
  readonly authorityId: string;
  /** DER. */
  readonly crl: Buffer;
  readonly requestId?: string;
}

export interface ImportedCrl {
  readonly number: bigint;
  readonly entries: number;
  /** Certificates that are revoked or on hold by it, and were not before. */
  readonly revoked: number;
  /** That are off hold by it. */
  readonly released: number;
}

const PAGE = 1_000;

/** What the CRL changes of the certificates that were imported. */
async function changesOf(
  { database }: SupervisionPorts,
  authorityId: string,
  { entries }: CertificateList,
): Promise<StandingChange[]> {
  const revoked = new Map(entries.map((entry) => [entry.serialNumber, entry]));
  const changes: StandingChange[] = [];
  let after: string | undefined;
  for (;;) {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) };
    const rows = await database.read((reader) => reader.supervisedAuthorities.standing(authorityId, page));
    for (const { id, serialNumber, status } of rows) {
      const standing = standingAfter(status, revoked.get(serialNumber));
      if (standing !== undefined) changes.push({ id, ...standing });
    }
    if (rows.length < PAGE) return changes;
    after = rows.at(-1)?.id;
    await breathe();
  }
}

/**
 * Imports a CRL of a supervised authority: signed by it, complete, newer than the one that stands. Certificates that were
 * imported are revoked, on hold or off hold by it; one that is revoked for good stays so.
 * @throws KmcError E_NOT_FOUND, E_STATE (supervision ended), E_DER, E_SIZE, E_CRL (with the rule: issuer, older,
 * number-twice, scope, …), E_SIGNATURE (forged), E_CONFLICT (the same again), E_STALE (another import at the same time).
 */
export async function importSupervisedCrl(
  ports: SupervisionPorts,
  caller: Caller,
  { authorityId, crl, requestId }: SupervisedCrlInput,
): Promise<ImportedCrl> {
  const now = ports.clock.now();
  const { row, authority, newest } = await supervisedScene(ports, authorityId);
  const list = parseCertificateList(crl);
  const crlSm3 = sm3Fingerprint(crl);
  const number = requireFollowing(list, authority, newest, { crlSm3, now });
  const { thisUpdate, nextUpdate = thisUpdate } = list;
  const changes = await changesOf(ports, authorityId, list);
  const released = changes.filter(({ status }) => status === 'good').length;
  const revoked = changes.length - released;
  const id = newId('ev', now);
  const entries = list.entries.length;
  const stored = {
    id: newId('scrl', now),
    authorityId,
    number,
    thisUpdate,
    nextUpdate,
    crlSm3,
    crl: list.der,
    entries,
    importedAt: now,
    lastAuditEvent: id,
  };
  const event = importEvent(
    ports,
    caller,
    { id, action: 'supervision.import-crl', authority: row, requestId },
    {
      ...crlNumberDetail(number),
      digest: crlSm3,
      entries,
      nextUpdate: signedTime(nextUpdate),
      released,
      revoked,
      thisUpdate: signedTime(thisUpdate),
    },
  );
  await ports.database.transaction(async (tx) => {
    if (!(await tx.supervisedAuthorities.touch(authorityId, row.version, now, id))) throw staleImport();
    if (!(await tx.supervisedAuthorities.insertCrl(stored))) throw staleImport();
    await tx.supervisedAuthorities.changeStanding(changes, id);
    await tx.audit.append(event, now);
  });
  return { number, entries, revoked, released };
}
