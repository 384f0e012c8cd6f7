import type { SecretHandle } from '../../crypto/engine.ts';
import type { ApplicationCaller } from '../../domain/caller.ts';
import type { DataContext } from '../../domain/data-context.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';
import { withKey, type DataPorts } from './key-in-use.ts';

/** In which form the data key itself is answered, besides its wrapped form. */
export type DataKeyForm =
  | { readonly form: 'plain' }
  | { readonly form: 'wrapped' }
  /** To the encryption certificate of a device that is in service. */
  | { readonly form: 'device'; readonly deviceId: string }
  /** To the SM2 key of a SubjectPublicKeyInfo, DER. */
  | { readonly form: 'recipient'; readonly spki: Buffer };

export interface MadeDataKey {
  /** The data key under the managed key: `decrypt` gives it back. */
  readonly wrapped: Buffer;
  /** In clear, 16 octets: the caller wipes it. */
  readonly plain?: Buffer;
  /** SM2Cipher of it, DER. */
  readonly enveloped?: Buffer;
}

export interface MadeDataKeys {
  readonly version: number;
  readonly keys: readonly MadeDataKey[];
  /** `sm3:<hex>` of the certificate of the device that they were encrypted to. */
  readonly certificateSm3: string | undefined;
}

/** The encryption certificate of a device that is in service: of several in force the newest. */
async function encryptionCertificateOf({ database, clock }: DataPorts, deviceId: string): Promise<CertificateRow> {
  const now = clock.now();
  const found = await database.read(async (reader: Reader) => {
    const device = await reader.devices.find(deviceId);
    if (device?.status !== 'in-service') return undefined;
    const rows = await reader.certificates.list({ deviceId, status: 'good' }, { limit: 1_000 });
    return rows.findLast(
      ({ certificate, notBefore, notAfter }) =>
        certificate !== undefined && now >= notBefore && now <= notAfter && isForSm2Encryption(certificate),
    );
  });
  if (found !== undefined) return found;
  throw new KmcError('E_NOT_FOUND', 'There is no device of that id in service with an SM2 encryption certificate.');
}

function isForSm2Encryption(der: Buffer): boolean {
  const { keyAlgorithm, keyUsage } = parseCertificate(der);
  return keyAlgorithm === 'SM2' && keyUsage?.includes('keyEncipherment') === true;
}

interface Recipient {
  readonly spki: Buffer;
  readonly certificateSm3?: string | undefined;
}

async function recipientOf(ports: DataPorts, form: DataKeyForm): Promise<Recipient | undefined> {
  if (form.form === 'recipient') return { spki: form.spki };
  if (form.form !== 'device') return undefined;
  const { certificate = Buffer.alloc(0), certificateSm3 } = await encryptionCertificateOf(ports, form.deviceId);
  return { spki: parseCertificate(certificate).spki, certificateSm3 };
}

async function inForm(
  { engine }: DataPorts,
  dataKey: SecretHandle,
  form: DataKeyForm,
  recipient: Recipient | undefined,
): Promise<Omit<MadeDataKey, 'wrapped'>> {
  if (form.form === 'plain') return { plain: await engine.releaseDataKey(dataKey) };
  return recipient === undefined ? {} : { enveloped: await engine.encryptSecretTo(dataKey, recipient.spki) };
}

/**
 * Makes a data key (SM4) for each context, wrapped under the current version of a managed key: applications encrypt large
 * bodies with it by themselves. All or none. The key itself is answered in the form that is asked for.
 * @throws KmcError as `withKey`; E_STATE, E_PERIOD; E_NOT_FOUND (device); E_KEY, E_DER, E_POINT (recipient).
 */
export async function makeDataKeys(
  ports: DataPorts,
  caller: ApplicationCaller,
  {
    keyId,
    form,
    contexts,
  }: {
    readonly keyId: string;
    readonly form: DataKeyForm;
    readonly contexts: readonly (DataContext | undefined)[];
  },
): Promise<MadeDataKeys> {
  return await withKey(ports, caller, { keyId, operation: 'data-key' }, async (key) => {
    const recipient = await recipientOf(ports, form);
    const labels = contexts.map((context) => key.label(key.currentNumber, context));
    const { material, number } = await key.protecting(contexts.length);
    const keys: MadeDataKey[] = [];
    for (const label of labels) {
      const dataKey = await ports.engine.generateDataKey();
      try {
        const wrapped = await ports.engine.wrapDataKey(material, label, dataKey);
        keys.push({ wrapped, ...(await inForm(ports, dataKey, form, recipient)) });
      } finally {
        ports.engine.destroySecret(dataKey);
      }
    }
    return { version: number, keys, certificateSm3: recipient?.certificateSm3 };
  });
}
