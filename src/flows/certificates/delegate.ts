/** Keys that the service holds beside those of its authorities, certified by one of them: OCSP responders, the verdict key. */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { encodeName } from '../../x509/name.ts';
import { insertCaKey, sealedCaKey } from '../authorities/insert-ca-key.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';
import { insertSingleCertificate, signSingleCertificate } from './single-certificate.ts';

export interface DelegateKind {
  /** Name of the certificate profile. */
  readonly profile: string;
  /** Ids of its keys in the keystore begin with it. */
  readonly keyPrefix: string;
}

/** A delegate's certificate with the id of its key. */
export interface DelegateRow {
  readonly row: CertificateRow;
  readonly certificate: Buffer;
  readonly keyId: string;
}

export type DelegatePorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'>;

/** Certificates of one profile under one authority that are looked at. */
const LOOKED_AT = 1_000;
/** A delegate is replaced when this part of its life is left: well before what it signed runs out. */
const RENEWAL_PART = 1 / 3;

/** The delegates of an authority whose keys are here and that are in force at `at`, the longest-lasting first. */
export async function findDelegates(
  reader: Reader,
  { profile, keyPrefix }: DelegateKind,
  authorityId: string,
  at: Date,
): Promise<DelegateRow[]> {
  const rows = await reader.certificates.list({ authorityId, profile, status: 'good' }, { limit: LOOKED_AT });
  const found: DelegateRow[] = [];
  for (const row of rows.filter(({ notBefore, notAfter }) => notBefore <= at && notAfter > at)) {
    const key = await reader.keystoreRows.caKeyBySpki(row.spkiSm3);
    if (key?.state !== 'active' || row.certificate === undefined || !key.keyId.startsWith(`${keyPrefix}-`)) continue;
    found.push({ row, certificate: row.certificate, keyId: key.keyId });
  }
  return found.sort((a, b) => b.row.notAfter.getTime() - a.row.notAfter.getTime());
}

/** True when there is none, or a third of the last one's life is left and a new one would last longer. */
export async function isDelegateDue(
  ports: DelegatePorts,
  kind: DelegateKind,
  authority: AuthorityRow,
): Promise<boolean> {
  const at = ports.clock.now();
  const [newest] = await ports.database.read((reader) => findDelegates(reader, kind, authority.id, at));
  if (newest === undefined) return true;
  const left = newest.row.notAfter.getTime() - at.getTime();
  const { validitySeconds } = certificateProfile(ports.policies, kind.profile);
  return left < validitySeconds * 1000 * RENEWAL_PART && newest.row.notAfter < authority.notAfter;
}

export interface NewDelegate extends DelegateKind {
  readonly algorithm: KeyAlgorithmName;
  readonly commonName: string;
  /** The event that says what the key is for, besides that of its certificate. */
  readonly recorded:
    | { readonly action: 'ocsp.signer'; readonly subject: 'crl' }
    | { readonly action: 'verdict.signer'; readonly subject: 'authority' };
}

/**
 * Makes a key and its certificate and puts both in the service.
 * @throws KmcError E_SEALED, E_STATE, E_POLICY, E_LINT.
 */
export async function makeDelegate(
  ports: DelegatePorts,
  caller: Caller,
  authority: AuthorityRow,
  { profile, keyPrefix, algorithm, commonName, recorded }: NewDelegate,
): Promise<void> {
  const { engine, keystore, node } = ports;
  const at = ports.clock.now();
  const keyId = newId(keyPrefix, at);
  const key = await engine.generateKeyPair(algorithm);
  try {
    const subject = encodeName([
      { type: 'C', value: 'CN' },
      { type: 'CN', value: commonName.slice(0, 64) },
    ]);
    const row = await signSingleCertificate(ports, { authorityId: authority.id, profile, subject, spki: key.spki }, at);
    const sealed = await sealedCaKey(keystore, keyId, key);
    const event = newId('ev', at);
    const by = { actor: auditActor(caller), source: { node } };
    await ports.database.transaction(async (tx) => {
      // In this order: a key that lies in the keystore may not be certified any more.
      await insertSingleCertificate(tx, row, by);
      await insertCaKey(tx, sealed, at);
      await tx.audit.append(
        {
          id: event,
          action: recorded.action,
          outcome: 'success',
          subjects: [{ type: recorded.subject, id: authority.id }],
          terms: [{ type: 'authority', id: authority.id }],
          ...by,
          detail: {
            authority: authority.id,
            certificate: sm3Fingerprint(row.certificate),
            kid: row.spkiSm3,
            serial: row.serialNumber,
            notAfter: signedTime(row.notAfter),
            profile,
          },
        },
        at,
      );
    });
  } finally {
    engine.destroyKey(key);
  }
}
