/** `kmc root-upgrade`: the upgrade of the root certificate, from its plan to its end. */
import type { Command } from './command.ts';
import { fleetCommands } from './root-upgrade-fleet.ts';
import { INPUT_COMMANDS } from './root-upgrade/inputs.ts';
import { OPERATION_COMMANDS } from './root-upgrade/operations.ts';
import { PLAN_COMMANDS } from './root-upgrade/plan.ts';

/** The commands of `kmc root-upgrade`. */
export const commands: readonly Command[] = [
  ...PLAN_COMMANDS,
  ...OPERATION_COMMANDS,
  ...INPUT_COMMANDS,
  ...fleetCommands,
];
