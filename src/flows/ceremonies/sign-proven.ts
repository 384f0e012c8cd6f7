import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts';
import type { KeyHandle } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';
import type { ObjectSigner } from '../certificates/sign-checked.ts';
import type { CeremonyRun } from './ceremony-run.ts';

/** A certificate or CRL that was linted and can be signed once. */
export interface LintedWork {
  /** The part that is signed, DER. */
  readonly tbs: Buffer;
  /** @returns the whole signed object, DER. */
  readonly sign: (signer: ObjectSigner) => Promise<Buffer>;
}

/** How a step makes what it signs, and how it looks at the result. */
export interface ProvenWork {
  /** Builds and lints it anew. @throws KmcError E_LINT, E_POLICY, E_STALE (not what was planned). */
  readonly build: () => LintedWork;
  /**
   * Reads a whole signed object, lints it and verifies its signature under `spki`.
   * @returns the part that was signed. @throws KmcError E_INTEGRITY, E_DER.
   */
  readonly look: (der: Buffer, spki: Buffer) => Buffer;
}

/**
 * Signs with a key of the ceremony what was proved with a throw-away key of the same algorithm before (C7): the object is
 * built, signed with the throw-away key, read back whole and linted; then it is built again, and only the very same octets
 * reach the real key. The result is looked at in the same way.
 * @returns the signed object, DER.
 * @throws KmcError E_STALE (what is built changes), E_INTEGRITY (the result does not hold), and what `work` refuses: the real
 * key was not used then, unless the message says that the result was just signed.
 */
export async function signProven(
  run: CeremonyRun,
  key: KeyHandle,
  algorithm: SignatureAlgorithmName,
  work: ProvenWork,
): Promise<Buffer> {
  const proof = work.build();
  const throwAway = await run.throwAwayKey(key.algorithm);
  const proved = work.look(await proof.sign({ engine: run.engine, key: throwAway, algorithm }), throwAway.spki);
  const real = work.build();
  if (!proved.equals(proof.tbs) || !real.tbs.equals(proof.tbs)) {
    throw new KmcError('E_STALE', 'What is to be signed changed after its lint; the key was not used.');
  }
  const der = await real.sign({ engine: run.engine, key, algorithm });
  requireSigned(der, real.tbs, key.spki, work);
  return der;
}

/** Looks at what was signed, also before a cut. @throws KmcError E_INTEGRITY. */
export function requireSigned(der: Buffer, tbs: Buffer, spki: Buffer, { look }: Pick<ProvenWork, 'look'>): void {
  if (look(der, spki).equals(tbs)) return;
  throw new KmcError('E_INTEGRITY', 'What was just signed is not what was planned. Stop the ceremony.');
}
