/** The side of this service in GM/T 0014: its communication key and certificate, which also sign packages with keys. */
import type { KeyHandle, KeyPackageSigner } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { issuerAndSerialNumber } from '../../x509/ca-kmc/identifier.ts';
import { encodeName } from '../../x509/name.ts';
import { insertCaKey, sealedCaKey } from '../authorities/insert-ca-key.ts';
import { issueCertificate } from '../certificates/issue-certificate.ts';
import { findDeviceAuthority } from '../enrolments/device-authority.ts';
import type { Instance } from '../instance.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { Reader } from '../ports/database.ts';

export type KmcIdentityPorts = Pick<
  Instance,
  'id' | 'node' | 'database' | 'clock' | 'engine' | 'keystore' | 'policies'
>;

export interface KmcIdentity {
  readonly key: KeyHandle;
  readonly certificate: Certificate;
}

/** Keys of the communication with CAs, one after the other, in the service keystore. */
const KEY_PREFIX = 'ca-kmc-';
const PROFILE = 'communication';
/** A new key and certificate take over when this part of the life of the old ones is over. */
const RENEWAL = 0.75;
/** For so long a certificate that another node made may be passed over. */
const REMEMBERED_MS = 5_000;

interface KnownIdentity {
  readonly keyId: string;
  readonly certificate: Certificate;
  /** How many there were before it. */
  readonly generation: number;
}

const REMEMBERED = new WeakMap<ServiceKeystore, KnownIdentity & { readonly until: number }>();

/**
 * The communication key and certificate of this service; they are made when there are none, and in good time before the
 * end. The issuing CA that issues to devices issues the certificate.
 * @throws KmcError E_SEALED; E_STATE without an issuing CA; E_POLICY, E_LINT.
 */
export async function kmcIdentity(ports: KmcIdentityPorts): Promise<KmcIdentity> {
  const now = ports.clock.now().getTime();
  const remembered = REMEMBERED.get(ports.keystore);
  if (remembered !== undefined && now < remembered.until) return await opened(ports, remembered);
  const known = await ports.database.read(newestIdentity);
  const present = known !== undefined && now < renewAt(known.certificate) ? known : await made(ports, known);
  REMEMBERED.set(ports.keystore, { ...present, until: now + REMEMBERED_MS });
  return await opened(ports, present);
}

/** As signer of packages with private keys. */
export function packageSigner({ key, certificate }: KmcIdentity): KeyPackageSigner {
  return { key, identifier: issuerAndSerialNumber(certificate), certificates: [certificate.der] };
}

function renewAt({ notBefore, notAfter }: Certificate): number {
  return notBefore.getTime() + (notAfter.getTime() - notBefore.getTime()) * RENEWAL;
}

async function opened({ keystore }: KmcIdentityPorts, { keyId, certificate }: KnownIdentity): Promise<KmcIdentity> {
  return { key: await keystore.caKey(keyId), certificate };
}

async function newestIdentity(reader: Reader): Promise<KnownIdentity | undefined> {
  const keys = (await reader.keystoreRows.caKeys()).filter(({ keyId }) => keyId.startsWith(KEY_PREFIX));
  const [newest] = keys.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (newest === undefined) return undefined;
  const certificates = await reader.certificates.findByKey(newest.spkiSm3);
  const der = certificates.find(({ status }) => status === 'good')?.certificate;
  if (der === undefined) return undefined;
  return { keyId: newest.keyId, certificate: parseCertificate(der), generation: keys.length };
}

async function made(ports: KmcIdentityPorts, before: KnownIdentity | undefined): Promise<KnownIdentity> {
  try {
    return await makeIdentity(ports, before);
  } catch (error) {
    // Another node made the same one at the same time.
    if (!(error instanceof KmcError) || error.code !== 'E_CONFLICT') throw error;
    const known = await ports.database.read(newestIdentity);
    if (known === undefined) throw error;
    return known;
  }
}

async function makeIdentity(ports: KmcIdentityPorts, before: KnownIdentity | undefined): Promise<KnownIdentity> {
  const { engine, keystore, node } = ports;
  const generation = (before?.generation ?? 0) + 1;
  const keyId = `${KEY_PREFIX}${generation}`;
  const authority = await findDeviceAuthority(ports);
  const key = await engine.generateKeyPair('SM2');
  try {
    const sealed = await sealedCaKey(keystore, keyId, key);
    const subject = encodeName([
      { type: 'C', value: 'CN' },
      { type: 'CN', value: `KMC ${ports.id} communication` },
    ]);
    const event = newId('ev', ports.clock.now());
    const row = await issueCertificate(
      ports,
      { type: 'system', id: node },
      { authorityId: authority.row.id, profile: PROFILE, subject, spki: sealed.spki },
      async (tx, { createdAt }) => {
        await insertCaKey(tx, sealed, createdAt);
        await tx.audit.append(
          {
            id: event,
            action: 'key.generate',
            outcome: 'success',
            subjects: [{ type: 'key', id: keyId, version: 1 }],
            actor: { type: 'system', id: node },
            source: { node },
            detail: {
              algorithm: 'SM2',
              kid: spkiSm3(sealed.spki),
              purpose: PROFILE,
              kek: 'ca-keys',
              kekVersion: sealed.kekVersion,
            },
          },
          createdAt,
        );
      },
    );
    return { keyId, certificate: parseCertificate(row.certificate), generation };
  } finally {
    engine.destroyKey(key);
  }
}
