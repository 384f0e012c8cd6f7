/** A small legacy estate, made once for the whole run: RSA root and issuing CA, three gateways, one of them revoked. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLegacyEstate, type LegacyEstate } from '../../../scripts/demo/legacy-estate.ts';
import { decodePem } from '../../../src/crypto/asn1/pem.ts';
import { createDigests } from '../../../src/crypto/digests.ts';
import type { CryptoEngine, KeyHandle } from '../../../src/crypto/engine.ts';
import type { LegacyAuthority } from '../../../src/flows/authorities/import-legacy-authority.ts';

const PASSPHRASE = 'legacy passphrase';
const GATEWAYS = ['one', 'two', 'three'].map((id) => ({
  id,
  commonName: `gateway-${id}.example.cn`,
  province: 'Beijing',
  revoked: id === 'three',
}));

let made: { readonly folder: string; readonly estate: LegacyEstate } | undefined;

process.once('exit', () => {
  if (made !== undefined) rmSync(made.folder, { recursive: true, force: true });
});

export function legacyEstate(): LegacyEstate {
  if (made === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'kmc-legacy-'));
    made = { folder, estate: makeLegacyEstate(join(folder, 'estate'), GATEWAYS, Buffer.from(PASSPHRASE)) };
  }
  return made.estate;
}

function partsOf(certificate: string, crl: string, inventory: string) {
  const files = { crl: readFileSync(crl), inventory: readFileSync(inventory) };
  return { ...files, certificate: decodePem(readFileSync(certificate, 'utf8'), 'CERTIFICATE') };
}

/** What the ceremony file would state of these octets. */
export function expectationOf(
  { crl, inventory }: { readonly crl: Buffer; readonly inventory: Buffer },
  counts: { readonly valid: number; readonly revoked: number },
) {
  return { ...counts, crl: createDigests(crl).sm3, inventory: createDigests(inventory).sm3 };
}

export function legacyRoot(): LegacyAuthority {
  const { rootCertificate, rootCrl, rootInventory } = legacyEstate();
  const parts = partsOf(rootCertificate, rootCrl, rootInventory);
  const expected = expectationOf(parts, { valid: 2, revoked: 0 });
  return { id: 'rsa-root', kind: 'root', generation: 'G1', ...parts, expected };
}

export function legacyIssuing(): LegacyAuthority {
  const { issuingCertificate, issuingCrl, issuingInventory } = legacyEstate();
  const parts = partsOf(issuingCertificate, issuingCrl, issuingInventory);
  const expected = expectationOf(parts, { valid: 2, revoked: 1 });
  return { id: 'rsa-issuing', kind: 'issuing', generation: 'G1', issuerId: 'rsa-root', ...parts, expected };
}

export async function legacyKey(engine: CryptoEngine, name: 'root' | 'issuing'): Promise<KeyHandle> {
  const { rootP12, issuingP12 } = legacyEstate();
  const bytes = readFileSync(name === 'root' ? rootP12 : issuingP12);
  return (await engine.importPkcs12(bytes, Buffer.from(PASSPHRASE))).key;
}
