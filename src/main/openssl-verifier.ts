/** The `openssl` program as a verifier that shares no code with the product. It checks one link at a time: of SM2 it knows no more. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodePem } from '../crypto/asn1/pem.ts';
import { KmcError } from '../errors.ts';
import type { LinkVerifier } from '../flows/ports/link-verifier.ts';
import { parseCertificate } from '../x509/certificate.ts';

const SM2_ID = 'distid:1234567812345678';
const TIMEOUT_MS = 20_000;
const run = promisify(execFile);

/** True when the program ends well. @throws KmcError E_CONFIG when it is not there, or does not end. */
async function accepts(args: readonly string[]): Promise<boolean> {
  try {
    await run('openssl', args, { timeout: TIMEOUT_MS });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'number') return false;
    throw new KmcError('E_CONFIG', 'The openssl program does not run here: install it.', { cause: error });
  }
}

/** The signature over the TBSCertificate under the issuer's key: what `openssl verify` does not do for an SM2 root. */
async function acceptsSignature(folder: string, subject: Buffer, issuer: string): Promise<boolean> {
  const { tbs, signature } = parseCertificate(subject);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('tbs'), tbs);
  writeFileSync(at('sig'), signature);
  if (!(await accepts(['x509', '-in', issuer, '-noout', '-pubkey', '-out', at('key.pem')]))) return false;
  const input = ['-inkey', at('key.pem'), '-in', at('tbs'), '-sigfile', at('sig')];
  return await accepts(['pkeyutl', '-verify', '-pubin', ...input, '-rawin', '-digest', 'sm3', '-pkeyopt', SM2_ID]);
}

async function acceptsLink(folder: string, subject: Buffer, issuer: Buffer): Promise<boolean> {
  const [child, parent] = [join(folder, 'subject.pem'), join(folder, 'issuer.pem')];
  writeFileSync(child, encodePem('CERTIFICATE', subject));
  writeFileSync(parent, encodePem('CERTIFICATE', issuer));
  const isSm2 = parseCertificate(subject).signatureAlgorithm === 'SM2-SM3';
  const isRoot = subject.equals(issuer);
  if (isSm2 && isRoot) return await acceptsSignature(folder, subject, parent);
  // The option is for SM2 signatures only: with it openssl refuses every other one.
  const id = isSm2 ? ['-vfyopt', SM2_ID] : [];
  const self = isRoot ? ['-check_ss_sig'] : ['-partial_chain'];
  return await accepts(['verify', ...id, ...self, '-trusted', parent, child]);
}

/** Runs the `openssl` of the path. Files of its own, in a folder that is removed afterwards. */
export const OPENSSL_VERIFIER: LinkVerifier = {
  name: 'openssl',
  async accepts(subject, issuer) {
    const folder = mkdtempSync(join(tmpdir(), 'kmc-links-'));
    try {
      return await acceptsLink(folder, subject, issuer);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
