import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { parseCertsOnly } from '../../x509/pkcs7.ts';
import type { RepositorySource } from '../ports/repository-source.ts';
import type { SupervisedAuthorityRow } from '../ports/supervised-authorities.ts';
import { importSupervisedCertificates, type ImportedCertificates } from './import-supervised-certificates.ts';
import { importSupervisedCrl, type ImportedCrl } from './import-supervised-crl.ts';
import { supervisedScene, type SupervisionPorts } from './supervised-scene.ts';

export interface FetchPorts extends SupervisionPorts {
  readonly repositories: RepositorySource;
}

export interface FetchedAuthority {
  /** `unchanged`: the CRL that stands is the newest one still. */
  readonly crl: ImportedCrl | 'unchanged';
  readonly certificates: ImportedCertificates | undefined;
}

/** A CRL of some 300,000 entries; certificates of some thousands. */
const MAX_CRL_BYTES = 16 * 1024 * 1024;
const MAX_CERTIFICATES_BYTES = 16 * 1024 * 1024;
/** Certificates of one message. */
export const MOST_CERTIFICATES = 10_000;
const LONGEST_FAILURE = 200;

async function fetchCrl(
  ports: FetchPorts,
  caller: Caller,
  row: SupervisedAuthorityRow,
): Promise<FetchedAuthority['crl']> {
  const crl = await ports.repositories.get(row.crlUrl, MAX_CRL_BYTES);
  try {
    return await importSupervisedCrl(ports, caller, { authorityId: row.id, crl });
  } catch (error) {
    // It is what stood there the last time.
    if (error instanceof KmcError && error.code === 'E_CONFLICT') return 'unchanged';
    throw error;
  }
}

async function fetchCertificates(
  ports: FetchPorts,
  caller: Caller,
  { id, certificatesUrl }: SupervisedAuthorityRow,
): Promise<ImportedCertificates | undefined> {
  if (certificatesUrl === undefined) return undefined;
  const message = await ports.repositories.get(certificatesUrl, MAX_CERTIFICATES_BYTES);
  const limits = { maxBytes: MAX_CERTIFICATES_BYTES, maxItems: MOST_CERTIFICATES };
  const { certificates } = parseCertsOnly(message, limits);
  return await importSupervisedCertificates(ports, caller, { authorityId: id, certificates, take: 'new' });
}

/** One thing that the authority published and that is not good: the first one, for the record of the fetch. */
function refusedText({ refused }: ImportedCertificates): string | undefined {
  const [first] = refused;
  if (first === undefined) return undefined;
  const rule = first.rule === undefined ? '' : ` (${first.rule})`;
  return `${first.code}${rule}: ${refused.length} of its certificates are refused`;
}

/**
 * Fetches CRL and certificates of a supervised authority from the addresses that were approved, and imports what is new.
 * How it went is kept: that it cannot be reached, or publishes what is not good, is seen in the alarms.
 * @throws KmcError E_NOT_FOUND, E_STATE; E_STORAGE, E_SIZE, E_FORBIDDEN (address); what the imports refuse.
 */
export async function fetchSupervisedAuthority(
  ports: FetchPorts,
  caller: Caller,
  authorityId: string,
): Promise<FetchedAuthority> {
  const { row } = await supervisedScene(ports, authorityId);
  const triedAt = ports.clock.now();
  const before = await ports.database.read((reader) => reader.supervisedAuthorities.fetchOf(authorityId));
  const record = (succeeded: boolean, failure: string | undefined): Promise<void> =>
    ports.database.transaction((tx) =>
      tx.supervisedAuthorities.recordFetch({
        authorityId,
        triedAt,
        succeededAt: succeeded ? triedAt : before?.succeededAt,
        failures: failure === undefined ? 0 : (before?.failures ?? 0) + 1,
        failure,
      }),
    );
  try {
    const crl = await fetchCrl(ports, caller, row);
    const certificates = await fetchCertificates(ports, caller, row);
    await record(true, certificates === undefined ? undefined : refusedText(certificates));
    return { crl, certificates };
  } catch (error) {
    if (error instanceof KmcError) await record(false, `${error.code}: ${error.message}`.slice(0, LONGEST_FAILURE));
    throw error;
  }
}
