/**
 * The benchmarks of CONTRACT section 7. Usage: npm run bench -- [--json FILE] [--quick] [--only NAME,NAME]
 * Absolute figures belong to the machine; the ratios to peers measured in the same run are what carries over.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { closePlaces } from './bench/database-place.ts';
import { enrolmentBenchmarks } from './bench/enrolment.ts';
import { machine, type Benchmark, type Measurement } from './bench/harness.ts';
import { sm2Benchmarks } from './bench/sm2.ts';

const { values } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean', default: false }, only: { type: 'string' } },
});

const ALL: readonly Benchmark[] = [...sm2Benchmarks, ...enrolmentBenchmarks];

function line(name: string, m: Measurement): string {
  const figure = m.value >= 100 ? m.value.toFixed(0) : m.value.toPrecision(3);
  const ratios = Object.entries(m.ratios).map(([peer, ratio]) => `${ratio.toPrecision(3)} x ${peer}`);
  return `${name.padEnd(18)} ${figure.padStart(10)} ${m.unit}${ratios.length > 0 ? `   (${ratios.join(', ')})` : ''}`;
}

const wanted = values.only?.split(',');
const results: Record<string, Measurement> = {};
for (const benchmark of ALL) {
  if (wanted !== undefined && !wanted.includes(benchmark.name)) continue;
  process.stdout.write(`${benchmark.name}: ${benchmark.what}\n`);
  const measurement = await benchmark.run({ quick: values.quick });
  if (measurement === undefined) {
    process.stdout.write(`${benchmark.name.padEnd(18)} left out: a program that it needs is not on this machine\n`);
    continue;
  }
  results[benchmark.name] = measurement;
  process.stdout.write(`${line(benchmark.name, measurement)}\n`);
}
await closePlaces();
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ machine: machine(), results }, null, 2)}\n`);
}
