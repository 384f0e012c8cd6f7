import type { CryptoEngine, ShareHandle, ShareSetPublic } from '../../crypto/engine.ts';
import { randomBytes } from '../../crypto/random.ts';
import { KmcError } from '../../errors.ts';

/** Up to this many groups of k holders, each of them is tried. */
const MOST_GROUPS = 1000;
/** Above, this many at random, besides enough to try each share. */
const SAMPLE = 20;

/**
 * Combines every group of k shares that can meet, or where those are too many a random sample with every share in it, and
 * compares what comes out (security-and-faults C18): a set that does not open is found before anybody relies on it.
 * @param checkValue key check value of the secret under the id of the set.
 * @returns how many groups were tried.
 * @throws KmcError E_INTEGRITY naming the shares that do not make the key.
 */
export async function checkShareSubsets(
  engine: CryptoEngine,
  shares: readonly ShareHandle[],
  set: ShareSetPublic,
  checkValue: Buffer,
): Promise<number> {
  const all = subsetCount(shares.length, set.threshold) <= MOST_GROUPS;
  const groups = all ? everySubset(shares, set.threshold) : sampledSubsets(shares, set.threshold);
  for (const group of groups) {
    const secret = await engine.combineShares(group, set);
    try {
      if ((await engine.keyCheckValue(secret, set.setId)).equals(checkValue)) continue;
    } finally {
      engine.destroySecret(secret);
    }
    const indices = group.map((share) => share.index).join(', ');
    throw new KmcError(
      'E_INTEGRITY',
      `The shares ${indices} do not make the key. Nothing was handed out; begin again.`,
    );
  }
  return groups.length;
}

function subsetCount(n: number, k: number): number {
  let count = 1;
  for (let at = 1; at <= k; at += 1) count = (count * (n - k + at)) / at;
  return Math.round(count);
}

function everySubset<T>(members: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return members.flatMap((member, at) => everySubset(members.slice(at + 1), size - 1).map((rest) => [member, ...rest]));
}

/** Runs of a shuffled list cover every share; the rest is drawn. */
function sampledSubsets<T>(members: readonly T[], size: number): T[][] {
  const shuffled = shuffle(members);
  const runs = Array.from({ length: Math.ceil(members.length / size) }, (_, run) =>
    Array.from({ length: size }, (_member, at) => shuffled[(run * size + at) % members.length] as T),
  );
  const drawn = Array.from({ length: SAMPLE }, () => shuffle(members).slice(0, size));
  return [...runs, ...drawn];
}

function shuffle<T>(members: readonly T[]): T[] {
  return members
    .map((member) => ({ member, order: randomBytes(16).toString('hex') }))
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ member }) => member);
}
