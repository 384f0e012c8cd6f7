/** The slow part of an enrolment, before its transaction: an encryption key of the pool, its envelope, both certificates. */
import { spkiSm3 } from '../../crypto/spki.ts';
import { readAlternativeNames } from '../../domain/device.ts';
import { newId } from '../../domain/id.ts';
import { isUnsigned } from '../../domain/envelope-family.ts';
import type { DeviceProfile } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { lintPair } from '../../x509/lint/lint-pair.ts';
import type { IssuingAuthority } from '../authorities/issuing-authority.ts';
import { issuedCertificateRow } from '../certificates/certificate-row.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import { serialNumberAlone } from '../../x509/ca-kmc/identifier.ts';
import { wrapSignedAndEnveloped } from '../../crypto/gm/signed-enveloped.ts';
import { kmcIdentity, packageSigner, type KmcIdentityPorts } from '../ca-kmc/kmc-identity.ts';
import { chooseKey, type ChooseKeyPorts, type ChosenKey } from '../keys/choose-key.ts';
import { findAppliedKey } from '../keys/find-applied-key.ts';
import { ownedKey, type OwnedKeyRow } from '../keys/take-key.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { DeviceRow } from '../ports/devices.ts';

export type IssuePairPorts = ChooseKeyPorts & KmcIdentityPorts;

export interface PairPlan {
  readonly device: DeviceRow;
  /** Its profile, with an encryption half. */
  readonly profile: DeviceProfile & { readonly enc: string };
  readonly authority: IssuingAuthority;
  /** The authority may have applied for the device's key already. */
  readonly appliesForKeys: boolean;
  /** subjectPublicKeyInfo of the device's own signing key, DER. */
  readonly signSpki: Buffer;
  readonly at: Date;
  /** Id of the event that will record it all. */
  readonly auditEvent: string;
}

/** A certificate with its octets. */
export type SignedRow = CertificateRow & { readonly certificate: Buffer };

/** A pair that nobody has yet: nothing of it counts before its transaction has committed. */
export interface IssuedPair {
  readonly sign: SignedRow;
  readonly enc: SignedRow;
  /** The encryption key in an envelope of the profile's family to the signing key. */
  readonly envelopedKey: Buffer;
  /** As it stands once it was taken, or bound. */
  readonly escrowedKey: OwnedKeyRow;
  /** How it becomes the device's: taken from the pool, or bound since its authority applied for it before. */
  readonly acquired: 'taken' | 'bound';
}

/** What the encryption certificate is made over. */
interface EncryptionHalf {
  readonly spki: Buffer;
  readonly serialNumber: Buffer;
}

async function signPair(
  ports: IssuePairPorts,
  plan: PairPlan,
  encryption: EncryptionHalf,
): Promise<[SignedRow, SignedRow]> {
  const { device, profile, authority, at } = plan;
  const common = {
    issuer: authority.issuer,
    subject: device.subject,
    // Certificates count whole seconds.
    notBefore: new Date(Math.floor(at.getTime() / 1000) * 1000),
    subjectAltName: readAlternativeNames(device.alternativeNames),
    region: device.region,
  };
  const halves = [
    { name: profile.sign, spki: plan.signSpki, serialNumber: newSerialNumber() },
    { name: profile.enc, ...encryption },
  ].map(({ name, spki, serialNumber }) =>
    prepareCertificate(ports.policies, name, { ...common, serialNumber, spki }, authority.certificate),
  );
  const [sign, enc] = halves as [(typeof halves)[number], (typeof halves)[number]];
  lintPair(sign.linted.certificate, enc.linted.certificate);
  const facts = {
    authorityId: authority.row.id,
    createdAt: at,
    auditEvent: plan.auditEvent,
    pairId: newId('pair', at),
    deviceId: device.id,
  };
  const rowOf = async (half: typeof sign): Promise<SignedRow> => {
    const certificate = await signCertificate(authority.signer, half.linted, ports.policies.issuance);
    return { ...issuedCertificateRow(half, certificate, { ...facts, id: newId('cert', at) }), certificate };
  };
  return [await rowOf(sign), await rowOf(enc)];
}

/**
 * Chooses an encryption key (the one that the authority applied for, or one of the pool) and makes both certificates of a
 * device: twins in all but key and use. The signing key is the device's own; only its public half comes here.
 * @throws KmcError E_POOL_EMPTY, E_SEALED, E_POLICY, E_LINT, E_POINT.
 */
export async function issuePair(ports: IssuePairPorts, plan: PairPlan): Promise<IssuedPair> {
  const { device, authority, signSpki, at, auditEvent } = plan;
  const applied = plan.appliesForKeys
    ? await findAppliedKey(ports, authority.row.id, { signSpki, subject: device.subject })
    : undefined;
  const chosen = applied ?? (await chooseKey(ports, 'sm2-encryption'));
  const serialNumber =
    applied === undefined ? newSerialNumber() : Buffer.from(applied.row.owner.certificateSerial, 'hex');
  const envelopedKey = await enveloped(ports, plan, chosen, serialNumber.toString('hex'));
  const [sign, enc] = await signPair(ports, plan, { spki: chosen.row.spki, serialNumber });
  if (applied !== undefined) {
    const owner = { ...applied.row.owner, deviceId: device.id };
    const escrowedKey = { ...applied.row, version: applied.row.version + 1, owner, lastAuditEvent: auditEvent };
    return { sign, enc, envelopedKey, escrowedKey, acquired: 'bound' };
  }
  const owner = {
    authorityId: enc.authorityId,
    certificateSerial: enc.serialNumber,
    subject: device.subject,
    recipientSpkiSm3: spkiSm3(signSpki),
    deviceId: device.id,
  };
  return { sign, enc, envelopedKey, escrowedKey: ownedKey(chosen.row, owner, at, auditEvent), acquired: 'taken' };
}

/** Envelopes the private key to the device, as its profile says; the opened key ends here. */
async function enveloped(
  ports: IssuePairPorts,
  { profile, signSpki }: PairPlan,
  { handle }: ChosenKey,
  encSerial: string,
): Promise<Buffer> {
  const { engine } = ports;
  try {
    if (isUnsigned(profile.envelope)) return await engine.envelopeKey(handle, signSpki, profile.envelope);
    const to = { spki: signSpki, identifier: serialNumberAlone(encSerial) };
    return wrapSignedAndEnveloped(await engine.packageKey(handle, to, packageSigner(await kmcIdentity(ports))));
  } finally {
    engine.destroyKey(handle);
  }
}
