/** What the service takes over of each kind of step from a closed, verified bundle. */
import { createDigests } from '../../crypto/digests.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { outputFile } from '../../domain/ceremony/bundle-files.ts';
import { stepText, type CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import type { StepKind } from '../../domain/ceremony/step-kinds.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { parseCertificateList } from '../../x509/crl.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import { importAuthority, type ImportAuthorityPorts, type ImportedAuthority } from '../authorities/import-authority.ts';
import { authorityEvent } from '../authorities/authority-row.ts';
import { certificateDetail } from '../certificates/certificate-detail.ts';
import type { CertificateRow } from '../ports/certificates.ts';

export interface BundleImport {
  readonly ports: ImportAuthorityPorts;
  readonly caller: Caller;
  /** Id of the ceremony. */
  readonly ceremony: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly at: Date;
}

/** Returns the ids of the authorities that came into service. Doing it again changes nothing. */
export type StepImport = (importing: BundleImport, step: CeremonyStep) => Promise<readonly string[]>;

export const STEP_IMPORTS: Readonly<Partial<Record<StepKind, StepImport>>> = {
  'self-sign': (importing, step) =>
    authority(importing, {
      id: stepText(step, 'key'),
      kind: 'root',
      generation: stepText(step, 'generation'),
      certificate: output(importing, step),
      ceremony: importing.ceremony,
    }),
  async 'sign-request'(importing, step) {
    await certificate(importing, step);
    return await authority(importing, {
      id: stepText(step, 'authority'),
      kind: 'issuing',
      generation: stepText(step, 'generation'),
      certificate: output(importing, step),
      issuerId: stepText(step, 'issuer'),
      ceremony: importing.ceremony,
    });
  },
  async 'certify-signer'(importing, step) {
    await certificate(importing, step);
    return [];
  },
  async 'cross-sign'(importing, step) {
    await certificate(importing, step);
    return [];
  },
  async 'destroy-root-key'(importing, step) {
    await moved(importing, stepText(step, 'key'), 'retired');
    return [];
  },
  async 'restrict-key'(importing, step) {
    await moved(importing, stepText(step, 'key'), 'crl-only');
    return [];
  },
  async 'sign-crl'(importing, step) {
    await certificateList(importing, step);
    return [];
  },
};

function output({ files }: BundleImport, step: CeremonyStep): Buffer {
  const bytes = files.get(outputFile(stepText(step, 'out')));
  if (bytes === undefined) throw new KmcError('E_NOT_FOUND', `The bundle lacks ${stepText(step, 'out')}.`);
  return bytes;
}

async function authority({ ports, caller }: BundleImport, input: ImportedAuthority): Promise<readonly string[]> {
  const known = await ports.database.read((reader) => reader.authorities.find(input.id));
  if (known?.certificate.equals(input.certificate) === true) return [];
  await importAuthority(ports, caller, input);
  return [input.id];
}

/**
 * An authority whose key signs CRLs only, or is gone and signs nothing any more; what it signed is judged as before. One
 * that is further on its way stays there.
 */
async function moved(
  { ports, caller, at }: BundleImport,
  authorityId: string,
  to: 'crl-only' | 'retired',
): Promise<void> {
  const event = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    const row = await tx.authorities.find(authorityId);
    if (row === undefined || row.state === to || row.state === 'retired' || row.state === 'revoked') return;
    const { state, version } = row;
    if (!(await tx.authorities.move(authorityId, { state, version }, to))) {
      throw new KmcError('E_CONFLICT', 'The authority was changed meanwhile. Import the bundle again.');
    }
    const ids = { event, authority: authorityId, node: ports.node };
    const action = to === 'retired' ? 'authority.retire' : 'authority.restrict';
    await tx.audit.append(authorityEvent(action, ids, parseCertificate(row.certificate), caller), at);
  });
}

/** A certificate that a root signed stands in its inventory, so that it can be revoked and its serial is taken. */
async function certificate({ ports, caller, at, ...importing }: BundleImport, step: CeremonyStep): Promise<void> {
  const parsed = parseCertificate(output({ ports, caller, at, ...importing }, step));
  const digests = createDigests(parsed.der);
  const authorityId = stepText(step, 'issuer');
  const ids = { row: newId('cert', at), event: newId('ev', at) };
  const row: CertificateRow = {
    id: ids.row,
    authorityId,
    serialNumber: parsed.serialNumber,
    status: 'good',
    subject: parsed.subject.der,
    spkiSm3: spkiSm3(parsed.spki),
    profile: stepText(step, 'profile'),
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    certificate: parsed.der,
    certificateSm3: digests.sm3,
    certificateSha256: digests.sha256,
    source: 'issued',
    pairId: undefined,
    deviceId: undefined,
    shard: undefined,
    revokedAt: undefined,
    reason: undefined,
    invalidityDate: undefined,
    createdAt: at,
    lastAuditEvent: ids.event,
  };
  await ports.database.transaction(async (tx) => {
    const issuer = await tx.authorities.find(authorityId);
    if (issuer === undefined) throw new KmcError('E_NOT_FOUND', `The issuer ${authorityId} is not in the service.`);
    if (!verifySignedBy(parsed, parseCertificate(issuer.certificate))) {
      throw new KmcError('E_CERT', `${stepText(step, 'out')} was not signed by ${authorityId}.`);
    }
    if ((await tx.certificates.findByDigest(digests.sm3)) !== undefined) return;
    await tx.audit.append(
      {
        id: ids.event,
        action: 'certificate.import',
        outcome: 'success',
        subjects: [{ type: 'certificate', id: ids.row }],
        terms: [{ type: 'authority', id: authorityId }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: { ...(await certificateDetail(tx, row)), kid: row.spkiSm3 },
      },
      at,
    );
    if (!(await tx.certificates.insert(row))) {
      throw new KmcError('E_CONFLICT', `The serial number of ${stepText(step, 'out')} is taken.`);
    }
  });
}

async function certificateList({ ports, caller, at, ...importing }: BundleImport, step: CeremonyStep): Promise<void> {
  const crl = output({ ports, caller, at, ...importing }, step);
  const parsed = parseCertificateList(crl);
  const number = parsed.crlNumber;
  const authorityId = stepText(step, 'issuer');
  const event = newId('ev', at);
  const crlSm3 = createDigests(crl).sm3;
  await ports.database.transaction(async (tx) => {
    const issuer = await tx.authorities.find(authorityId);
    if (issuer === undefined) throw new KmcError('E_NOT_FOUND', `The issuer ${authorityId} is not in the service.`);
    if (number === undefined || !verifySignedBy(parsed, parseCertificate(issuer.certificate))) {
      throw new KmcError('E_CRL', `${stepText(step, 'out')} was not signed by ${authorityId}, or has no number.`);
    }
    if ((await tx.crls.find(authorityId, 'complete', number))?.crlSm3 === crlSm3) return;
    const isNext = await tx.authorities.advanceCrlNumber(authorityId, issuer.crlNumber, number);
    const { thisUpdate, nextUpdate = thisUpdate, entries } = parsed;
    const row = {
      authorityId,
      scope: 'complete',
      number,
      crl,
      crlSm3,
      entries: entries.length,
      thisUpdate,
      nextUpdate,
    };
    if (!isNext || !(await tx.crls.insert({ ...row, source: 'issued' }))) {
      throw new KmcError('E_CONFLICT', `The CRL number of ${stepText(step, 'out')} was used already.`);
    }
    await tx.audit.append(
      {
        id: event,
        action: 'crl.import',
        outcome: 'success',
        subjects: [{ type: 'crl', id: authorityId }],
        terms: [{ type: 'authority', id: authorityId }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: {
          authority: authorityId,
          crlNumber: Number(number),
          digest: crlSm3,
          entries: entries.length,
          thisUpdate: signedTime(thisUpdate),
          nextUpdate: signedTime(nextUpdate),
        },
      },
      at,
    );
  });
}
