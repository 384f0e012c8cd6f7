/** Keys and secrets whose octets a test knows, inside an engine that gives none out. */
import { encryptPkcs8 } from '../../../src/crypto/encrypted-pkcs8.ts';
import type {
  CryptoEngine,
  KekPurpose,
  KeyEncryptionKey,
  KeyHandle,
  SecretHandle,
} from '../../../src/crypto/engine.ts';
import { decryptSm2, encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import { encodeSm2Pkcs8 } from '../../../src/crypto/pkcs8.ts';
import { encodeSm2Spki, sm2PointFromSpki } from '../../../src/crypto/spki.ts';

export const PASSPHRASE = Buffer.from('contract-Passw0rd');

/** An SM2 key pair outside any engine. */
export interface OutsideKey {
  readonly scalar: Buffer;
  readonly point: Buffer;
  readonly spki: Buffer;
}

export function outsideKey(): OutsideKey {
  const { scalar, point } = generateSm2Key();
  return { scalar, point, spki: encodeSm2Spki(point) };
}

/** An SM2 key in the engine, and its scalar. */
export async function knownKey(engine: CryptoEngine): Promise<{ key: KeyHandle; scalar: Buffer; pkcs8: Buffer }> {
  const { scalar, point } = outsideKey();
  const pkcs8 = encodeSm2Pkcs8(scalar, point);
  return { key: await engine.importPkcs8(await encryptPkcs8(pkcs8, PASSPHRASE), PASSPHRASE), scalar, pkcs8 };
}

/** `octets` as a secret in the engine. */
export async function knownSecret(engine: CryptoEngine, octets: Buffer): Promise<SecretHandle> {
  const carrier = await engine.generateKeyPair('SM2');
  return engine.decryptSecret(carrier, encryptSm2(sm2PointFromSpki(carrier.spki), octets));
}

/** The octets of a secret, which leave the engine for a key outside. */
export async function octetsOf(engine: CryptoEngine, secret: SecretHandle): Promise<Buffer> {
  const recipient = outsideKey();
  return decryptSm2(recipient.scalar, await engine.encryptSecretTo(secret, recipient.spki));
}

/** A fresh key-encryption key. */
export async function newKek(
  engine: CryptoEngine,
  purpose: KekPurpose = 'ca-keys',
  version = 1,
): Promise<KeyEncryptionKey> {
  return { purpose, version, secret: await engine.generateSecret(32) };
}
