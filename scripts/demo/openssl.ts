/** The `openssl` program as a witness that shares no code with the product. Its SM2 limits: it checks link by link. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';

const SM2_ID = 'distid:1234567812345678';

function inScratch<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-openssl-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function accepts(args: readonly string[]): boolean {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) process.stderr.write(`openssl ${args[0] ?? ''}: ${stderr}`);
  return status === 0;
}

/** True when openssl accepts that `issuer` signed `subject` (both DER). A self-signed SM2 root is checked by hand. */
export function opensslLink(subject: Buffer, issuer: Buffer): boolean {
  return inScratch((folder) => {
    const [child, parent] = [join(folder, 'subject.pem'), join(folder, 'issuer.pem')];
    writeFileSync(child, encodePem('CERTIFICATE', subject));
    writeFileSync(parent, encodePem('CERTIFICATE', issuer));
    // The option is for SM2 signatures only: with it openssl refuses every other one.
    const id = parseCertificate(subject).signatureAlgorithm === 'SM2-SM3' ? ['-vfyopt', SM2_ID] : [];
    return accepts(['verify', ...id, '-partial_chain', '-trusted', parent, child]);
  });
}

/** True when openssl verifies the SM2 signature over the TBSCertificate under the key of `issuer` (both DER). */
export function opensslSm2Signature(subject: Buffer, issuer: Buffer): boolean {
  const { tbs, signature } = parseCertificate(subject);
  return opensslVerifies(tbs, signature, issuer);
}

/** True when openssl verifies the SM2 signature (DER) over the message under the key of the certificate (DER). */
export function opensslVerifies(message: Buffer, signature: Buffer, issuer: Buffer): boolean {
  return inScratch((folder) => {
    const at = (name: string) => join(folder, name);
    writeFileSync(at('tbs'), message);
    writeFileSync(at('sig'), signature);
    writeFileSync(at('issuer.pem'), encodePem('CERTIFICATE', issuer));
    writeFileSync(at('pub.pem'), execFileSync('openssl', ['x509', '-in', at('issuer.pem'), '-noout', '-pubkey']));
    return accepts([
      'pkeyutl',
      '-verify',
      '-pubin',
      '-inkey',
      at('pub.pem'),
      '-in',
      at('tbs'),
      '-sigfile',
      at('sig'),
      '-rawin',
      '-digest',
      'sm3',
      '-pkeyopt',
      SM2_ID,
    ]);
  });
}

/** True when openssl verifies an RSA-signed CRL (DER) under the issuer's certificate (DER). */
export function opensslCrl(crl: Buffer, issuer: Buffer): boolean {
  return inScratch((folder) => {
    const [list, ca] = [join(folder, 'crl.der'), join(folder, 'ca.pem')];
    writeFileSync(list, crl);
    writeFileSync(ca, encodePem('CERTIFICATE', issuer));
    const result = spawnSync('openssl', ['crl', '-inform', 'DER', '-in', list, '-CAfile', ca, '-noout'], {
      encoding: 'utf8',
    });
    return result.status === 0 && result.stderr.includes('verify OK');
  });
}
