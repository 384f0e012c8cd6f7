import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import { askSecret, type SecretInput } from '../../src/cli/ask-secret.ts';
import { refusal } from '../crypto/refusal.ts';

class Terminal extends EventEmitter implements SecretInput {
  raw = false;
  paused = true;
  setRawMode(raw: boolean): void {
    this.raw = raw;
  }
  resume(): void {
    this.paused = false;
  }
  pause(): void {
    this.paused = true;
  }
}

describe('askSecret', () => {
  const ask = async (chunks: readonly (string | Buffer)[], isTerminal = true) => {
    const terminal = new Terminal();
    const printed: string[] = [];
    const io = { out: (text: string) => printed.push(text), err: (text: string) => printed.push(text), isTerminal };
    const asked = askSecret('Passphrase', io, terminal);
    const typed = chunks.map((chunk) => Buffer.from(chunk));
    for (const chunk of typed) terminal.emit('data', chunk);
    try {
      return { secret: await asked, typed, printed };
    } finally {
      expect([terminal.raw, terminal.paused, terminal.listenerCount('data')]).to.deep.equal([false, true, 0]);
    }
  };

  it('gives the octets that were typed, and prints none of them', async () => {
    const { secret, printed } = await ask(['corr', 'ect hörse', '\r']);
    expect(secret.toString('utf8')).to.equal('correct hörse');
    expect(printed).to.deep.equal(['Passphrase:']);
  });

  it('takes whole characters away with the erase key', async () => {
    expect((await ask(['ab密\x7f\x7fc\x7f\x7f\x7f\x7fz\n'])).secret.toString('utf8')).to.equal('z');
  });

  it('refuses without a terminal, when it is broken off, and above 1,024 octets', async () => {
    await refusal('E_USAGE', () => ask([], false));
    await refusal('E_USAGE', () => ask(['abc\x03']));
    await refusal('E_USAGE', () => ask([Buffer.alloc(1025, 0x61)]));
  });
});
