/**
 * The demo: the main job on real parts. Usage: npm run demo -- [--out DIR]
 * Real ceremonies, a real HTTP server on a free loopback port, real enrolments, SQLite or PostgreSQL (KMC_DB).
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { tellStory } from './demo/acts.ts';
import { Story } from './demo/story.ts';
import { findChromium } from '../test/fixtures/browser.ts';

/** What other work brings; nothing of it is faked. */
const ABSENT = [
  'trust/manifest-<n>.json: trust bundles and the root upgrade are there (kmc trust, kmc root-upgrade); the demo runs none',
];

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const out = resolve(values.out ?? mkdtempSync(join(tmpdir(), 'kmc-demo-')));
if (existsSync(out) && readdirSync(out).length > 0) {
  process.stderr.write(`demo: ${out} is not empty: name a folder that is not there yet\n`);
  process.exit(7);
}
mkdirSync(out, { recursive: true });
const home = mkdtempSync(join(tmpdir(), 'kmc-demo-home-'));
const story = new Story((line) => process.stdout.write(`${line}\n`));
process.stdout.write(`KMC demo, writing to ${out}\n`);
const start = performance.now();
try {
  await tellStory(story, { out, home });
  story.end();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
} finally {
  const pictureless = 'supervision/overview.png: there is no Chromium on this machine';
  story.write(out, findChromium() === undefined ? [...ABSENT, pictureless] : ABSENT);
  rmSync(home, { recursive: true, force: true });
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
process.stdout.write(`${story.ok ? 'every check holds' : 'A CHECK FAILED'}, ${seconds} s; the tree is in ${out}\n`);
process.exitCode = story.ok ? 0 : 2;
