/** The slow part of an enrolment, before its transaction: an encryption key of the pool, its envelope, both certificates. */
import type { KeyHandle } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { readAlternativeNames } from '../../domain/device.ts';
import { newId } from '../../domain/id.ts';
import type { DeviceProfile } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { lintPair } from '../../x509/lint/lint-pair.ts';
import type { IssuingAuthority } from '../authorities/issuing-authority.ts';
import { issuedCertificateRow } from '../certificates/certificate-row.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import { chooseKey, type ChooseKeyPorts } from '../keys/choose-key.ts';
import { ownedKey, type OwnedKeyRow } from '../keys/take-key.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { DeviceRow } from '../ports/devices.ts';

export type IssuePairPorts = ChooseKeyPorts;

export interface PairPlan {
  readonly device: DeviceRow;
  /** Its profile, with an encryption half. */
  readonly profile: DeviceProfile & { readonly enc: string };
  readonly authority: IssuingAuthority;
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
  /** SM2EnvelopedKey of the encryption key to the signing key, DER. */
  readonly envelopedKey: Buffer;
  /** As it stands once `takeKey` has taken it. */
  readonly escrowedKey: OwnedKeyRow;
}

async function signPair(ports: IssuePairPorts, plan: PairPlan, encSpki: Buffer): Promise<[SignedRow, SignedRow]> {
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
    { name: profile.sign, spki: plan.signSpki },
    { name: profile.enc, spki: encSpki },
  ].map(({ name, spki }) =>
    prepareCertificate(
      ports.policies,
      name,
      { ...common, serialNumber: newSerialNumber(), spki },
      authority.certificate,
    ),
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
 * Chooses an encryption key of the pool and makes both certificates of a device: twins in all but key and use. The
 * signing key is the device's own; only its public half comes here.
 * @throws KmcError E_POOL_EMPTY, E_SEALED, E_POLICY, E_LINT, E_POINT.
 */
export async function issuePair(ports: IssuePairPorts, plan: PairPlan): Promise<IssuedPair> {
  const { device, at, auditEvent } = plan;
  const { row, handle } = await chooseKey(ports, 'sm2-encryption');
  const envelopedKey = await enveloped(ports, handle, plan.signSpki);
  const [sign, enc] = await signPair(ports, plan, row.spki);
  const owner = {
    authorityId: enc.authorityId,
    certificateSerial: enc.serialNumber,
    subject: device.subject,
    recipientSpkiSm3: spkiSm3(plan.signSpki),
    deviceId: device.id,
  };
  return { sign, enc, envelopedKey, escrowedKey: ownedKey(row, owner, at, auditEvent) };
}

/** Envelopes the private key to the device; the opened key ends here. */
async function enveloped({ engine }: IssuePairPorts, key: KeyHandle, recipientSpki: Buffer): Promise<Buffer> {
  try {
    return await engine.envelopeKey(key, recipientSpki);
  } finally {
    engine.destroyKey(key);
  }
}
