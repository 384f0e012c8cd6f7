import { createDigests } from '../../../crypto/digests.ts';
import type { KeyHandle } from '../../../crypto/engine.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { parseInventory } from '../../../domain/legacy-inventory.ts';
import { KmcError } from '../../../errors.ts';
import { decodePem } from '../../../crypto/asn1/pem.ts';
import { parseCertificate } from '../../../x509/certificate.ts';
import { importLegacyAuthority, type LegacyAuthority } from '../../authorities/import-legacy-authority.ts';
import type { AuthorityRow } from '../../ports/authorities.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { Planning, StepAct, StepResult } from '../step-act.ts';
import { madeChange } from './keystore-change.ts';

/** Brings in the legacy root: its key goes into the ceremony keystore, CRL and inventory into the service. */
export const importLegacyRoot: StepAct = {
  plan: checkEvidence,
  async act(run, step) {
    const key = await openKey(run, step);
    const estate = estateOf(run.facts, step, 'root');
    if (!key.spki.equals(parseCertificate(estate.certificate).spki)) throw wrongKey();
    // The service refuses whatever does not fit before the key is stored.
    const row = await broughtIn(run, step, estate);
    const keystore = run.ceremonyKeystore();
    if ((await madeChange(run, step, 'ceremony')) === undefined) {
      await keystore.importRootKey(run.changeId(step), estate.id, key);
    } else run.engine.destroyKey(key);
    run.noteEpoch(keystore.epoch);
    const { facts, ...result } = resultOf(run, step, row.spkiSm3);
    return { ...result, facts: { ...facts, epoch: String(keystore.epoch) } };
  },
  recall: (run, _step, { facts }) => run.noteEpoch(Number(facts['epoch'])),
};

/** Brings in the legacy issuing CA: its key goes into the service keystore, so that it goes on issuing. */
export const importLegacyIssuing: StepAct = {
  plan: checkEvidence,
  async act(run, step) {
    const key = await openKey(run, step);
    try {
      const estate = { ...estateOf(run.facts, step, 'issuing'), issuerId: stepText(step, 'issuer'), key };
      const row = await broughtIn(run, step, estate);
      return resultOf(run, step, row.spkiSm3);
    } finally {
      run.engine.destroyKey(key);
    }
  },
};

/** All of an estate is written together: what is there after a cut is there in full. */
async function broughtIn(run: CeremonyRun, step: CeremonyStep, estate: LegacyAuthority): Promise<AuthorityRow> {
  const known = run.isRepeated(step)
    ? await run.service.database.read((reader) => reader.authorities.find(estate.id))
    : undefined;
  const isThere = known?.certificate.equals(estate.certificate) === true;
  return isThere ? known : await importLegacyAuthority(run.service, run.caller, estate);
}

function wrongKey(): KmcError {
  return new KmcError('E_KEY', 'The private key is not that of the certificate.');
}

async function openKey(run: CeremonyRun, step: CeremonyStep): Promise<KeyHandle> {
  const name = stepText(step, 'pkcs12');
  const passphrase = run.facts.secrets.get(name);
  if (passphrase === undefined) throw new KmcError('E_PASSPHRASE', `The passphrase of ${name} was not given.`);
  const { key } = await run.engine.importPkcs12(run.input(name), passphrase);
  return key;
}

/** The evidence of the file is compared before anything is stored, and already when the ceremony is planned (A.7). */
function checkEvidence(planning: Planning, step: CeremonyStep): Readonly<Record<string, string>> {
  const estate = estateOf(planning, step, 'root');
  const lines = parseInventory(estate.inventory.toString('utf8'));
  const revoked = lines.filter((line) => line.revoked !== undefined).length;
  const found: Readonly<Record<string, string>> = {
    valid: String(lines.length - revoked),
    revoked: String(revoked),
    'first-serial': lines[0]?.serialNumber ?? '',
    'last-serial': lines.at(-1)?.serialNumber ?? '',
  };
  const wrong = Object.keys(found).filter((name) => found[name] !== stepText(step, name));
  if (wrong.length > 0) {
    throw new KmcError('E_STALE', `The inventory is not what the file states: ${wrong.join(', ')} differ.`);
  }
  return { ...found, crl: estate.expected.crl, inventory: estate.expected.inventory };
}

function estateOf(planning: Planning, step: CeremonyStep, kind: LegacyAuthority['kind']): LegacyAuthority {
  const input = (member: string): Buffer => {
    const bytes = planning.inputs.get(stepText(step, member));
    if (bytes === undefined) throw new KmcError('E_NOT_FOUND', `The input ${stepText(step, member)} is missing.`);
    return bytes;
  };
  const crl = input('crl');
  const inventory = input('inventory');
  return {
    id: stepText(step, 'authority'),
    kind,
    generation: stepText(step, 'generation'),
    certificate: derOf(input('certificate')),
    crl,
    inventory,
    // The inputs are those whose digests stand in the file: what is imported is what was approved.
    expected: {
      valid: Number(stepText(step, 'valid')),
      revoked: Number(stepText(step, 'revoked')),
      crl: createDigests(crl).sm3,
      inventory: createDigests(inventory).sm3,
    },
  };
}

/** A certificate in DER, or PEM as old estates keep it. */
function derOf(bytes: Buffer): Buffer {
  return bytes[0] === 0x30 ? bytes : decodePem(bytes.toString('utf8'), 'CERTIFICATE');
}

function resultOf(run: CeremonyRun, step: CeremonyStep, kid: string): StepResult {
  const authority = stepText(step, 'authority');
  return {
    text: `brought in ${authority} with its last CRL and its inventory`,
    files: ['pkcs12', 'certificate', 'crl', 'inventory'].map((member) => run.inputEntry(stepText(step, member))),
    facts: { authority, kid, valid: stepText(step, 'valid'), revoked: stepText(step, 'revoked') },
  };
}
