/**
 * `npm run crash:ceremonies [-- --sample N] [CEREMONY...]`: kills each ceremony at every durable change (or at N of them)
 * and prints how many points there are and how many violations. Ends with 4 when there is one.
 */
import { CEREMONIES, CeremonyEnumeration, spread } from './enumeration.ts';

const args = process.argv.slice(2);
const at = args.indexOf('--sample');
const sample = at === -1 ? undefined : spread(Number(args.splice(at, 2)[1]));
const enumeration = new CeremonyEnumeration();
try {
  const found = await enumeration.run(args.length === 0 ? CEREMONIES : args, sample, (done) => {
    const { ceremony, points, cuts, violations } = done;
    process.stdout.write(`${ceremony}: ${points} points, ${cuts} cut, ${violations.length} violations\n`);
    for (const violation of violations) process.stdout.write(`  ${violation}\n`);
  });
  const sum = (count: (one: (typeof found)[number]) => number) => found.reduce((total, one) => total + count(one), 0);
  const violations = sum((one) => one.violations.length);
  process.stdout.write(`${sum((one) => one.points)} points, ${sum((one) => one.cuts)} cut, ${violations} violations\n`);
  process.exitCode = violations === 0 ? 0 : 4;
} finally {
  enumeration.remove();
}
