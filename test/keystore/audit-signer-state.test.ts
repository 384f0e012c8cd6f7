import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { SignerState } from '../../src/flows/ports/audit.ts';
import { createAuditSignerState } from '../../src/keystore/audit-signer-state.ts';
import { refusal } from '../store/race.ts';
import { scratchDirectory } from './scratch.ts';

const scratch = scratchDirectory();
const folder = (): string => join(scratch(), 'signer');

function stateOf(size: number): SignerState {
  return {
    origin: 'kmc.example.org/audit/2026',
    size,
    nodes: [Buffer.alloc(32, size % 256)],
    time: 1_700_000_000 + size,
    note: `note ${size}\n`,
  };
}

describe('the memory of the checkpoint signer', () => {
  it('is empty at first and gives back what was put in', async () => {
    const memory = createAuditSignerState(folder());
    expect(await memory.load()).to.equal(undefined);
    await memory.replace(undefined, stateOf(1));
    expect(await createAuditSignerState(folder()).load()).to.deep.equal(stateOf(1));
    await memory.replace(stateOf(1), stateOf(2));
    expect(await memory.load()).to.deep.equal(stateOf(2));
    expect(readdirSync(folder())).to.have.length(1);
  });

  it('is replaced only by who knows what stands there', async () => {
    const memory = createAuditSignerState(folder());
    await memory.replace(undefined, stateOf(1));
    expect((await refusal('E_AUDIT', memory.replace(undefined, stateOf(2)))).fatal).to.equal(true);
    await refusal('E_AUDIT', memory.replace(stateOf(3), stateOf(4)));
    expect(await memory.load()).to.deep.equal(stateOf(1));
  });

  it('a slow signer that uses a number again loses', async () => {
    const memory = createAuditSignerState(folder());
    await memory.replace(undefined, stateOf(1));
    writeFileSync(join(folder(), 'signer-000000000000003.json'), '{}', { mode: 0o600 });
    await refusal('E_AUDIT', memory.replace(stateOf(1), stateOf(2)));
  });

  it('a damaged memory is refused, not guessed', async () => {
    const memory = createAuditSignerState(folder());
    for (const content of ['', '{}', '{"note":"x"}', 'null', '[1]']) {
      writeFileSync(join(folder(), 'signer-000000000000001.json'), content, { mode: 0o600 });
      expect((await refusal('E_AUDIT', memory.load())).fatal).to.equal(true);
    }
  });

  it('a memory that others may read or write is refused', async () => {
    const memory = createAuditSignerState(folder());
    await memory.replace(undefined, stateOf(1));
    chmodSync(join(folder(), readdirSync(folder())[0]!), 0o644);
    await refusal('E_INTEGRITY', memory.load());
  });

  it('survives kill -9 at any moment: the last state that was confirmed, or the one after it', async function kill() {
    this.timeout(60_000);
    for (let round = 0; round < 3; round += 1) {
      const program = spawn(
        process.execPath,
        ['--import', 'tsx', join(import.meta.dirname, 'endless-signer.ts'), folder()],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = '';
      program.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      await once(program.stdout, 'data');
      await delay(10 + round * 13);
      program.kill('SIGKILL');
      await once(program, 'close');
      const confirmed = Number(said.split('\n').at(-2));
      const state = await createAuditSignerState(folder()).load();
      expect(state!.size).to.be.within(confirmed, confirmed + 1);
      expect(state).to.deep.equal(stateOf(state!.size));
    }
  });
});
