/** Files of the demo's tree. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodePem, encodePem } from '../../src/crypto/asn1/pem.ts';

/** The certificate (DER) of a PEM file. */
export function certificateDer(path: string): Buffer {
  return decodePem(readFileSync(path, 'utf8'), 'CERTIFICATE');
}

/** Writes a certificate (DER) as PEM at a path of the tree. */
export function writePem(out: string, path: string, certificate: Buffer): void {
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, encodePem('CERTIFICATE', certificate));
}
