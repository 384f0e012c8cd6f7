import { sm3 } from '../../crypto/gm/sm3.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { keyName, requireIssuedBy, standingAfter, weaknessesOf } from '../../domain/supervised-authority.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { parseCertificateList, type ReadRevokedCertificate } from '../../x509/crl.ts';
import { lintObjects } from '../../x509/lint/lint-objects.ts';
import type { Reader } from '../ports/database.ts';
import type { SupervisedCertificateRow } from '../ports/supervised-authorities.ts';
import {
  breathe,
  importEvent,
  staleImport,
  supervisedScene,
  type SupervisedScene,
  type SupervisionPorts,
} from './supervised-scene.ts';

export interface SupervisedCertificatesInput {
  readonly authorityId: string;
  /** DER each. */
  readonly certificates: readonly Buffer[];
  /**
   * `all`: the whole import is refused for one certificate that is not good, or is there already: what people hand in.
   * `new`: takes those that are new and good, and says what became of the others: what a repository shows again and again.
   */
  readonly take: 'all' | 'new';
  readonly requestId?: string;
}

export interface RefusedCertificate {
  /** Place in the list. */
  readonly index: number;
  readonly code: ErrorCode;
  readonly rule: string | undefined;
}

export interface ImportedCertificates {
  readonly imported: number;
  /** There already, octet for octet. */
  readonly known: number;
  readonly refused: readonly RefusedCertificate[];
}

/** Certificates looked at before others get their turn. */
const PORTION = 20;
const MOST_FINDINGS = 20;

function revocationsOf({ newest }: SupervisedScene): ReadonlyMap<string, ReadRevokedCertificate> {
  const entries = newest === undefined ? [] : parseCertificateList(newest.crl).entries;
  return new Map(entries.map((entry) => [entry.serialNumber, entry]));
}

function findingsOf(certificate: Certificate, authority: Certificate): string[] {
  const [report] = lintObjects([certificate.der], { issuers: [authority] });
  const errors = (report?.findings ?? []).filter(({ severity }) => severity === 'error').map(({ id }) => id);
  return [...new Set(errors)].slice(0, MOST_FINDINGS);
}

/** @throws KmcError when the certificate is none of the authority, or its serial number is another one's. */
async function examined(
  reader: Reader,
  { row, authority }: SupervisedScene,
  der: Buffer,
): Promise<Certificate | 'known'> {
  const certificate = parseCertificate(der);
  requireIssuedBy(certificate, authority);
  const same = await reader.supervisedAuthorities.certificateBySerial(row.id, certificate.serialNumber);
  if (same === undefined) return certificate;
  if (same.certificateSm3 === sm3Fingerprint(der)) return 'known';
  throw serialTwice();
}

function serialTwice(): KmcError {
  return new KmcError('E_CERT', 'The authority gave that serial number to another certificate.', {
    rule: 'serial-twice',
  });
}

interface Examined {
  readonly good: readonly Certificate[];
  readonly known: number;
  readonly refused: readonly RefusedCertificate[];
}

/** Names the certificate that was refused. */
function named(error: KmcError, index: number): KmcError {
  return new KmcError(error.code, error.message, {
    cause: error,
    pointers: [{ pointer: `/certificates/${index}`, detail: error.message }],
    ...(error.rule === undefined ? {} : { rule: error.rule }),
  });
}

async function examineAll(
  { database }: SupervisionPorts,
  scene: SupervisedScene,
  { certificates, take }: SupervisedCertificatesInput,
): Promise<Examined> {
  const good = new Map<string, Certificate>();
  const refused: RefusedCertificate[] = [];
  let known = 0;
  for (const [index, der] of certificates.entries()) {
    if (index % PORTION === 0) await breathe();
    try {
      const found = await database.read((reader) => examined(reader, scene, der));
      const earlier = found === 'known' ? undefined : good.get(found.serialNumber);
      if (found !== 'known' && earlier === undefined) {
        good.set(found.serialNumber, found);
        continue;
      }
      if (earlier !== undefined && !earlier.der.equals(der)) throw serialTwice();
      if (take === 'all')
        throw new KmcError('E_CONFLICT', 'That certificate is imported already, or stands here twice.');
      known += 1;
    } catch (error) {
      if (!(error instanceof KmcError) || error.code === 'E_STORAGE') throw error;
      if (take === 'all') throw named(error, index);
      refused.push({ index, code: error.code, rule: error.rule });
    }
  }
  return { good: [...good.values()], known, refused };
}

async function rowsOf(
  scene: SupervisedScene,
  certificates: readonly Certificate[],
  event: string,
  at: Date,
): Promise<SupervisedCertificateRow[]> {
  const revocations = revocationsOf(scene);
  const rows: SupervisedCertificateRow[] = [];
  for (const [index, certificate] of certificates.entries()) {
    if (index % PORTION === 0) await breathe();
    const standing = standingAfter('good', revocations.get(certificate.serialNumber));
    rows.push({
      id: newId('sc', at),
      authorityId: scene.row.id,
      serialNumber: certificate.serialNumber,
      certificateSm3: sm3Fingerprint(certificate.der),
      certificate: certificate.der,
      subject: certificate.subject.der,
      algorithm: keyName(certificate),
      signatureAlgorithm: certificate.signatureAlgorithm,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      status: standing?.status ?? 'good',
      revokedAt: standing?.revokedAt,
      weaknesses: weaknessesOf(certificate),
      findings: findingsOf(certificate, scene.authority),
      importedAt: at,
      lastAuditEvent: event,
    });
  }
  return rows;
}

/** `sm3:<hex>` over the fingerprints in the order of serial numbers: the event names them all by it. */
function digestOf(rows: readonly SupervisedCertificateRow[]): string {
  const fingerprints = rows.map(({ certificateSm3 }) => certificateSm3).sort();
  return `sm3:${sm3(Buffer.from(fingerprints.join('\n'), 'utf8')).toString('hex')}`;
}

/**
 * Imports certificates of a supervised authority: strict DER, issued and signed by it, each once, looked at for weak
 * cryptography and by the linter, revoked or on hold as its newest CRL says.
 * @throws KmcError E_NOT_FOUND, E_STATE (supervision ended), E_STALE (another import at the same time), and with `take: all`
 * what the first certificate that is refused is refused for: E_DER, E_CERT (rule issuer, serial-twice), E_SIGNATURE (forged, or of an
 * algorithm that is not read), E_KEY, E_CONFLICT (twice); its place stands in `pointers`.
 */
export async function importSupervisedCertificates(
  ports: SupervisionPorts,
  caller: Caller,
  input: SupervisedCertificatesInput,
): Promise<ImportedCertificates> {
  const at = ports.clock.now();
  const scene = await supervisedScene(ports, input.authorityId);
  const { good, known, refused } = await examineAll(ports, scene, input);
  if (good.length === 0) return { imported: 0, known, refused };
  const id = newId('ev', at);
  const rows = await rowsOf(scene, good, id, at);
  const event = importEvent(
    ports,
    caller,
    { id, action: 'supervision.import-certificates', authority: scene.row, requestId: input.requestId },
    {
      count: rows.length,
      digest: digestOf(rows),
      faulty: rows.filter(({ findings }) => findings.length > 0).length,
      weak: rows.filter(({ weaknesses }) => weaknesses.length > 0).length,
    },
  );
  await ports.database.transaction(async (tx) => {
    if (!(await tx.supervisedAuthorities.touch(scene.row.id, scene.row.version, at, id))) throw staleImport();
    await tx.supervisedAuthorities.insertCertificates(rows);
    await tx.audit.append(event, at);
  });
  return { imported: rows.length, known, refused };
}
