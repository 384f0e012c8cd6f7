import { decodePem, encodePem } from '../crypto/asn1/pem.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { renewalTime } from '../domain/renewal.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { checkEnrolment } from './check-enrolment.ts';
import type { DeviceFolder } from './device-folder.ts';
import {
  certificateIn,
  certificationRequest,
  keepAnswer,
  openKey,
  readAnswer,
  signingKey,
  type DeviceNames,
} from './device-keys.ts';
import { setInForce } from './set-in-force.ts';
import type { KmcClient, RequestSigner } from './signed-client.ts';
import { acceptedAnchors } from './trust-folder.ts';
import { trustPath } from './trust-round.ts';

export interface RenewPorts {
  readonly engine: CryptoEngine;
  /** A client that signs with that key. */
  readonly clientOf: (signer: RequestSigner) => KmcClient;
  readonly now: () => Date;
}

/** The signing certificate in force, and from when on it is renewed. */
export function renewalDue(folder: DeviceFolder): { readonly certificate: Certificate; readonly from: Date } {
  const certificate = parseCertificate(certificateIn(setInForce(folder), 'signCertificate'));
  return { certificate, from: renewalTime(certificate) };
}

/** One try with the key of the pending set. */
async function renewOnce(
  ports: RenewPorts,
  folder: DeviceFolder,
  present: PresentKey,
  passphrase: Buffer,
): Promise<void> {
  const { engine } = ports;
  const { signer, names } = present;
  const pending = folder.pending();
  const signKey = await signingKey(engine, pending, passphrase);
  try {
    const csr = await certificationRequest(engine, pending, signKey, names);
    const client = ports.clientOf(signer);
    const answer = readAnswer(
      await client.json('POST', '/api/v1/devices/self/renewals', { csr: csr.toString('base64') }),
    );
    const anchors = acceptedAnchors(trustPath(folder)) ?? [decodePem(folder.root(), 'CERTIFICATE')];
    const expected = { signKey, subject: names.subject, anchors, at: ports.now() };
    const encKey = await checkEnrolment(engine, answer, expected);
    try {
      await keepAnswer(engine, pending, answer, { encKey, passphrase });
    } finally {
      engine.destroyKey(encKey);
    }
    folder.commit();
    // The pair may stand under another root now: one of those that the device accepts.
    const root = answer.chain.at(-1);
    if (root !== undefined) folder.keepRoot(encodePem('CERTIFICATE', root));
  } finally {
    engine.destroyKey(signKey);
  }
}

/** The key in force, as a signer, and the names that it was certified for. */
interface PresentKey {
  readonly signer: RequestSigner;
  readonly names: DeviceNames;
}

/** A key of an earlier try that the service will not certify any more: its answer was there for 72 hours. */
function isSpentKey(error: unknown): boolean {
  return error instanceof KmcError && error.code === 'E_KEY_BLOCKED';
}

/**
 * Renews the device: a new signing key, made here and kept first, then new certificates and a new encryption key, asked for
 * with a request that the present key signs. All of the answer is checked against the root that the device trusts before
 * it takes the place of what was in force. A renewal that was cut short goes on with the same key.
 * @throws KmcError E_NOT_FOUND (not enrolled), E_PASSPHRASE, E_STORAGE, what the service refuses, and what `checkEnrolment`
 * refuses.
 */
export async function renew(ports: RenewPorts, folder: DeviceFolder, passphrase: Buffer): Promise<void> {
  const { engine } = ports;
  const current = setInForce(folder);
  const certificate = certificateIn(current, 'signCertificate');
  const { subject, subjectAltName = [] } = parseCertificate(certificate);
  const names = { subject: subject.der, alternativeNames: subjectAltName };
  // A set that an enrolment began for the key in force is none of a renewal.
  if (folder.pending().read('signKey')?.equals(current.need('signKey')) === true) folder.discardPending();
  const key = await openKey(engine, current.need('signKey'), passphrase);
  const present = { signer: { engine, key, certificate }, names };
  try {
    const goesOn = folder.isPending;
    try {
      await renewOnce(ports, folder, present, passphrase);
    } catch (error) {
      if (!goesOn || !isSpentKey(error)) throw error;
      folder.discardPending();
      await renewOnce(ports, folder, present, passphrase);
    }
  } finally {
    engine.destroyKey(key);
  }
}
