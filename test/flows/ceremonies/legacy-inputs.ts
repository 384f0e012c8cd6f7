/** The files of a legacy estate under the names of the shipped template. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeLegacyEstate } from '../../../scripts/demo/legacy-estate.ts';
import { decodePem } from '../../../src/crypto/asn1/pem.ts';
import type { Workshop } from './workshop.ts';

export const LEGACY_PASSPHRASE = 'passphrase of the legacy estate';

/** Makes an estate with one good and one revoked gateway, and puts its files among the inputs. */
export function bringLegacyEstate(workshop: Pick<Workshop, 'root' | 'input'>): void {
  const gateways = [
    { id: 'gw-1', commonName: 'gw-1.example', province: 'Beijing', revoked: false },
    { id: 'gw-2', commonName: 'gw-2.example', province: 'Beijing', revoked: true },
  ];
  const estate = makeLegacyEstate(join(workshop.root, 'legacy'), gateways, Buffer.from(LEGACY_PASSPHRASE));
  const der = (file: string): Buffer => decodePem(readFileSync(file, 'utf8'), 'CERTIFICATE');
  const inputs: Readonly<Record<string, Buffer>> = {
    'root.p12': readFileSync(estate.rootP12),
    'root.cer': der(estate.rootCertificate),
    'root.crl': readFileSync(estate.rootCrl),
    'root-inventory.jsonl': readFileSync(estate.rootInventory),
    'issuing.p12': readFileSync(estate.issuingP12),
    'issuing.cer': der(estate.issuingCertificate),
    'issuing.crl': readFileSync(estate.issuingCrl),
    'issuing-inventory.jsonl': readFileSync(estate.issuingInventory),
    'legacy-root.cer': der(estate.rootCertificate),
  };
  for (const [name, bytes] of Object.entries(inputs)) workshop.input(name, bytes);
}

/** Requests of the five bundle-signers, each over an RSA key of its own, as openssl makes them. */
export function bringSignerRequests(workshop: Pick<Workshop, 'root' | 'input'>): void {
  for (const number of [1, 2, 3, 4, 5]) {
    const [key, request] = ['key', 'csr'].map((what) => join(workshop.root, `signer-${number}.${what}`)) as [
      string,
      string,
    ];
    const subject = `/C=CN/O=National Extranet Centre/OU=Trust bundle/CN=Bundle Signer ${number}`;
    const options = [
      '-newkey',
      'rsa:3072',
      '-nodes',
      '-keyout',
      key,
      '-subj',
      subject,
      '-outform',
      'DER',
      '-out',
      request,
    ];
    execFileSync('openssl', ['req', '-new', ...options], { stdio: 'pipe' });
    workshop.input(`signer-${number}.csr`, readFileSync(request));
  }
}

/** The passphrases of the inputs that hold private keys; a run wipes them. */
export function legacySecrets(): Map<string, Buffer> {
  return new Map(['root.p12', 'issuing.p12'].map((name) => [name, Buffer.from(LEGACY_PASSPHRASE)]));
}
