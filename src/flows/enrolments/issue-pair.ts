/** The slow part of an enrolment, before its transaction: the encryption key pair, its envelope, both certificates. */
import { spkiSm3 } from '../../crypto/spki.ts';
import { readAlternativeNames } from '../../domain/device.ts';
import { newId } from '../../domain/id.ts';
import { escrowedKeyContext } from '../../domain/keystore/blob-context.ts';
import type { DeviceProfile } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { lintPair } from '../../x509/lint/lint-pair.ts';
import type { IssuingAuthority } from '../authorities/issuing-authority.ts';
import { issuedCertificateRow } from '../certificates/certificate-row.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import type { Instance } from '../instance.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

export type IssuePairPorts = Pick<Instance, 'engine' | 'keystore' | 'policies'>;

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

type SignedRow = CertificateRow & { readonly certificate: Buffer };

/** A pair that nobody has yet: nothing of it counts before its transaction has committed. */
export interface IssuedPair {
  readonly sign: SignedRow;
  readonly enc: SignedRow;
  /** SM2EnvelopedKey of the encryption key to the signing key, DER. */
  readonly envelopedKey: Buffer;
  readonly escrowedKey: EscrowedKeyRow;
}

interface EncryptionKey {
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly sealedKey: Buffer;
  readonly kekVersion: number;
  readonly envelopedKey: Buffer;
}

/** Makes the encryption key pair, seals it for escrow, envelopes it to the device; the plain key ends here. */
async function makeEncryptionKey(ports: IssuePairPorts, keyId: string, recipientSpki: Buffer): Promise<EncryptionKey> {
  const { engine, keystore } = ports;
  const kek = keystore.currentKek('escrow-store');
  const key = await engine.generateKeyPair('SM2');
  try {
    const sealedKey = await engine.sealKey(kek, escrowedKeyContext(keyId, 1), key);
    const envelopedKey = await engine.envelopeKey(key, recipientSpki);
    return { spki: key.spki, sealedKey, kekVersion: kek.version, envelopedKey };
  } finally {
    engine.destroyKey(key);
  }
}

async function signPair(ports: IssuePairPorts, plan: PairPlan, encSpki: Buffer): Promise<[SignedRow, SignedRow]> {
  const { device, profile, authority, at } = plan;
  const common = {
    issuer: authority.issuer,
    subject: device.subject,
    // Certificates count whole seconds.
    notBefore: new Date(Math.floor(at.getTime() / 1000) * 1000),
    subjectAltName: readAlternativeNames(device.alternativeNames),
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
 * Makes the encryption key and both certificates of a device: twins in all but key and use. The signing key is the
 * device's own; only its public half comes here.
 * @throws KmcError E_SEALED, E_POLICY, E_LINT, E_POINT.
 */
export async function issuePair(ports: IssuePairPorts, plan: PairPlan): Promise<IssuedPair> {
  const { device, at, auditEvent } = plan;
  const keyId = newId('key', at);
  const key = await makeEncryptionKey(ports, keyId, plan.signSpki);
  const [sign, enc] = await signPair(ports, plan, key.spki);
  return {
    sign,
    enc,
    envelopedKey: key.envelopedKey,
    escrowedKey: {
      id: keyId,
      algorithm: 'SM2',
      state: 'active',
      store: 'in-use',
      version: 1,
      spki: key.spki,
      spkiSm3: enc.spkiSm3,
      sealedKey: key.sealedKey,
      kekVersion: key.kekVersion,
      objectVersion: 1,
      batchId: 'on-demand',
      owner: {
        authorityId: enc.authorityId,
        certificateSerial: enc.serialNumber,
        subject: device.subject,
        recipientSpkiSm3: spkiSm3(plan.signSpki),
        deviceId: device.id,
      },
      createdAt: at,
      activatedAt: at,
      changedAt: at,
      destroyAfter: undefined,
      lastAuditEvent: auditEvent,
    },
  };
}
