import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

const POLICIES = join(import.meta.dirname, '../../policies');

describe('kmc policy', () => {
  const files = new ScratchFiles();
  after(() => files.remove());

  /** A copy of the policies with one text replaced; its line number. */
  function altered(name: string, file: string, from: string, to: string): { folder: string; line: number } {
    const folder = files.path(name);
    cpSync(POLICIES, folder, { recursive: true });
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text).to.contain(from);
    writeFileSync(join(folder, file), text.replace(from, to));
    return { folder, line: text.slice(0, text.indexOf(from)).split('\n').length };
  }

  const findingsOf = (value: Record<string, unknown>) => value['findings'] as Record<string, unknown>[];

  it('finds no error in the policies of the repository', async () => {
    const { code, json } = await runKmc(['policy', 'lint', POLICIES, '--json']);
    expect(json()['ok']).to.equal(true);
    expect(findingsOf(json()).filter(({ severity }) => severity === 'error')).to.deep.equal([]);
    expect(code).to.equal(0);
  });

  it('ends with exit code 4 and names file, line and rule', async () => {
    const { folder, line } = altered('low', 'quorums.yaml', '    approvals: 3', '    approvals: 1');
    const { code, json } = await runKmc(['policy', 'lint', folder, '--production', '--json']);
    expect(code).to.equal(4);
    const finding = findingsOf(json()).find(({ file }) => file === 'quorums.yaml');
    expect(finding).to.include.keys('file', 'line', 'rule', 'message', 'severity');
    expect(finding?.['line']).to.be.closeTo(line, 1);
    expect((await runKmc(['policy', 'lint', folder, '--production'])).out).to.contain('quorums.yaml');
  });

  it('ends with exit code 4 for a file that is no YAML', async () => {
    const { folder } = altered('broken', 'quorums.yaml', 'classes:', 'classes: [');
    expect((await runKmc(['policy', 'lint', folder])).code).to.equal(4);
  });

  it('shows digest and figures', async () => {
    const { code, json } = await runKmc(['policy', 'show', POLICIES, '--json']);
    expect(code).to.equal(0);
    expect(json()['digest']).to.match(/^sm3:[0-9a-f]{64}$/);
  });
});
