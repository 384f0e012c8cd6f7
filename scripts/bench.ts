/**
 * The benchmarks of CONTRACT section 7. Usage: npm run bench -- [--json FILE] [--quick] [--only NAME,NAME]
 * Absolute figures belong to the machine; the ratios to peers measured in the same run are what carries over.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { approvalBenchmarks } from './bench/approvals.ts';
import { auditHistoryBenchmarks } from './bench/audit-history.ts';
import { auditBenchmarks } from './bench/audit-log.ts';
import { caKmcBenchmarks } from './bench/ca-kmc.ts';
import { certificateBenchmarks } from './bench/certificates.ts';
import { crlBenchmarks } from './bench/crl.ts';
import { closePlaces } from './bench/database-place.ts';
import { dataBenchmarks } from './bench/data.ts';
import { enrolmentBenchmarks } from './bench/enrolment.ts';
import { estBenchmarks } from './bench/est.ts';
import { machine, type Benchmark, type Measurement } from './bench/harness.ts';
import { poolBenchmarks } from './bench/pools.ts';
import { ocspBenchmarks } from './bench/ocsp.ts';
import { closePrograms } from './bench/programs.ts';
import { rootUpgradeBenchmarks } from './bench/root-upgrade.ts';
import { sm2Benchmarks } from './bench/sm2.ts';
import { startBenchmarks } from './bench/start.ts';
import { supervisionBenchmarks } from './bench/supervision.ts';

const USAGE = 'usage: npm run bench -- [--json FILE] [--quick] [--only NAME,NAME]\n';

/** Ends the process with 1 for an unknown option, with 0 after the help. */
function readOptions() {
  const options = {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (!values.help) return values;
    process.stdout.write(USAGE);
    return process.exit(0);
  } catch {
    process.stderr.write(USAGE);
    return process.exit(1);
  }
}

const values = readOptions();

const ALL: readonly Benchmark[] = [
  ...sm2Benchmarks,
  ...certificateBenchmarks,
  ...crlBenchmarks,
  ...ocspBenchmarks,
  ...enrolmentBenchmarks,
  ...poolBenchmarks,
  ...estBenchmarks,
  ...caKmcBenchmarks,
  ...dataBenchmarks,
  ...approvalBenchmarks,
  ...auditBenchmarks,
  ...auditHistoryBenchmarks,
  ...supervisionBenchmarks,
  ...rootUpgradeBenchmarks,
  ...startBenchmarks,
];
const wanted = values.only?.split(',');
const unknown = wanted?.filter((name) => !ALL.some((benchmark) => benchmark.name === name));
if (unknown !== undefined && unknown.length > 0) {
  process.stderr.write(`bench: there is no benchmark ${unknown.join(', ')}\n`);
  process.exit(1);
}

function isWanted(name: string): boolean {
  return wanted === undefined || wanted.includes(name);
}

/** Extra figures of one benchmark, such as `cores`. */
const MEMBERS: ReadonlySet<string> = new Set(['value', 'unit', 'n', 'median', 'min', 'max', 'peers', 'ratios']);

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function line(name: string, m: Measurement): string {
  const ratios = Object.entries(m.ratios).map(([peer, ratio]) => `${ratio.toPrecision(3)} x ${peer}`);
  const extras = Object.entries(m).filter(([member]) => !MEMBERS.has(member));
  const notes = [...ratios, ...extras.map(([member, value]) => `${member} ${figure(Number(value))}`)];
  return `${name.padEnd(18)} ${figure(m.value).padStart(10)} ${m.unit}${notes.length > 0 ? `   (${notes.join(', ')})` : ''}`;
}

const results: Record<string, Measurement> = {};
try {
  for (const benchmark of ALL.filter(({ name }) => isWanted(name))) {
    process.stdout.write(`${benchmark.name}: ${benchmark.what}\n`);
    const measurement = await benchmark.run({ quick: values.quick }).catch((error: unknown) => {
      // The others are measured all the same.
      process.stdout.write(`${benchmark.name.padEnd(18)} failed: ${String(error)}\n`);
      process.exitCode = 1;
      return 'failed' as const;
    });
    if (measurement === 'failed') continue;
    if (measurement === undefined) {
      process.stdout.write(`${benchmark.name.padEnd(18)} left out: there is no PostgreSQL server program here\n`);
      continue;
    }
    results[benchmark.name] = measurement;
    process.stdout.write(`${line(benchmark.name, measurement)}\n`);
  }
} finally {
  closePrograms();
  await closePlaces();
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ machine: machine(), results }, null, 2)}\n`);
}
