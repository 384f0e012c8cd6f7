/** The reference client of a device: makes its signing key, enrols, checks the answer, keeps it in files. */
import { join } from 'node:path';
import { decodePem, encodePem } from '../crypto/asn1/pem.ts';
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { hmacSm3 } from '../crypto/gm/sm3.ts';
import { tokenMacInput } from '../domain/enrolment.ts';
import { asEnvelopedKey, ENVELOPE_FAMILIES } from '../domain/envelope-family.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { assembleCsr, encodeCertificationRequestInfo, parseCsr } from '../x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../x509/extensions.ts';
import type { GeneralName } from '../x509/extensions/general-name.ts';
import { readIfPresent, writeAtomically } from './atomic-file.ts';
import { checkEnrolment, type ReceivedEnrolment } from './check-enrolment.ts';
import type { KmcClient } from './signed-client.ts';

export interface DeviceEnrolment {
  readonly deviceId: string;
  /** The registered subject: Name, DER. */
  readonly subject: Buffer;
  /** The registered alternative names. */
  readonly alternativeNames: readonly GeneralName[];
  /** The token as it was handed over, ASCII; the caller wipes it. */
  readonly token: Buffer;
  /** Protects the two key files; the caller wipes it. */
  readonly passphrase: Buffer;
  /** The root that the device was given to trust, DER. */
  readonly root: Buffer;
  /** Where keys and certificates are kept. */
  readonly folder: string;
}

export interface AgentPorts {
  readonly engine: CryptoEngine;
  readonly client: KmcClient;
  readonly now: () => Date;
}

/** What the agent keeps, in the order in which a whole enrolment writes it. */
export const DEVICE_FILES = {
  signKey: 'sign.key.pem',
  csr: 'csr.der',
  encKey: 'enc.key.pem',
  /** SM2EnvelopedKey, for devices of every family. */
  envelopedKey: 'enveloped-key.der',
  /** The envelope as the device's own software imports it, where that is another. */
  packedKey: 'packed-key.bin',
  csrResponse: 'csr-response.der',
  encCertificate: 'enc.crt.pem',
  chain: 'chain.pem',
  signCertificate: 'sign.crt.pem',
  /** Signing, encryption, CA chain: what a TLCP server sends. Written last, so that it stands for a whole enrolment. */
  tlcp: 'tlcp.pem',
} as const;

const KEY_LABEL = 'ENCRYPTED PRIVATE KEY';

async function writeKey(engine: CryptoEngine, path: string, key: KeyHandle, passphrase: Buffer): Promise<void> {
  writeAtomically(path, encodePem(KEY_LABEL, await engine.exportPkcs8(key, passphrase, 'gmssl')));
}

/** The signing key of the folder; a new one is kept before anything is asked for with it. */
async function signingKey(engine: CryptoEngine, enrolment: DeviceEnrolment): Promise<KeyHandle> {
  const path = join(enrolment.folder, DEVICE_FILES.signKey);
  const kept = readIfPresent(path);
  if (kept !== undefined)
    return engine.importPkcs8(decodePem(kept.toString('latin1'), KEY_LABEL), enrolment.passphrase);
  const key = await engine.generateKeyPair('SM2');
  await writeKey(engine, path, key, enrolment.passphrase);
  return key;
}

function isRequestFor(csr: Buffer, key: KeyHandle, subject: Buffer): boolean {
  const request = parseCsr(csr);
  return request.spki.equals(key.spki) && request.subject.der.equals(subject);
}

/** The CSR of the folder if it is for this key and subject, else a new one. */
async function certificationRequest(engine: CryptoEngine, enrolment: DeviceEnrolment, key: KeyHandle): Promise<Buffer> {
  const path = join(enrolment.folder, DEVICE_FILES.csr);
  const kept = readIfPresent(path);
  if (kept !== undefined && isRequestFor(kept, key, enrolment.subject)) return kept;
  const { subject, alternativeNames } = enrolment;
  const extensions = [extensionOf(EXTENSIONS.subjectAltName, alternativeNames)];
  const info = encodeCertificationRequestInfo({ subject, spki: key.spki, extensions });
  const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
  writeAtomically(path, csr);
  return csr;
}

const DER_MEMBERS = ['signCertificate', 'encCertificate', 'envelopedKey', 'csrResponse'] as const;

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function readAnswer(json: unknown): ReceivedEnrolment {
  const answer: Readonly<Record<string, unknown>> = isObject(json) ? json : {};
  const { chain, bundleVersion, envelope } = answer;
  const family = ENVELOPE_FAMILIES.find((name) => name === envelope);
  const parts = DER_MEMBERS.map((name) => answer[name]);
  if (!parts.every(isText) || !Array.isArray(chain) || !chain.every(isText) || !isText(bundleVersion) || !family) {
    throw new KmcError('E_SCHEMA', 'The service answered something that is no enrolment.');
  }
  const [signCertificate, encCertificate, envelopedKey, csrResponse] = parts.map((text) =>
    Buffer.from(text, 'base64'),
  ) as [Buffer, Buffer, Buffer, Buffer];
  const certificates = chain.map((text) => Buffer.from(text, 'base64'));
  const parsed = { signCertificate, encCertificate, envelopedKey, csrResponse };
  return { ...parsed, envelope: family, chain: certificates, bundleVersion };
}

async function keepAnswer(
  engine: CryptoEngine,
  { folder, passphrase }: DeviceEnrolment,
  answer: ReceivedEnrolment,
  encKey: KeyHandle,
): Promise<void> {
  const at = (name: keyof typeof DEVICE_FILES): string => join(folder, DEVICE_FILES[name]);
  const pem = (...certificates: Buffer[]): string =>
    certificates.map((certificate) => encodePem('CERTIFICATE', certificate)).join('');
  const { signCertificate, encCertificate, chain } = answer;
  await writeKey(engine, at('encKey'), encKey, passphrase);
  writeAtomically(at('envelopedKey'), asEnvelopedKey(answer.envelopedKey, encKey.spki));
  if (answer.envelope !== 'gmt-0009') writeAtomically(at('packedKey'), answer.envelopedKey);
  writeAtomically(at('csrResponse'), answer.csrResponse);
  writeAtomically(at('encCertificate'), pem(encCertificate));
  writeAtomically(at('chain'), pem(...chain));
  writeAtomically(at('signCertificate'), pem(signCertificate));
  writeAtomically(at('tlcp'), pem(signCertificate, encCertificate, ...chain));
}

/**
 * Enrols the device, or goes on with an enrolment that was cut short: the key is kept first, then the request, and the
 * service answers the same request again. Nothing of the answer is kept before all of it was checked.
 * @throws KmcError E_PENDING (retryAfter: run again later), E_PASSPHRASE, E_STORAGE, what the service refuses, and what
 * `checkEnrolment` refuses.
 */
export async function enrol(ports: AgentPorts, enrolment: DeviceEnrolment): Promise<ReceivedEnrolment> {
  const { engine, client } = ports;
  const signKey = await signingKey(engine, enrolment);
  try {
    const csr = await certificationRequest(engine, enrolment, signKey);
    const tokenMac = hmacSm3(enrolment.token, tokenMacInput(csr)).toString('hex');
    const body = { deviceId: enrolment.deviceId, csr: csr.toString('base64'), tokenMac };
    const answer = readAnswer(await client.json('POST', '/api/v1/enrolments', body));
    const { subject, root } = enrolment;
    const encKey = await checkEnrolment(engine, answer, { signKey, subject, root, at: ports.now() });
    try {
      await keepAnswer(engine, enrolment, answer, encKey);
    } finally {
      engine.destroyKey(encKey);
    }
    return answer;
  } finally {
    engine.destroyKey(signKey);
  }
}
