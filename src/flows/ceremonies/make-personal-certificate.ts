import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import type { Person } from '../../domain/person.ts';
import { personSubject } from '../../domain/person-name.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { encodeTbsCertificate } from '../../x509/certificate.ts';
import { EXTENSIONS, extensionOf } from '../../x509/extensions.ts';
import { lintTbsCertificate } from '../../x509/lint/lint-tbs-certificate.ts';
import { encodeName } from '../../x509/name.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';

/** Long enough to reach the first ceremony, and no longer: it counts for nothing afterwards. */
const VALIDITY_DAYS = 90;
const DAY_MS = 86_400_000;

/**
 * Makes the self-signed certificate that a person brings to `kmc-init`, or that a request to appoint the person names. It
 * proves that the person has the key.
 * @param key the personal SM2 key.
 * @returns DER.
 * @throws KmcError E_LINT, for example when a name is too long; E_USAGE for another kind of key.
 */
export async function makePersonalCertificate(
  engine: CryptoEngine,
  key: KeyHandle,
  person: Pick<Person, 'id' | 'name' | 'unit' | 'organisation' | 'region'>,
  now: Date,
): Promise<Buffer> {
  const name = encodeName(personSubject(person));
  const [algorithm] = KEY_ALGORITHMS.SM2.signatures;
  const notBefore = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const keyIdentifier = keyIdentifierSha1(key.spki);
  const tbs = encodeTbsCertificate({
    serialNumber: newSerialNumber(),
    signatureAlgorithm: algorithm,
    issuer: name,
    subject: name,
    notBefore,
    notAfter: new Date(notBefore.getTime() + VALIDITY_DAYS * DAY_MS),
    spki: key.spki,
    extensions: [
      extensionOf(EXTENSIONS.keyUsage, ['digitalSignature', 'nonRepudiation']),
      extensionOf(EXTENSIONS.subjectKeyIdentifier, keyIdentifier),
    ],
  });
  return await signCertificate({ engine, key, algorithm }, lintTbsCertificate(tbs, 'person'));
}
