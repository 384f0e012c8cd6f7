import type { CryptoEngine } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import type { GeneralName } from '../../x509/extensions/general-name.ts';
import { openAuthority, requireSigningAuthority } from '../authorities/issuing-authority.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Clock, Database, Transaction } from '../ports/database.ts';
import { issuedCertificateRow } from './certificate-row.ts';
import { prepareCertificate } from './prepare-certificate.ts';
import { requireCertifiable } from './require-certifiable.ts';
import { signCertificate } from './sign-certificate.ts';

export interface IssueCertificatePorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  readonly node: string;
}

export interface IssueCertificateInput {
  readonly authorityId: string;
  readonly profile: string;
  /** Name, DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly subjectAltName?: readonly GeneralName[];
}

/** What is written in the same transaction as the certificate. */
export type AlongWithCertificate = (tx: Transaction, row: CertificateRow & { certificate: Buffer }) => Promise<void>;

/**
 * Issues one certificate that is not half of a pair: of a person, of the log, of the service's own TLS.
 * The certificate is signed before the transaction that records it: until that has committed nobody has it, so a failure
 * leaves nothing behind but a serial number that was never seen.
 * @param along what else belongs to it, e.g. the account that it opens.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_SEALED, E_POLICY, E_LINT; E_KEY_BLOCKED for a key that may not be certified.
 */
export async function issueCertificate(
  ports: IssueCertificatePorts,
  caller: Caller,
  input: IssueCertificateInput,
  along?: AlongWithCertificate,
): Promise<CertificateRow & { certificate: Buffer }> {
  const at = ports.clock.now();
  const { subject, spki, subjectAltName } = input;
  const kid = spkiSm3(spki);
  const authority = await openAuthority(
    ports,
    await ports.database.read(async (reader) => {
      await requireCertifiable(reader, kid);
      return await requireSigningAuthority(reader, input.authorityId, 'certificates');
    }),
  );
  const facts = {
    serialNumber: newSerialNumber(),
    issuer: authority.issuer,
    subject,
    spki,
    notBefore: at,
    ...(subjectAltName === undefined ? {} : { subjectAltName }),
  };
  const prepared = prepareCertificate(ports.policies, input.profile, facts, authority.certificate);
  const certificate = await signCertificate(authority.signer, prepared.linted);
  const ids = { certificate: newId('cert', at), event: newId('ev', at) };
  const row = {
    ...issuedCertificateRow(prepared, certificate, {
      id: ids.certificate,
      authorityId: input.authorityId,
      createdAt: at,
      auditEvent: ids.event,
    }),
    certificate,
  };
  return await ports.database.transaction(async (tx) => {
    // Another request for the same key may have come first.
    await requireCertifiable(tx, kid);
    await tx.audit.append(
      {
        id: ids.event,
        action: 'certificate.issue',
        outcome: 'success',
        subjects: [{ type: 'certificate', id: row.id }],
        terms: [{ type: 'authority', id: input.authorityId }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: { authority: input.authorityId, serial: row.serialNumber, profile: input.profile, kid: row.spkiSm3 },
      },
      at,
    );
    await tx.certificates.insertAll([row]);
    await along?.(tx, row);
    return row;
  });
}
