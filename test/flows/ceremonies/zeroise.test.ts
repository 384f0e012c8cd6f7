/** What a ceremony leaves behind (C19): its bundle and its keystores, no other file, and no share in memory. */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { secretBuffer, wipe } from '../../../src/crypto/bytes.ts';
import { SHARE_VALUE_BYTES } from '../../../src/crypto/shamir.ts';
import { decodeShareText } from '../../../src/crypto/share-text.ts';
import { printShare } from '../../../src/flows/keystore/paper-share.ts';
import { collectGarbage, copiesInMemory, mask } from '../../crypto/process-memory.ts';
import { Workshop } from './workshop.ts';

describe('what a ceremony leaves behind', function zeroiseTests() {
  this.timeout(120_000);
  let workshop: Workshop;
  let first: string[];

  const filesOf = (): string[] =>
    readdirSync(workshop.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(workshop.root, join(entry.parentPath, entry.name)));

  before(async () => {
    workshop = await Workshop.open();
    first = filesOf();
    await workshop.hold('kmc-init');
  });
  after(() => workshop.close());

  it('every new file is of the bundle, of a keystore or of the database', () => {
    const known = new Set(first);
    const made = filesOf().filter((name) => !known.has(name));
    expect(made.some((name) => name.startsWith('ceremonies/kmc-init/outputs/shares/'))).to.equal(true);
    const elsewhere = made.filter(
      (name) => !/^(?:ceremonies\/kmc-init|home\/(?:service|ceremony|keystore))\//.test(name),
    );
    expect(elsewhere.filter((name) => !/^home\/kmc\.sqlite(?:-wal|-shm)?$/.test(name))).to.deep.equal([]);
  });

  it('no share stands in the memory of the process that made, sealed, gave back and printed it', async function () {
    if (!existsSync('/proc/self/mem')) this.skip();
    const { engine } = workshop.instance;
    const masked: Buffer[] = [];
    for (const { key, shares } of workshop.people.values()) {
      for (const share of Object.values(shares)) {
        const text = await printShare(engine, key, share);
        const { value } = decodeShareText(text);
        masked.push(mask(value));
        wipe(text, value);
      }
    }
    expect(masked.length).to.equal(10);
    // The search finds what is there.
    const shown = secretBuffer(SHARE_VALUE_BYTES);
    for (const [at, octet] of (masked[0] ?? Buffer.alloc(0)).entries()) shown[at] = octet ^ 0xa5;
    expect(copiesInMemory(masked.slice(0, 1))[0]).to.be.greaterThan(0);
    wipe(shown);
    collectGarbage();
    expect(copiesInMemory(masked)).to.deep.equal(masked.map(() => 0));
  });
});
