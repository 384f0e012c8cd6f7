import { SIGNATURE_ALGORITHMS, verifySignature } from '../../../crypto/algorithms.ts';
import { canonicalizeSigned, parseStrictJson } from '../../../crypto/jcs.ts';
import { spkiSm3 } from '../../../crypto/spki.ts';
import { createDigests } from '../../../crypto/digests.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import { isObject, signedBytes, signedDigest } from '../../../domain/signed-body.ts';
import { KmcError } from '../../../errors.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { Planning, StepAct } from '../step-act.ts';

interface ManifestSignature {
  readonly kid: string;
  /** base64 of raw r||s. */
  readonly sig: string;
}

/**
 * Lets every bundle signer who is there sign the body of a manifest (CONTRACT 5), with the personal key that no keystore
 * holds. Whether they are those whom the manifests before and after name is for whoever publishes it to say (A.3, A.4).
 */
export const signManifest: StepAct = {
  plan: (planning, step) => ({ digest: signedDigest('bundle', bodyOf(planning, step)) }),
  async act(run, step) {
    const body = bodyOf(run.facts, step);
    const name = stepText(step, 'out');
    const manifest = run.leftover(step, name) ?? (await signed(run, body));
    const signatures = requireSignatures(run, body, manifest);
    return {
      text: `${signatures.length} bundle signers signed ${stepText(step, 'body')}`,
      files: [run.write(name, manifest)],
      facts: { digest: signedDigest('bundle', body), signers: signatures.map(({ kid }) => kid).join(' ') },
    };
  },
};

function bodyOf(planning: Planning, step: CeremonyStep): object {
  const bytes = planning.inputs.get(stepText(step, 'body'));
  const body: unknown = bytes === undefined ? undefined : parseStrictJson(bytes, { maxBytes: 1_048_576 });
  if (isObject(body) && canonicalizeSigned(body) !== '{}') return body;
  throw new KmcError('E_SCHEMA', 'The body of a manifest is a JSON object without numbers.');
}

async function signed(run: CeremonyRun, body: object): Promise<Buffer> {
  const signatures: ManifestSignature[] = [];
  for (const { key } of run.people('custodian')) {
    const signature = await run.engine.sign(key, 'SM2-SM3', signedBytes('bundle', body));
    const raw = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature);
    signatures.push({ kid: spkiSm3(key.spki), sig: raw.toString('base64') });
  }
  return Buffer.from(`${canonicalizeSigned({ body, signatures })}\n`, 'utf8');
}

/** The signatures of the manifest: each of a signer who is there, at least k of them. @throws KmcError E_INTEGRITY. */
function requireSignatures(run: CeremonyRun, body: object, manifest: Buffer): readonly ManifestSignature[] {
  const value = parseStrictJson(manifest, { maxBytes: 2_097_152 }) as unknown as {
    readonly body: object;
    readonly signatures: readonly ManifestSignature[];
  };
  const people = new Map(run.people('custodian').map(({ key }) => [spkiSm3(key.spki), key.spki]));
  const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
  const holds = value.signatures.every(({ kid, sig }) => {
    const spki = people.get(kid);
    const raw = Buffer.from(sig, 'base64');
    return spki !== undefined && verifySignature('SM2-SM3', spki, signedBytes('bundle', body), algorithm.fromRaw(raw));
  });
  const isSame = canonicalizeSigned(value.body) === canonicalizeSigned(body);
  if (holds && isSame && value.signatures.length >= run.facts.file.quorum.k) return value.signatures;
  const digest = createDigests(manifest).sm3;
  throw new KmcError('E_INTEGRITY', `The manifest ${digest} is not what the signers signed. Stop the ceremony.`);
}
