/** Keys, requests and answers of a device in its files. */
import { defaultSignatureOf } from '../crypto/algorithms.ts';
import { decodePem, encodePem } from '../crypto/asn1/pem.ts';
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { asEnvelopedKey, ENVELOPE_FAMILIES } from '../domain/envelope-family.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { assembleCsr, encodeCertificationRequestInfo, parseCsr } from '../x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../x509/extensions.ts';
import type { GeneralName } from '../x509/extensions/general-name.ts';
import type { ReceivedEnrolment } from './check-enrolment.ts';
import type { DeviceFile, DeviceSet } from './device-folder.ts';

const KEY_LABEL = 'ENCRYPTED PRIVATE KEY';

/** How a device is named: what its requests ask for. */
export interface DeviceNames {
  /** Name, DER. */
  readonly subject: Buffer;
  readonly alternativeNames: readonly GeneralName[];
}

/** Opens a key file. @throws KmcError E_PASSPHRASE, E_DER, E_KEY. */
export async function openKey(engine: CryptoEngine, pem: Buffer, passphrase: Buffer): Promise<KeyHandle> {
  return await engine.importPkcs8(decodePem(pem.toString('latin1'), KEY_LABEL), passphrase);
}

async function writeKey(
  engine: CryptoEngine,
  { set, file }: { readonly set: DeviceSet; readonly file: DeviceFile },
  key: KeyHandle,
  passphrase: Buffer,
): Promise<void> {
  set.write(file, encodePem(KEY_LABEL, await engine.exportPkcs8(key, passphrase, 'gmssl')));
}

/** The signing key of a set; a new one is kept before anything is asked for with it. */
export async function signingKey(engine: CryptoEngine, set: DeviceSet, passphrase: Buffer): Promise<KeyHandle> {
  const kept = set.read('signKey');
  if (kept !== undefined) return await openKey(engine, kept, passphrase);
  const key = await engine.generateKeyPair('SM2');
  await writeKey(engine, { set, file: 'signKey' }, key, passphrase);
  return key;
}

function isRequestFor(csr: Buffer, key: KeyHandle, subject: Buffer): boolean {
  const request = parseCsr(csr);
  return request.spki.equals(key.spki) && request.subject.der.equals(subject);
}

/** The request of a set if it is for this key and subject, else a new one, which is kept. */
export async function certificationRequest(
  engine: CryptoEngine,
  set: DeviceSet,
  key: KeyHandle,
  { subject, alternativeNames }: DeviceNames,
): Promise<Buffer> {
  const kept = set.read('csr');
  if (kept !== undefined && isRequestFor(kept, key, subject)) return kept;
  const extensions = [extensionOf(EXTENSIONS.subjectAltName, alternativeNames)];
  const info = encodeCertificationRequestInfo({ subject, spki: key.spki, extensions });
  const { name } = defaultSignatureOf(key.spki);
  const csr = assembleCsr(info, name, await engine.sign(key, name, info));
  set.write('csr', csr);
  return csr;
}

const DER_MEMBERS = ['signCertificate', 'encCertificate', 'envelopedKey', 'csrResponse'] as const;

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The answer of an enrolment or a renewal, nothing in it checked. @throws KmcError E_SCHEMA. */
export function readAnswer(json: unknown): ReceivedEnrolment {
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

/** Keeps an answer that was checked beside its signing key, whole at the end. */
export async function keepAnswer(
  engine: CryptoEngine,
  set: DeviceSet,
  answer: ReceivedEnrolment,
  { encKey, passphrase }: { readonly encKey: KeyHandle; readonly passphrase: Buffer },
): Promise<void> {
  const pem = (...certificates: Buffer[]): string =>
    certificates.map((certificate) => encodePem('CERTIFICATE', certificate)).join('');
  const { signCertificate, encCertificate, chain } = answer;
  await writeKey(engine, { set, file: 'encKey' }, encKey, passphrase);
  set.write('envelopedKey', asEnvelopedKey(answer.envelopedKey, encKey.spki));
  if (answer.envelope !== 'gmt-0009') set.write('packedKey', answer.envelopedKey);
  set.write('csrResponse', answer.csrResponse);
  set.write('encCertificate', pem(encCertificate));
  set.write('chain', pem(...chain));
  set.write('signCertificate', pem(signCertificate));
  set.write('tlcp', pem(signCertificate, encCertificate, ...chain));
}

/** The certificate in a file of a set, DER. */
export function certificateIn(set: DeviceSet, file: 'signCertificate' | 'encCertificate'): Buffer {
  return decodePem(set.need(file).toString('latin1'), 'CERTIFICATE');
}
