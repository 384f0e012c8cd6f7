import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';

const KMC = join(import.meta.dirname, '../../scripts/kmc');

function kmc(...args: string[]) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(KMC, args, { encoding: 'utf8', cwd: '/' });
  return { status, stdout, stderr, seconds: (performance.now() - began) / 1000 };
}

describe('scripts/kmc', function program() {
  this.timeout(120_000);
  before(() => {
    // Builds when that is due.
    expect(kmc('--help').status).to.equal(0);
  });

  it('shows its help at once, from any folder', () => {
    const best = Math.min(...[1, 2, 3, 4, 5].map(() => kmc('--help').seconds));
    expect(best).to.be.lessThan(1.5);
  });

  it('prints one JSON value on standard output and ends with the exit code', () => {
    const { status, stdout, stderr } = kmc('cert', 'show', '/no/such/file', '--json');
    expect(status).to.equal(5);
    expect(JSON.parse(stdout)).to.include({ ok: false, code: 'E_NOT_FOUND' });
    expect(stderr).to.contain('E_NOT_FOUND');
  });

  it('ends wrong use with exit code 1', () => {
    expect(kmc('no-such-noun')).to.include({ status: 1, stdout: '' });
  });
});
