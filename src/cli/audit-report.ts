/** `kmc audit report`: the life of one thing as a page, made from a history that was verified first. */
import { basename } from 'node:path';
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { readApprovalFile, verifyApprovalFile } from '../domain/approval/file.ts';
import { lifeCyclePage, type ReportedApproval } from '../domain/audit/life-cycle-report.ts';
import { KmcError } from '../errors.ts';
import { verifyHistory, type ProvenEvent } from '../verifier/verify-history.ts';
import { fetchHistory, historyOutcome } from './audit-prove.ts';
import type { CommandInput, Outcome } from './command.ts';
import { writeNewFile } from './named-file.ts';

/** The requests that the events name, each once. */
function requestsOf(events: readonly ProvenEvent[]): string[] {
  const named = events.flatMap(({ event: { det, subj, terms = [] } }) => [
    ...(typeof det['request'] === 'string' ? [det['request']] : []),
    ...[...subj, ...terms].flatMap(({ t, tag }) => (t === 'request' ? [tag] : [])),
  ]);
  return [...new Set(named)];
}

/** The approvals of a request with the verdict on them. A request that this caller may not see is told as such. */
async function checkedApproval(
  client: KmcClient,
  request: string,
  anchors: readonly Buffer[],
): Promise<ReportedApproval> {
  const nothing = { request, what: '-', approvers: [] };
  const answer = await client.send('GET', `/api/v1/requests/${encodeURIComponent(request)}/file`);
  if (answer.status !== 200) return { ...nothing, fault: errorOfAnswer(answer).message };
  const text = answer.body.toString('utf8');
  try {
    const own = readApprovalFile(text).chain.map((certificate) => Buffer.from(certificate, 'base64'));
    const verified = verifyApprovalFile(text, { anchors: anchors.length > 0 ? anchors : own });
    const { op, target } = verified.request;
    const { counted } = verified.evaluation;
    return { request, what: `${op} on ${target}`, approvers: counted, fault: undefined };
  } catch (error) {
    if (error instanceof KmcError) return { ...nothing, fault: `${error.code}: ${error.message}` };
    throw error;
  }
}

/**
 * Writes the page, and the history beside it as `<page>.history.json`. Nothing is written of a history that does not hold.
 * @param anchors certificates of the administrator CA, DER; without them those in the approval files are taken.
 * @throws KmcError as answered; E_EXISTS.
 */
export async function runAuditReport(
  client: KmcClient,
  input: CommandInput,
  { anchors, wait }: { readonly anchors: readonly Buffer[]; readonly wait: (seconds: number) => Promise<void> },
): Promise<Outcome> {
  const page = input.required('out');
  const historyFile = `${page}.history.json`;
  const history = await fetchHistory(client, input, wait);
  const report = verifyHistory(history);
  const { checkpoint } = report;
  if (report.exitCode !== 0 || checkpoint === undefined) return historyOutcome(report);
  const approvals: ReportedApproval[] = [];
  for (const request of requestsOf(report.events)) approvals.push(await checkedApproval(client, request, anchors));
  const html = lifeCyclePage({
    subject: report.key,
    events: report.events,
    approvals,
    log: report.origin,
    logKey: report.logKey,
    checkpoint,
    historyFile: basename(historyFile),
    warnings: [
      ...report.warnings,
      ...(anchors.length > 0 ? [] : ['approvals were checked with the administrator CA in their own files']),
    ],
  });
  writeNewFile(historyFile, history);
  writeNewFile(page, html);
  const faults = approvals.filter(({ fault }) => fault !== undefined).length;
  return {
    json: { page, history: historyFile, events: report.events.length, approvals: approvals.length, faults },
    text: `${page}: ${report.events.length} events, ${approvals.length} approvals (${faults} do not hold), proofs in ${historyFile}`,
  };
}
