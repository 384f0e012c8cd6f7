/**
 * `kmc-audit-verify`: the stand-alone verifier. It reads files and prints; it opens no database and no connection, and
 * stands on the folder verifier/ alone, which can be read in one sitting.
 *
 * Usage: kmc-audit-verify COPY|HISTORY [--policy FILE] [--state FILE] [--evidence FILE] [--rederive-index] [--json]
 * Exit codes: 0 all verified, 1 usage or policy, 3 cannot decide, 10 content, 11 signature, 12 fork, 13 witnesses,
 * 14 history, 15 rolled back, 16 malformed, 17 time.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isFolder, logCopy, pinnedOf } from '../cli/audit-copy.ts';
import { EXIT } from '../verifier/findings.ts';
import { reportText, type Report } from '../verifier/report.ts';
import { verifyHistory } from '../verifier/verify-history.ts';
import { verifyLog, type LogOptions } from '../verifier/verify-log.ts';

const OPTIONS = {
  policy: { type: 'string' },
  state: { type: 'string' },
  evidence: { type: 'string' },
  'rederive-index': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const USAGE =
  'usage: kmc-audit-verify COPY|HISTORY [--policy FILE] [--state FILE] [--evidence FILE] [--rederive-index] [--json]\n';

function usage(why: string): never {
  process.stderr.write(`${why}\n${USAGE}`);
  process.exit(EXIT.usage);
}

function argumentsOf(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>> {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return usage(error instanceof Error ? error.message : 'the arguments cannot be read');
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return usage(`${path} cannot be read`);
  }
}

function verify(path: string, options: LogOptions): Report {
  return isFolder(path) ? verifyLog(logCopy(path), options) : verifyHistory(textOf(path), options);
}

const { values, positionals } = argumentsOf();
if (values.help === true) {
  process.stdout.write(USAGE);
  process.exit(EXIT.ok);
}
const [path, ...more] = positionals;
if (path === undefined || more.length > 0) usage('name one copy of the log, or one history file');
const { evidence, policy, state } = values;
const pinned = state === undefined || !existsSync(state) ? undefined : pinnedOf(textOf(state));
if (state !== undefined && existsSync(state) && pinned === undefined) usage('the state file has another form');
const report = verify(path, {
  rederiveIndex: values['rederive-index'] === true,
  ...(policy === undefined ? {} : { policy: textOf(policy) }),
  ...(pinned === undefined ? {} : { pinned }),
});
if (report.fork !== undefined && evidence !== undefined) writeFileSync(evidence, report.fork.join('\n'));
if (report.exitCode === EXIT.ok && state !== undefined && report.checkpoint !== undefined && isFolder(path)) {
  const { root, size } = report.checkpoint;
  writeFileSync(`${state}.tmp`, `${JSON.stringify({ origin: report.origin, root, size: String(size) })}\n`);
  renameSync(`${state}.tmp`, state);
}
process.stdout.write(`${values.json === true ? JSON.stringify(report) : reportText(report)}\n`);
process.exitCode = report.exitCode;
