import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';
import { servedCommands } from './served-commands.ts';

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

forEachDatabase('kmc policy, against the policy in force', (fixture) => {
  const test = testInstance(fixture);
  const kmc = servedCommands(test);

  /** Policy files that ask for less in class L3, with another version. */
  function loweredFiles(): string {
    const folder = kmc().files.path('policies');
    cpSync(POLICIES, folder, { recursive: true });
    const file = join(folder, 'quorums.yaml');
    const text = readFileSync(file, 'utf8')
      .replace('version: "1"', 'version: "2"')
      .replace('cool-down: 1h', 'cool-down: 0s');
    writeFileSync(file, text);
    return folder;
  }

  it('shows a lowering as one, proposes it with what it changes, and shows approvers the same', async () => {
    const { caOwner, securityOne } = test().people;
    expect((await kmc().run(caOwner, 'policy', 'diff', POLICIES)).out).to.contain('no rule changes');
    const folder = loweredFiles();
    const LOWERED = 'LOWERED quorums.L3.coolDownSeconds: 3600 -> 0';
    const shown = await kmc().run(caOwner, 'policy', 'diff', folder);
    expect(shown.out, shown.err).to.contain(LOWERED).and.to.contain('2 rules change, 1 of them protect less');
    const offline = await runKmc(['policy', 'diff', folder, '--from', POLICIES, '--json']);
    expect(offline.json()['changes']).to.deep.equal((await kmc().json(caOwner, 'policy', 'diff', folder))['changes']);
    const proposed = await kmc().json(securityOne, 'policy', 'propose', folder, '--reason', 'in a hurry');
    const id = String(proposed['id']);
    expect((await kmc().run(caOwner, 'approval', 'show', id)).out).to.contain(LOWERED);
    const { digest } = (await runKmc(['policy', 'show', folder, '--json'])).json();
    const { request } = await kmc().json(caOwner, 'request', 'show', id);
    expect((request as { params: { digest: string } }).params.digest).to.equal(digest);
  });
});
