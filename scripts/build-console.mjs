/** Builds the console: its TypeScript, with the stand-alone verifier, into one script; page and style as they are. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

export const CONSOLE_SOURCES = ['src/console', 'src/verifier', 'src/crypto/gm'];

/** @param out the folder that the files go to; it is made. */
export async function buildConsole(root, out) {
  // Loaded here: whoever runs a task for the first time has no packages yet.
  const { build, stop } = await import('esbuild');
  mkdirSync(out, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ['src/console/app.ts'],
    outfile: join(out, 'app.js'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    tsconfig: 'src/console/tsconfig.json',
    logLevel: 'warning',
  });
  // Its process would otherwise live as long as the service that is started after the build.
  await stop();
  for (const file of ['index.html', 'style.css']) copyFileSync(join(root, 'src/console', file), join(out, file));
}
