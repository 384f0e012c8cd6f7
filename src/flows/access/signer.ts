/** Who may prove by a key that it calls: the device behind a certificate, and what of a certificate counts for that. */
import type { ApplicationCaller, Caller, DeviceCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

export interface Signer<C extends Caller = Caller> {
  readonly caller: C;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
}

/** One text for every reason, so that a stranger learns nothing about what is registered. */
export function unknownSigner(): KmcError {
  return new KmcError('E_UNAUTHENTICATED', 'the signing certificate is not registered, or not in force');
}

/** keyid of a signature (base64url) in the digest form of the stores (`sm3:<hex>` or `sha256:<hex>`). */
export function certificateDigest(keyid: string): string {
  const colon = keyid.indexOf(':');
  return `${keyid.slice(0, colon)}:${Buffer.from(keyid.slice(colon + 1), 'base64url').toString('hex')}`;
}

/** Certificates for encryption never sign requests. */
export function signingSpki(der: Buffer): Buffer {
  const certificate = parseCertificate(der);
  if (certificate.keyUsage?.includes('digitalSignature') !== true) throw unknownSigner();
  return certificate.spki;
}

/** Good, within its validity, and of an authority that was not revoked. */
async function isInForce(reader: Reader, row: CertificateRow, now: Date): Promise<boolean> {
  const authority = await reader.authorities.find(row.authorityId);
  return authority?.state !== 'revoked' && row.status === 'good' && row.notBefore <= now && now <= row.notAfter;
}

/** A certificate of the inventory that is there in full. */
type PresentCertificate = CertificateRow & { readonly certificate: Buffer; readonly certificateSm3: string };

async function presentCertificate(reader: Reader, digest: string): Promise<PresentCertificate | undefined> {
  const row = await reader.certificates.findByDigest(digest);
  if (row?.certificate === undefined || row.certificateSm3 === undefined) return undefined;
  return { ...row, certificate: row.certificate, certificateSm3: row.certificateSm3 };
}

async function deviceSigner(reader: Reader, row: PresentCertificate, now: Date): Promise<Signer<DeviceCaller>> {
  const device = await reader.devices.find(row.deviceId ?? '');
  if (device?.status !== 'in-service' || !(await isInForce(reader, row, now))) throw unknownSigner();
  const { id, region } = device;
  return {
    caller: { type: 'device', id, region, certificateSm3: row.certificateSm3 },
    spki: signingSpki(row.certificate),
  };
}

async function applicationSigner(
  reader: Reader,
  row: PresentCertificate,
  now: Date,
): Promise<Signer<ApplicationCaller> | undefined> {
  const application = await reader.applications.ofCertificate(row.id);
  if (application === undefined) return undefined;
  if (application.status !== 'in-service' || !(await isInForce(reader, row, now))) throw unknownSigner();
  return {
    caller: { type: 'application', id: application.id, certificateSm3: row.certificateSm3 },
    spki: signingSpki(row.certificate),
  };
}

/**
 * The device of a certificate.
 * @param digest `sm3:<hex>` or `sha256:<hex>` of the certificate.
 * @returns undefined when it is no certificate of a device.
 * @throws KmcError E_UNAUTHENTICATED when it is not in force, for encryption, or its device is not in service.
 */
export async function findDeviceSigner(
  reader: Reader,
  digest: string,
  now: Date,
): Promise<Signer<DeviceCaller> | undefined> {
  const row = await presentCertificate(reader, digest);
  return row?.deviceId === undefined ? undefined : await deviceSigner(reader, row, now);
}

/**
 * The device or the application of a certificate of the inventory.
 * @param digest `sm3:<hex>` or `sha256:<hex>` of the certificate.
 * @returns undefined when it is of neither.
 * @throws KmcError E_UNAUTHENTICATED when it is not in force, for encryption, or its holder is not in service.
 */
export async function findCertifiedSigner(
  reader: Reader,
  digest: string,
  now: Date,
): Promise<Signer<DeviceCaller | ApplicationCaller> | undefined> {
  const row = await presentCertificate(reader, digest);
  if (row === undefined) return undefined;
  return row.deviceId === undefined ? await applicationSigner(reader, row, now) : await deviceSigner(reader, row, now);
}
