/** `kmc ceremony …` */
import { deviateCommand } from './ceremony/deviate.ts';
import { closeCommand } from './ceremony/close.ts';
import { lintCommand } from './ceremony/lint.ts';
import { planCommand } from './ceremony/plan.ts';
import { approveCommand } from './ceremony/approve.ts';
import { prepareCommand } from './ceremony/prepare.ts';
import { resumeCommand } from './ceremony/resume.ts';
import { runCommandOfCeremony } from './ceremony/run.ts';
import { rehearseCommand } from './ceremony/rehearse.ts';
import { printShareCommand } from './ceremony/print-share.ts';
import { printCommand } from './ceremony/print.ts';
import { verifyCommand } from './ceremony/verify.ts';
import { importCommand } from './ceremony/import.ts';
import type { Command } from './command.ts';

export const commands: readonly Command[] = [
  prepareCommand,
  lintCommand,
  planCommand,
  rehearseCommand,
  printCommand,
  approveCommand,
  runCommandOfCeremony,
  resumeCommand,
  deviateCommand,
  closeCommand,
  verifyCommand,
  printShareCommand,
  importCommand,
];
