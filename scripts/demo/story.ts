/** The demo as a story: named steps with checks and counts, told on the terminal and kept as report.json and report.md. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Counts = Readonly<Record<string, number | string | boolean>>;

interface Step {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly counts: Counts;
  readonly error?: string;
}

/** Collects the counts and checks of one step. */
export class StepLog {
  readonly counts: Record<string, number | string | boolean> = {};

  count(name: string, value: number | string | boolean): void {
    this.counts[name] = value;
  }

  /** Ends the demo when what it says does not hold. */
  check(holds: boolean, what: string): void {
    const checks = this.counts['checks'];
    this.counts['checks'] = (typeof checks === 'number' ? checks : 0) + 1;
    if (!holds) throw new Error(`does not hold: ${what}`);
  }
}

export class Story {
  readonly #steps: Step[] = [];
  #ended = false;
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** It was told to its end: a fault between two steps ends it as well. */
  end(): void {
    this.#ended = true;
  }

  get ok(): boolean {
    return this.#ended && this.#steps.every((step) => step.ok);
  }

  /** Runs a step. A step that fails ends the story: what follows would stand on nothing. */
  async step<T>(name: string, work: (log: StepLog) => Promise<T>): Promise<T> {
    const start = performance.now();
    const log = new StepLog();
    try {
      const result = await work(log);
      this.#record({ name, ok: true, seconds: secondsSince(start), counts: log.counts });
      return result;
    } catch (error) {
      const message = error instanceof Error ? error.message : 'unknown';
      this.#record({ name, ok: false, seconds: secondsSince(start), counts: log.counts, error: message });
      throw error;
    }
  }

  /** Writes report.json and report.md. `absent` names what later work brings. */
  write(folder: string, absent: readonly string[]): void {
    const report = { ok: this.ok, steps: this.#steps, absent };
    writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
    writeFileSync(join(folder, 'report.md'), this.#markdown(absent));
  }

  #record(step: Step): void {
    this.#steps.push(step);
    const counts = Object.entries(step.counts)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    this.#say(
      `${step.ok ? 'ok  ' : 'FAIL'} ${step.seconds.toFixed(1).padStart(5)} s  ${step.name}${counts === '' ? '' : ` (${counts})`}`,
    );
  }

  #markdown(absent: readonly string[]): string {
    const rows = this.#steps.map(({ name, ok, seconds, counts }) => {
      const cells = Object.entries(counts)
        .map(([key, value]) => `${key} ${value}`)
        .join(', ');
      return `| ${name} | ${ok ? 'ok' : 'FAILED'} | ${seconds.toFixed(1)} | ${cells} |`;
    });
    return [
      '# Demo',
      '',
      '| step | result | seconds | counts |',
      '|---|---|---|---|',
      ...rows,
      '',
      'Not in this tree yet:',
      '',
      ...absent.map((item) => `- ${item}`),
      '',
    ].join('\n');
  }
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000;
}
