/** `kmc key`: keys over their life. */
import type { Command } from './command.ts';
import { lifeCommands } from './key/life.ts';
import { managedCommands } from './key/managed.ts';
import { openRecoveredCommand } from './key/open-recovered.ts';
import { recoverCommand } from './key/recover.ts';
import { verifyEvidenceCommand } from './key/verify-evidence.ts';

/** The commands of `kmc key`. */
export const commands: readonly Command[] = [
  ...lifeCommands,
  ...managedCommands,
  recoverCommand,
  verifyEvidenceCommand,
  openRecoveredCommand,
];
