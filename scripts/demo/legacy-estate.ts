/**
 * Makes with the `openssl` program what a network has before the upgrade: an RSA root, an RSA issuing CA, gateways with
 * RSA certificates, one of them revoked, the last CRL of each CA, and the certificate inventory.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem } from '../../src/crypto/asn1/pem.ts';
import { signedTime } from '../../src/domain/signed-body.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';

export interface LegacyGateway {
  readonly id: string;
  readonly commonName: string;
  readonly province: string;
  readonly revoked: boolean;
}

/** Files of the estate, all below one folder. */
export interface LegacyEstate {
  readonly rootP12: string;
  readonly issuingP12: string;
  readonly passphraseFile: string;
  readonly rootCertificate: string;
  readonly issuingCertificate: string;
  readonly rootCrl: string;
  readonly issuingCrl: string;
  /** JSON lines: one per certificate issued by the CA that the name says. */
  readonly rootInventory: string;
  readonly issuingInventory: string;
  /** Number of the last CRL of the issuing CA. */
  readonly issuingCrlNumber: number;
  certificateOf(gatewayId: string): string;
  keyOf(gatewayId: string): string;
}

const CA_CONFIG = `
[ca]
default_ca = issuing
[root]
dir = .
database = root.index
serial = root.serial
crlnumber = root.crlnumber
new_certs_dir = certs
default_md = sha256
policy = any
default_days = 3650
default_crl_days = 90
unique_subject = no
[issuing]
dir = .
database = issuing.index
serial = issuing.serial
crlnumber = issuing.crlnumber
new_certs_dir = certs
default_md = sha256
policy = any
default_days = 1825
default_crl_days = 30
unique_subject = no
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[req]
distinguished_name = dn
[dn]
[v3_root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[v3_issuing]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[v3_gateway]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

const ORGANISATION = '/C=CN/O=Government Extranet';

class OpensslCa {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'certs'), { recursive: true });
    writeFileSync(join(folder, 'ca.cnf'), CA_CONFIG);
    for (const ca of ['root', 'issuing']) {
      writeFileSync(join(folder, `${ca}.index`), '');
      writeFileSync(join(folder, `${ca}.index.attr`), 'unique_subject = no\n');
      writeFileSync(join(folder, `${ca}.serial`), '1000\n');
      writeFileSync(join(folder, `${ca}.crlnumber`), '2A\n');
    }
  }

  run(...args: string[]): string {
    return execFileSync('openssl', args, { cwd: this.#folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  key(name: string, bits: number): void {
    this.run('genpkey', '-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`, '-out', `${name}.key`);
  }

  request(name: string, subject: string): void {
    this.run('req', '-config', 'ca.cnf', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
  }

  issue(ca: string, name: string, extensions: string, ...extra: string[]): void {
    const signer = extra.length > 0 ? extra : ['-cert', `${ca}.crt`, '-keyfile', `${ca}.key`];
    this.run(
      'ca',
      '-config',
      'ca.cnf',
      '-name',
      ca,
      '-batch',
      '-notext',
      '-extensions',
      extensions,
      '-in',
      `${name}.csr`,
      '-out',
      `${name}.crt`,
      ...signer,
    );
  }

  revoke(ca: string, name: string, reason: string): void {
    this.run(
      'ca',
      '-config',
      'ca.cnf',
      '-name',
      ca,
      '-cert',
      `${ca}.crt`,
      '-keyfile',
      `${ca}.key`,
      '-revoke',
      `${name}.crt`,
      '-crl_reason',
      reason,
    );
  }

  crl(ca: string): void {
    this.run(
      'ca',
      '-config',
      'ca.cnf',
      '-name',
      ca,
      '-cert',
      `${ca}.crt`,
      '-keyfile',
      `${ca}.key`,
      '-gencrl',
      '-out',
      `${ca}.crl.pem`,
    );
    this.run('crl', '-in', `${ca}.crl.pem`, '-outform', 'DER', '-out', `${ca}.crl`);
  }

  pkcs12(name: string, passphraseFile: string, ...extra: string[]): void {
    // The algorithms that estates of that age used: the import has to read them.
    this.run(
      'pkcs12',
      '-export',
      '-inkey',
      `${name}.key`,
      '-in',
      `${name}.crt`,
      '-out',
      `${name}.p12`,
      '-passout',
      `file:${passphraseFile}`,
      '-keypbe',
      'PBE-SHA1-3DES',
      '-certpbe',
      'PBE-SHA1-3DES',
      '-macalg',
      'sha1',
      ...extra,
    );
  }
}

function inventoryLine(folder: string, name: string, revoked: { at: string; reason: string } | undefined): string {
  const certificate = parseCertificate(decodePem(readFileSync(join(folder, `${name}.crt`), 'utf8'), 'CERTIFICATE'));
  return JSON.stringify({
    serial: certificate.serialNumber,
    subject: certificate.subject.der.toString('base64'),
    spki: certificate.spki.toString('base64'),
    notBefore: signedTime(certificate.notBefore),
    notAfter: signedTime(certificate.notAfter),
    status: revoked === undefined ? 'valid' : 'revoked',
    ...(revoked === undefined ? {} : { revokedAt: revoked.at, reason: revoked.reason }),
  });
}

/** The time of a revocation as the CA's own database has it (YYMMDDHHMMSSZ). */
function revokedAt(folder: string, ca: string, commonName: string): string {
  const line =
    readFileSync(join(folder, `${ca}.index`), 'utf8')
      .split('\n')
      .find((l) => l.startsWith('R\t') && l.endsWith(`/CN=${commonName}`)) ?? '';
  const stamp = /^R\t[^\t]*\t(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z/.exec(line);
  if (stamp === null) throw new Error('the legacy CA has no record of the revocation');
  const [, yy, mm, dd, hh, mi, ss] = stamp;
  return `20${yy}-${mm}-${dd}T${hh}:${mi}:${ss}Z`;
}

/** Makes the estate in `folder`. About two seconds: real RSA keys, real signatures. */
export function makeLegacyEstate(folder: string, gateways: readonly LegacyGateway[], passphrase: Buffer): LegacyEstate {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const passphraseFile = join(folder, 'legacy-passphrase.txt');
  writeFileSync(passphraseFile, passphrase, { mode: 0o600 });
  const ca = new OpensslCa(folder);
  ca.key('root', 3072);
  ca.request('root', `${ORGANISATION}/CN=Government Extranet Root CA`);
  ca.issue('root', 'root', 'v3_root', '-selfsign', '-keyfile', 'root.key');
  ca.key('issuing', 3072);
  ca.request('issuing', `${ORGANISATION}/CN=Government Extranet Issuing CA 1`);
  ca.issue('root', 'issuing', 'v3_issuing');
  for (const gateway of gateways) {
    ca.key(gateway.id, 2048);
    ca.request(gateway.id, `${ORGANISATION}/OU=${gateway.province}/CN=${gateway.commonName}`);
    ca.issue('issuing', gateway.id, 'v3_gateway');
    if (gateway.revoked) ca.revoke('issuing', gateway.id, 'cessationOfOperation');
  }
  ca.crl('root');
  ca.crl('issuing');
  ca.pkcs12('root', passphraseFile);
  ca.pkcs12('issuing', passphraseFile, '-certfile', 'root.crt');
  const at = (name: string) => join(folder, name);
  writeFileSync(
    at('root-inventory.jsonl'),
    ['root', 'issuing'].map((name) => `${inventoryLine(folder, name, undefined)}\n`).join(''),
  );
  writeFileSync(
    at('issuing-inventory.jsonl'),
    gateways
      .map((g) => {
        const revoked = g.revoked
          ? { at: revokedAt(folder, 'issuing', g.commonName), reason: 'cessationOfOperation' }
          : undefined;
        return `${inventoryLine(folder, g.id, revoked)}\n`;
      })
      .join(''),
  );
  return {
    rootP12: at('root.p12'),
    issuingP12: at('issuing.p12'),
    passphraseFile,
    rootCertificate: at('root.crt'),
    issuingCertificate: at('issuing.crt'),
    rootCrl: at('root.crl'),
    issuingCrl: at('issuing.crl'),
    rootInventory: at('root-inventory.jsonl'),
    issuingInventory: at('issuing-inventory.jsonl'),
    issuingCrlNumber: 0x2a,
    certificateOf: (id) => at(`${id}.crt`),
    keyOf: (id) => at(`${id}.key`),
  };
}
