/** The run-book for a root upgrade: every command in it is one that there is, with options that it has; its plan is a plan. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Command } from '../../src/cli/command.ts';
import { commands as rootUpgrade } from '../../src/cli/root-upgrade.ts';
import { commands as trust } from '../../src/cli/trust.ts';
import { readPlanFile } from '../../src/config/root-upgrade-plan.ts';
import { shellLines, shellOf } from './shell-lines.ts';

const BOOK = readFileSync(join(import.meta.dirname, '../../scripts/README.md'), 'utf8');
const TITLE = 'Run-book for a root upgrade';
const KNOWN: readonly Command[] = [...rootUpgrade, ...trust];

describe('the run-book for a root upgrade', () => {
  it('holds a plan that is one', () => {
    const section = BOOK.slice(BOOK.indexOf(`## ${TITLE}`));
    const [, yaml = ''] = /^```yaml\n([^]*?)^```$/m.exec(section) ?? [];
    expect(readPlanFile(Buffer.from(yaml, 'utf8')).plan.id).to.equal('rsa-to-sm2');
  });

  it('names only commands, arguments and options that there are', () => {
    const lines = shellLines(shellOf(BOOK, TITLE));
    expect(lines.length).to.be.greaterThan(10);
    for (const { text: line, words } of lines) {
      const [program, noun, verb, ...rest] = words({}).filter((word) => !/^\$\(as$|^[a-z]+-1\)$/.test(word));
      expect(program, line).to.equal('kmc');
      const command = KNOWN.find((each) => each.noun === noun && each.verb === verb);
      const options = rest.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
      const values = options.filter((name) => command?.options?.[name]?.type === 'string').length;
      expect(Object.keys(command?.options ?? {}), line).to.include.members(options);
      const required = Object.entries(command?.options ?? {}).filter(([, { required: is }]) => is === true);
      expect(options, line).to.include.members(required.map(([name]) => name));
      expect(rest.length - options.length - values, line).to.equal(command?.positionals?.length ?? 0);
    }
  });
});
