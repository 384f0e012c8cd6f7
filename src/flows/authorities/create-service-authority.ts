import { KEY_ALGORITHMS, type KeyAlgorithmName } from '../../crypto/algorithms.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Clock, Database } from '../ports/database.ts';
import { authorityEvent, authorityRow, insertAuthority } from './authority-row.ts';
import { insertCaKey, sealedCaKey } from './insert-ca-key.ts';

export interface CreateServiceAuthorityPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  readonly node: string;
}

/** The self-signed authorities whose keys the service itself holds: for its people, and for its own TLS. */
const SERVICE_AUTHORITIES = {
  administrator: { profile: 'administrator-ca', algorithm: 'SM2' },
  transport: { profile: 'transport-root', algorithm: 'EC-P256' },
} as const satisfies Readonly<Record<string, { profile: string; algorithm: KeyAlgorithmName }>>;

export interface ServiceAuthorityInput {
  /** Id of the authority, and of its key in the keystore. */
  readonly id: string;
  readonly kind: keyof typeof SERVICE_AUTHORITIES;
  /** Name, DER. */
  readonly subject: Buffer;
}

/**
 * Makes a self-signed authority with its key in the service keystore. Neither is part of the generations of roots.
 * @throws KmcError E_SEALED, E_CONFLICT (the id is taken), E_LINT, E_POLICY.
 */
export async function createServiceAuthority(
  ports: CreateServiceAuthorityPorts,
  caller: Caller,
  input: ServiceAuthorityInput,
): Promise<AuthorityRow> {
  const { profile, algorithm } = SERVICE_AUTHORITIES[input.kind];
  const { engine, keystore } = ports;
  const at = ports.clock.now();
  const key = await engine.generateKeyPair(algorithm);
  try {
    const signatureAlgorithm = KEY_ALGORITHMS[algorithm].defaultSignature;
    const prepared = prepareCertificate(ports.policies, profile, {
      serialNumber: newSerialNumber(),
      issuer: { id: input.id, name: input.subject, keyIdentifier: keyIdentifierSha1(key.spki), signatureAlgorithm },
      subject: input.subject,
      spki: key.spki,
      notBefore: at,
    });
    const certificate = parseCertificate(
      await signCertificate({ engine, key, algorithm: signatureAlgorithm }, prepared.linted),
    );
    const sealed = await sealedCaKey(keystore, input.id, key);
    const row = authorityRow({ id: input.id, kind: input.kind, state: 'active', keyId: input.id }, certificate, at);
    const event = newId('ev', at);
    await ports.database.transaction(async (tx) => {
      await insertCaKey(tx, sealed, at);
      await insertAuthority(tx, row);
      await tx.audit.append(
        authorityEvent('authority.create', { event, authority: input.id, node: ports.node }, certificate, caller),
        at,
      );
    });
    return row;
  } finally {
    engine.destroyKey(key);
  }
}
