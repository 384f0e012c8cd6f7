import { KmcError, type ErrorCode } from '../../../errors.ts';
import { checkSignedTree } from '../checkpoints/check-signed-tree.ts';
import { advanceAuditLog, type AuditLogPorts, type AuditLogProgress } from './advance-audit-log.ts';
import type { LogSigner } from '../checkpoints/sign-checkpoint.ts';
import { pause } from '../../pause.ts';

export interface AuditLogKeeper {
  /** The log's key while the keystore is open; asked for before each round. */
  readonly signer: () => Promise<LogSigner | undefined>;
  /** Told after every round. */
  readonly report: (progress: AuditLogProgress) => void;
  /** Told of a fault that may pass: a busy or absent database, a clock that went back. */
  readonly trouble: (error: KmcError) => void;
  /** Ends the work after the round under way. */
  readonly signal: AbortSignal;
}

const PAUSE_MS = 250;
/** Faults that may pass. The key can go in the middle of a round: somebody seals the keystore. */
const PASSING: readonly ErrorCode[] = ['E_STORAGE', 'E_TIME', 'E_SEALED', 'E_KEY'];

/**
 * Keeps the log going until it is told to stop: a round of advanceAuditLog four times a second. Before the first signature
 * of this process the stored tree is hashed anew.
 * @throws KmcError E_AUDIT and every fatal fault: the service must seal and end, nothing repairs itself.
 */
export async function keepAuditLog(ports: AuditLogPorts, keeper: AuditLogKeeper): Promise<void> {
  let isChecked = false;
  while (!keeper.signal.aborted) {
    try {
      const signer = await keeper.signer();
      if (signer !== undefined && !isChecked) await checkSignedTree(ports);
      isChecked ||= signer !== undefined;
      keeper.report(await advanceAuditLog(ports, signer));
    } catch (error) {
      if (!(error instanceof KmcError) || error.fatal || !PASSING.includes(error.code)) throw error;
      keeper.trouble(error);
    }
    await pause(PAUSE_MS, keeper.signal);
  }
}
