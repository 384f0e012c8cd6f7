import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));

/** What no source may hold, each with a fault that the pattern must find. */
const BANNED: readonly { readonly what: string; readonly pattern: RegExp; readonly seeded: string }[] = [
  {
    what: 'one-shot sign or verify of node:crypto, which signs SM2 under an empty ID',
    pattern: /import\s*\{[^}]*\b(?:sign|verify)\b[^}]*\}\s*from 'node:crypto'/,
    seeded: "import { createHash, sign } from 'node:crypto';",
  },
  {
    what: 'node:crypto as a whole, behind which the one-shot calls hide',
    pattern: /import\s+(?:\*\s+as\s+)?\w+\s+from 'node:crypto'/,
    seeded: "import * as crypto from 'node:crypto';",
  },
  {
    what: 'an EC key object straight from its generator, which is not an SM2 key to OpenSSL',
    pattern: /generateKeyPair(?:Sync|Async)?\(\s*'ec'/,
    seeded: "generateKeyPairSync('ec', { namedCurve: 'SM2' })",
  },
  { what: 'sm-crypto', pattern: /from 'sm-crypto/, seeded: "import { sm2 } from 'sm-crypto';" },
];

describe('banned calls', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

  for (const { what, pattern, seeded } of BANNED) {
    it(`no source holds ${what}`, () => {
      expect(seeded).to.match(pattern);
      expect(files.length).to.be.greaterThan(30);
      const found = files.filter((name) => pattern.test(readFileSync(join(SOURCE, name), 'utf8')));
      expect(found).to.deep.equal([]);
    });
  }
});
