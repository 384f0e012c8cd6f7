/** The certificates, requests and CRLs of gm-vectors.json, each with the note of where it comes from. */
import { readFileSync } from 'node:fs';

interface Sample {
  readonly source: string;
  readonly note?: string;
  readonly b64: string;
}

interface CertificateSample extends Sample {
  readonly name: string;
  readonly serial: string;
  readonly sig_params: 'absent' | 'NULL';
  readonly spki_alg: string;
  readonly keyUsage_der: string | null;
  readonly keyUsage_critical: boolean | null;
  readonly pubkey: string;
  readonly verifies_with: readonly { readonly issuer: string; readonly id: string }[];
}

interface RequestSample extends Sample {
  readonly verifies_with_id: readonly string[];
}

interface Samples {
  readonly certificates: readonly CertificateSample[];
  readonly csr: readonly RequestSample[];
  readonly crl: readonly (Sample & { readonly issuer: string })[];
}

const samples = JSON.parse(readFileSync(new URL('../vectors/gm-vectors.json', import.meta.url), 'utf8')) as Samples;

export const GM_CERTIFICATES = samples.certificates;
export const GM_REQUESTS = samples.csr;
export const GM_CRLS = samples.crl;

/** The DER of a sample. */
export function derOf(sample: Sample): Buffer {
  return Buffer.from(sample.b64, 'base64');
}
