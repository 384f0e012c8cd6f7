import { encodePem } from '../../crypto/asn1/pem.ts';
import { wipe } from '../../crypto/bytes.ts';
import { randomBytes } from '../../crypto/random.ts';
import { KmcError } from '../../errors.ts';
import { encodeName } from '../../x509/name.ts';
import type { GeneralName } from '../../x509/extensions/general-name.ts';
import type { Instance } from '../instance.ts';
import { issueCertificate } from './issue-certificate.ts';

/** What the HTTPS listener needs. The key leaves the engine encrypted, under a passphrase that lives in this process only. */
export interface ServiceTlsIdentity {
  /** Certificate and transport root, PEM. */
  readonly cert: string;
  /** Encrypted PKCS#8, PEM. */
  readonly key: string;
  readonly passphrase: string;
  readonly notAfter: Date;
}

const PASSPHRASE_OCTETS = 24;
const IP_V4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

function nameOf(host: string): GeneralName {
  return { type: IP_V4.test(host) ? 'iPAddress' : 'dNSName', value: host };
}

/**
 * A new key and certificate for the service's own HTTPS, from the transport CA. Called at the first unseal and again in
 * good time before the end: each process has a key of its own, and none is stored.
 * @param hosts names and IPv4 addresses that clients use.
 * @throws KmcError E_NOT_FOUND without a transport CA, E_SEALED, E_POLICY, E_LINT.
 */
export async function issueServiceTls(instance: Instance, hosts: readonly string[]): Promise<ServiceTlsIdentity> {
  const authorities = await instance.database.read((reader) => reader.authorities.list({ kind: 'transport' }));
  const authority = authorities.find((row) => row.state === 'active');
  if (authority === undefined) throw new KmcError('E_NOT_FOUND', 'There is no transport CA: HTTPS cannot start.');
  const { engine } = instance;
  const key = await engine.generateKeyPair('EC-P256');
  const passphrase = randomBytes(PASSPHRASE_OCTETS).toString('base64url');
  const secret = Buffer.from(passphrase, 'utf8');
  try {
    const row = await issueCertificate(
      instance,
      { type: 'system', id: instance.node },
      {
        authorityId: authority.id,
        profile: 'transport',
        subject: encodeName([
          { type: 'C', value: 'CN' },
          { type: 'CN', value: `KMC ${instance.id}` },
        ]),
        spki: key.spki,
        subjectAltName: hosts.map(nameOf),
      },
    );
    const exported = await engine.exportPkcs8(key, secret, 'openssl');
    return {
      cert: encodePem('CERTIFICATE', row.certificate) + encodePem('CERTIFICATE', authority.certificate),
      key: encodePem('ENCRYPTED PRIVATE KEY', exported),
      passphrase,
      notAfter: row.notAfter,
    };
  } finally {
    wipe(secret);
    engine.destroyKey(key);
  }
}
