/**
 * Whether an RSA public key of a stranger may be certified: exponent, size, and the marks of keys that are known to be
 * weak (small factors, a prime modulus, primes close together, the ROCA fingerprint CVE-2017-15361).
 */
import { checkPrimeSync } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { toBigInt } from '../bytes.ts';
import { bitLength, RSA_PUBLIC_EXPONENT } from './rsa.ts';
import type { RsaPublicKey } from './rsa.ts';

export interface RsaSizes {
  readonly smallestBits: number;
  readonly largestBits: number;
}

const DEFAULT_SIZES: RsaSizes = { smallestBits: 2048, largestBits: 4096 };
const FERMAT_ROUNDS = 110;
const TRIAL_DIVISION_LIMIT = 752;
const ROCA_LIMIT = 167;

function primesUpTo(limit: number): number[] {
  const primes: number[] = [];
  for (let candidate = 2; candidate <= limit; candidate += 1) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes;
}

const SMALL_PRIMES = primesUpTo(TRIAL_DIVISION_LIMIT);

/** The residues 65537^i modulo a prime: the only ones that primes of the ROCA form leave. */
function powersOf65537(prime: number): ReadonlySet<number> {
  const residues = new Set<number>();
  for (let residue = 1; !residues.has(residue); residue = (residue * (RSA_PUBLIC_EXPONENT % prime)) % prime) {
    residues.add(residue);
  }
  return residues;
}

const ROCA_RESIDUES = SMALL_PRIMES.filter((prime) => prime > 2 && prime <= ROCA_LIMIT).map((prime) => ({
  prime: BigInt(prime),
  residues: powersOf65537(prime),
}));

function squareRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** A factor pair closer than Fermat's method finds in a few rounds. */
function hasClosePrimes(n: bigint): boolean {
  let middle = squareRoot(n);
  if (middle * middle < n) middle += 1n;
  for (let round = 0; round < FERMAT_ROUNDS; round += 1, middle += 1n) {
    const difference = middle * middle - n;
    const root = squareRoot(difference);
    if (root * root === difference) return true;
  }
  return false;
}

interface GoodKeyRule {
  readonly fault: string;
  breaks(key: RsaPublicKey, n: bigint, sizes: RsaSizes): boolean;
}

// In this order: a rule may rely on what those above it exclude.
const GOOD_KEY_RULES: readonly GoodKeyRule[] = [
  { fault: 'its exponent is not 65537', breaks: ({ e }) => toBigInt(e) !== BigInt(RSA_PUBLIC_EXPONENT) },
  {
    fault: 'its size is not allowed',
    breaks: (key, _n, sizes) => bitLength(key.n) < sizes.smallestBits || bitLength(key.n) > sizes.largestBits,
  },
  {
    fault: 'its modulus has a small factor',
    breaks: (_key, n) => SMALL_PRIMES.some((prime) => n % BigInt(prime) === 0n),
  },
  {
    fault: 'it has the fingerprint of a faulty generator (ROCA)',
    breaks: (_key, n) => ROCA_RESIDUES.every(({ prime, residues }) => residues.has(Number(n % prime))),
  },
  { fault: 'its prime factors are too close together', breaks: (_key, n) => hasClosePrimes(n) },
  { fault: 'its modulus is a prime number', breaks: (_key, n) => checkPrimeSync(n) },
];

/**
 * Throws `E_KEY_BLOCKED` saying which rule the key breaks; sizes are 2048 to 4096 bits unless policy says otherwise.
 */
export function assertGoodRsaKey(key: RsaPublicKey, sizes: RsaSizes = DEFAULT_SIZES): void {
  const n = toBigInt(key.n);
  const broken = GOOD_KEY_RULES.find((rule) => rule.breaks(key, n, sizes));
  if (broken !== undefined) {
    throw new KmcError('E_KEY_BLOCKED', `The RSA key may not be certified: ${broken.fault}. Make another key.`);
  }
}
