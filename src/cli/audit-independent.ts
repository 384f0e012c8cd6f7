/** `kmc audit verify` by the stand-alone verifier: histories, and copies whose index is made anew. */
import { existsSync, writeFileSync } from 'node:fs';
import { KmcError } from '../errors.ts';
import { reportText } from '../verifier/report.ts';
import { verifyHistory } from '../verifier/verify-history.ts';
import { verifyLog, type LogOptions, type Pinned } from '../verifier/verify-log.ts';
import { isFolder, logCopy, pinnedOf } from './audit-copy.ts';
import { requireAuditFolder } from './audit-folder.ts';
import { historyOutcome } from './audit-prove.ts';
import { writeState, type AuditVerifyOptions } from './audit-verify.ts';
import type { Outcome } from './command.ts';
import { readNamedFile } from './named-file.ts';

/** Verifies a history file. @throws KmcError E_NOT_FOUND, E_USAGE. */
export function verifyHistoryFile(options: AuditVerifyOptions): Outcome {
  const json = readNamedFile(options.directory, 'history file').toString('utf8');
  return historyOutcome(verifyHistory(json, optionsOf(options)));
}

/** Verifies a copy and every index in it. @throws KmcError E_NOT_FOUND, E_USAGE. */
export function verifyCopyAndIndexes(options: AuditVerifyOptions): Outcome {
  requireAuditFolder(options.directory);
  const report = verifyLog(logCopy(options.directory), { ...optionsOf(options), rederiveIndex: true });
  if (report.fork !== undefined && options.evidenceFile !== undefined) {
    writeFileSync(options.evidenceFile, report.fork.join('\n'));
  }
  if (report.exitCode === 0 && options.stateFile !== undefined) writeState(options.stateFile, report);
  return { exitCode: report.exitCode, json: report, text: reportText(report) };
}

/** True for what is neither a folder nor missing. */
export function isHistoryFile(path: string): boolean {
  return existsSync(path) && !isFolder(path);
}

function optionsOf({ policyFile, stateFile }: AuditVerifyOptions): LogOptions {
  const pinned = stateFile === undefined || !existsSync(stateFile) ? undefined : pinnedIn(stateFile);
  return {
    ...(policyFile === undefined ? {} : { policy: readNamedFile(policyFile, 'policy file').toString('utf8') }),
    ...(pinned === undefined ? {} : { pinned }),
  };
}

function pinnedIn(stateFile: string): Pinned {
  const pinned = pinnedOf(readNamedFile(stateFile, 'state file').toString('utf8'));
  if (pinned === undefined) throw new KmcError('E_USAGE', 'The state file does not hold origin, root and size.');
  return pinned;
}
