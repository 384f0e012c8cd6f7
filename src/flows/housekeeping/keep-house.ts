import type { SystemCaller } from '../../domain/caller.ts';
import type { ActionHandlers } from '../approvals/action-handler.ts';
import { expireRequests } from '../approvals/expire-requests.ts';
import { reconcileExecutions } from '../approvals/reconcile-executions.ts';
import { supersedeRequests } from '../approvals/supersede-requests.ts';
import { keepIndex } from '../audit/histories/keep-index.ts';
import { writeRefusalCounts } from '../audit/refusals/write-refusal-counts.ts';
import type { RefusalTally } from '../../domain/audit/refusals.ts';
import type { KeyUseTally } from '../../domain/key-use-tally.ts';
import { endBreakGlass } from '../break-glass/end-break-glass.ts';
import { publishDueCrls } from '../certificates/publish-due-crls.ts';
import { closeLostUses } from '../data/close-lost-uses.ts';
import { writeUseCounts } from '../data/write-use-counts.ts';
import { expireEnrolments } from '../enrolments/expire-enrolments.ts';
import { remind } from '../expiry/remind.ts';
import { workReissues } from '../fleet/work-reissues.ts';
import type { Instance } from '../instance.ts';
import { rewrapKeys } from '../keystore/rewrap-keys.ts';
import { rotateDueKeks } from '../keystore/rotate-due-keks.ts';
import { destroyDueKeys } from '../keys/destroy-due-keys.ts';
import { expireKeys } from '../keys/expire-keys.ts';
import { scanEscrowedKeys } from '../keys/scan-escrowed-keys.ts';
import type { KeyUseBlock } from '../ports/key-uses.ts';
import { KmcError } from '../../errors.ts';
import { advanceFigures } from '../supervision/advance-figures.ts';
import { presignAnswers } from '../ocsp/presign-answers.ts';
import { renewResponders } from '../ocsp/renew-responders.ts';
import { takeOverRegistrationAuthorities } from '../registration-authorities/take-over-registration-authorities.ts';
import { pauseFailing } from '../root-upgrade/pause-failing.ts';
import { upgradePorts } from '../root-upgrade/upgrade-ports.ts';
import { renewVerdictKey } from '../verdicts/verdict-key.ts';

/** Rows that one round forgets at the most. */
const PURGE_LIMIT = 5_000;

/** Batches that one round seals anew. */
const REWRAP_BATCHES = 20;

/** Batches of events that one round books. */
const FIGURE_BATCHES = 200;

/** Seconds after which an execution that has not ended counts as left open by a crash. */
const RECONCILE_AFTER = 300;

export interface HousekeepingPorts extends Instance {
  readonly tally: RefusalTally;
  readonly uses: KeyUseTally<KeyUseBlock>;
  readonly handlers: ActionHandlers;
}

type Job = (ports: HousekeepingPorts, caller: SystemCaller, now: Date) => Promise<unknown>;

/** What has to be done again and again, whatever the keystore's state. */
const ALWAYS: Readonly<Record<string, Job>> = {
  'write-refusal-counts': (ports) => writeRefusalCounts(ports),
  'purge-nonces': (ports, _caller, now) => ports.database.transaction((tx) => tx.nonces.purge(now, PURGE_LIMIT)),
  'purge-answers': (ports, _caller, now) => ports.database.transaction((tx) => tx.idempotency.purge(now, PURGE_LIMIT)),
  'purge-console-sessions': (ports, _caller, now) =>
    ports.database.transaction((tx) => tx.consoleSessions.purge(now, PURGE_LIMIT)),
  'purge-challenges': (ports, _caller, now) =>
    ports.database.transaction((tx) => tx.peerChallenges.purge(now, PURGE_LIMIT)),
  'purge-canaries': (ports, _caller, now) =>
    ports.database.transaction((tx) => tx.deviceReports.purgeCanaries(now, PURGE_LIMIT)),
  'erase-tokens': (ports, _caller, now) => ports.database.transaction((tx) => tx.enrolmentTokens.eraseDue(now)),
  'erase-ca-answers': (ports, _caller, now) => ports.database.transaction((tx) => tx.caKmcExchanges.eraseDue(now)),
  'book-figures': (ports) => advanceFigures(ports, FIGURE_BATCHES),
  'erase-envelopes': (ports, _caller, now) => ports.database.transaction((tx) => tx.enrolments.eraseDue(now)),
};

/** What needs keys. */
const WHILE_UNSEALED: Readonly<Record<string, Job>> = {
  'write-use-counts': (ports) => writeUseCounts(ports),
  'close-lost-uses': (ports, caller) => closeLostUses(ports, caller),
  'expire-requests': (ports, caller) => expireRequests(ports, { source: { node: ports.node } }, caller),
  'end-break-glass': (ports, caller) => endBreakGlass(ports, caller),
  'supersede-requests': (ports, caller) => supersedeRequests(ports, { source: { node: ports.node } }, caller),
  'reconcile-executions': (ports, caller) =>
    reconcileExecutions(ports, { afterSeconds: RECONCILE_AFTER, source: { node: ports.node } }, caller),
  'take-over-authorities': (ports, caller) => takeOverRegistrationAuthorities(ports, caller),
  'expire-enrolments': (ports, caller) => expireEnrolments(ports, caller),
  'keep-audit-index': (ports, caller) => keepIndex(ports, caller),
  'reissue-pairs': (ports) => workReissues(ports),
  'pause-failing-upgrades': (ports, caller) => pauseFailing(upgradePorts(ports), caller),
  'publish-crls': (ports, caller) => publishDueCrls(ports, caller),
  'rotate-keks': (ports, caller) => rotateDueKeks(ports, caller),
  'rewrap-keys': (ports, caller) => rewrapAll(ports, caller),
  'expire-keys': (ports, caller) => expireKeys(ports, caller),
  'destroy-keys': (ports, caller) => destroyDueKeys(ports, caller),
  'scan-escrow': scanEscrow,
  'renew-ocsp-responders': (ports, caller) => renewResponders(ports, caller),
  remind: (ports, caller) => remind(ports, caller),
  'renew-verdict-key': (ports, caller) => renewVerdictKey(ports, caller),
  'presign-ocsp-answers': (ports) => presignAnswers(ports),
};

/** Batch after batch, for a part of the round. */
async function rewrapAll(ports: HousekeepingPorts, caller: SystemCaller): Promise<void> {
  for (let batch = 0; batch < REWRAP_BATCHES; batch += 1) if ((await rewrapKeys(ports, caller)) === 0) return;
}

/** @throws KmcError E_INTEGRITY naming the keys that do not open: so they get into the log of the service at once. */
async function scanEscrow(ports: HousekeepingPorts): Promise<void> {
  const { broken } = await scanEscrowedKeys(ports);
  if (broken.length === 0) return;
  throw new KmcError('E_INTEGRITY', `Escrowed keys that do not open: ${broken.join(', ')}. Restore their rows.`);
}

/**
 * One round of the regular work: purge what is over, end requests whose time or policy is over, enrolments that nobody
 * finished and executions that a crash left open, look through the escrowed keys, publish CRLs that are due, renew OCSP
 * responders and sign answers. A job that fails does not keep the others from running.
 * @returns the names of the jobs that failed, with what they threw.
 */
export async function keepHouse(
  ports: HousekeepingPorts,
): Promise<readonly { readonly job: string; readonly cause: unknown }[]> {
  const caller: SystemCaller = { type: 'system', id: ports.node };
  const now = ports.clock.now();
  const jobs = { ...ALWAYS, ...(ports.keystore.state === 'UNSEALED' ? WHILE_UNSEALED : {}) };
  const failed: { job: string; cause: unknown }[] = [];
  for (const [job, run] of Object.entries(jobs)) {
    try {
      await run(ports, caller, now);
    } catch (cause) {
      failed.push({ job, cause });
    }
  }
  return failed;
}
