import { SIGNATURE_ALGORITHMS, verifySignature } from '../../../crypto/algorithms.ts';
import { createDigests } from '../../../crypto/digests.ts';
import { parseStrictJson } from '../../../crypto/jcs.ts';
import { spkiSm3 } from '../../../crypto/spki.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import {
  manifestBytes,
  manifestDigest,
  manifestText,
  readManifest,
  readManifestBody,
  type Manifest,
  type ManifestBody,
  type ManifestSignature,
} from '../../../domain/trust/manifest.ts';
import { requireConsistent } from '../../../domain/trust/manifest-consistency.ts';
import { KmcError } from '../../../errors.ts';
import { signManifest as signByOne } from '../../trust/sign-manifest.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { Planning, StepAct } from '../step-act.ts';

/**
 * Lets every bundle signer who is there sign the body of a manifest (CONTRACT 5), with the personal key that no keystore
 * holds. Whether they are those whom the manifests before and after name is for whoever publishes it to say (A.3, A.4).
 */
export const signManifest: StepAct = {
  plan: (planning, step) => ({ digest: manifestDigest(bodyOf(planning, step)) }),
  async act(run, step) {
    const body = bodyOf(run.facts, step);
    const name = stepText(step, 'out');
    const manifest = run.leftover(step, name) ?? (await signed(run, body));
    const signatures = requireSignatures(run, body, manifest);
    return {
      text: `${signatures.length} bundle signers signed ${stepText(step, 'body')}`,
      files: [run.write(name, manifest)],
      facts: { digest: manifestDigest(body), signers: signatures.map(({ kid }) => kid).join(' ') },
    };
  },
};

/** @throws KmcError E_SCHEMA, E_JSON; E_TRUST for a body that contradicts itself. */
function bodyOf(planning: Planning, step: CeremonyStep): ManifestBody {
  const bytes = planning.inputs.get(stepText(step, 'body'));
  if (bytes === undefined) throw new KmcError('E_SCHEMA', 'The body of a manifest is missing from the inputs.');
  const body = readManifestBody(parseStrictJson(bytes, { maxBytes: 1_048_576 }));
  requireConsistent(body);
  return body;
}

async function signed(run: CeremonyRun, body: ManifestBody): Promise<Buffer> {
  let manifest: Manifest = { body, signatures: [] };
  for (const { key } of run.people('custodian')) manifest = await signByOne({ engine: run.engine, key }, manifest);
  return Buffer.from(manifestText(manifest), 'utf8');
}

/** The signatures of the manifest: each of a signer who is there, at least k of them. @throws KmcError E_INTEGRITY. */
function requireSignatures(run: CeremonyRun, body: ManifestBody, file: Buffer): readonly ManifestSignature[] {
  const manifest = readManifest(file);
  const people = new Map(run.people('custodian').map(({ key }) => [spkiSm3(key.spki), key.spki]));
  const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
  const holds = manifest.signatures.every(({ kid, sig }) => {
    const spki = people.get(kid);
    const raw = Buffer.from(sig, 'base64');
    return spki !== undefined && verifySignature(algorithm.name, spki, manifestBytes(body), algorithm.fromRaw(raw));
  });
  const isSame = manifestDigest(manifest.body) === manifestDigest(body);
  if (holds && isSame && manifest.signatures.length >= run.facts.file.quorum.k) return manifest.signatures;
  const digest = createDigests(file).sm3;
  throw new KmcError('E_INTEGRITY', `The manifest ${digest} is not what the signers signed. Stop the ceremony.`);
}
