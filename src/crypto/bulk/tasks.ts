/** The bulk tasks: what a worker thread does with one portion, and this thread with a small one. */
import { KEY_ALGORITHMS, signMessages, verifySignature } from '../algorithms.ts';
import type { SignatureAlgorithmName } from '../algorithms.ts';
import { equalConstantTime, wipe } from '../bytes.ts';
import { generateSm2Keys } from '../gm/sm2-key.ts';
import { sm2BaseMultiples } from '../gm/sm2-point.ts';
import { encodeSm2Pkcs8, parsePkcs8 } from '../pkcs8.ts';
import { sealBlob } from '../seal.ts';
import type { BlobHeader } from '../seal.ts';
import { assertPairwiseConsistent, selfTestFailed } from '../self-test.ts';
import { encodeSm2Spki } from '../spki.ts';
import { asBuffer, packOctets, unpackOctets } from './octets.ts';
import type { PackedOctets } from './octets.ts';

export interface SealedPairsInput {
  /** The key-encryption key, which the task wipes. */
  readonly kek: Uint8Array;
  readonly headers: readonly BlobHeader[];
}

export interface SealedPairsOutput {
  readonly spkis: PackedOctets;
  readonly blobs: PackedOctets;
}

export interface SignaturesInput {
  readonly algorithm: SignatureAlgorithmName;
  /** Plain PKCS#8, which the task wipes. */
  readonly pkcs8: Uint8Array;
  readonly messages: PackedOctets;
}

export interface VerdictsInput {
  readonly algorithms: readonly SignatureAlgorithmName[];
  readonly spkis: PackedOctets;
  readonly messages: PackedOctets;
  readonly signatures: PackedOctets;
}

/**
 * New SM2 key pairs, each sealed. Of every pair dG is computed a second time (SP 800-56A 5.6.2.1.4); one of the portion
 * signs and verifies as well.
 */
function sealedPairs({ kek, headers }: SealedPairsInput): SealedPairsOutput {
  const pairs = generateSm2Keys(headers.length);
  const secret = asBuffer(kek);
  try {
    const again = sm2BaseMultiples(pairs.map(({ scalar }) => scalar));
    if (!pairs.every(({ point }, at) => equalConstantTime(point, again[at] ?? Buffer.alloc(0)))) {
      throw selfTestFailed();
    }
    const [first] = pairs;
    if (first !== undefined) assertSignsVerifiably(first.scalar, first.point);
    const blobs = headers.map((header, at) => {
      const pair = pairs[at];
      if (pair === undefined) throw new RangeError('There are fewer key pairs than headers.');
      const pkcs8 = encodeSm2Pkcs8(pair.scalar, pair.point);
      try {
        return sealBlob(secret, header, pkcs8);
      } finally {
        wipe(pkcs8);
      }
    });
    return { spkis: packOctets(pairs.map(({ point }) => encodeSm2Spki(point))), blobs: packOctets(blobs) };
  } finally {
    wipe(secret, ...pairs.map(({ scalar }) => scalar));
  }
}

function assertSignsVerifiably(scalar: Buffer, point: Buffer): void {
  const pkcs8 = encodeSm2Pkcs8(scalar, point);
  const key = parsePkcs8(pkcs8);
  try {
    assertPairwiseConsistent(key);
  } finally {
    key.destroy();
    wipe(pkcs8);
  }
}

function signatures({ algorithm, pkcs8, messages }: SignaturesInput): PackedOctets {
  const plain = asBuffer(pkcs8);
  const key = parsePkcs8(plain);
  try {
    return packOctets(signMessages(algorithm, key, unpackOctets(messages)));
  } finally {
    key.destroy();
    wipe(plain);
  }
}

function verdicts({ algorithms, ...packed }: VerdictsInput): boolean[] {
  const spkis = unpackOctets(packed.spkis);
  const messages = unpackOctets(packed.messages);
  const made = unpackOctets(packed.signatures);
  return algorithms.map((algorithm, at) => {
    const [spki, message, signature] = [spkis[at], messages[at], made[at]];
    return (
      spki !== undefined &&
      message !== undefined &&
      signature !== undefined &&
      verifySignature(algorithm, spki, message, signature)
    );
  });
}

/** The tasks by name. */
const BULK_TASKS = { sealedPairs, signatures, verdicts } as const;
export type BulkTaskName = keyof typeof BULK_TASKS;
export type BulkInput<Name extends BulkTaskName> = Parameters<(typeof BULK_TASKS)[Name]>[0];
export type BulkOutput<Name extends BulkTaskName> = ReturnType<(typeof BULK_TASKS)[Name]>;

/** The `alg` number of the sealed pairs. */
export const SEALED_PAIR_NUMBER = KEY_ALGORITHMS.SM2.blobNumber;

/** Runs a task by its name. */
export function runBulkTask<Name extends BulkTaskName>(name: Name, input: BulkInput<Name>): BulkOutput<Name> {
  const task = BULK_TASKS[name] as (input: BulkInput<Name>) => BulkOutput<Name>;
  return task(input);
}
