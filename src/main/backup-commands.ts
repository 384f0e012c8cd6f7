/** `kmc backup`: the commands of cli/backup.ts, and those that make a home of a backup. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupCommands, custodiansOf, LOG_CERTIFICATE, orVerdict, pinnedOf, SHARES } from '../cli/backup.ts';
import { invariantTable } from '../cli/check.ts';
import type { Command, CommandContext, CommandInput, Outcome } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { KmcError } from '../errors.ts';
import { drillBackup } from './drill.ts';
import { restoreBackup, type Restored, type RestoreOrder } from './restore.ts';

const FILE = ['FILE'] as const;
const OPTIONS: NonNullable<Command['options']> = {
  instance: { type: 'string', value: 'ID', required: true, help: 'the instance that the backup must be of' },
  'log-certificate': LOG_CERTIFICATE,
  'least-epoch': {
    type: 'string',
    value: 'N',
    help: 'refuse a backup whose keystore epoch is lower: the last one that a ceremony or an audit copy names',
  },
  expired: { type: 'boolean', help: 'also a backup that was to be destroyed by now' },
  participant: { ...SHARES, required: true },
};

async function orderOf(input: CommandInput, context: CommandContext): Promise<RestoreOrder> {
  const epoch = input.text('least-epoch') ?? '1';
  if (!/^[1-9][0-9]{0,9}$/.test(epoch)) throw new KmcError('E_USAGE', '--least-epoch is a number.');
  return {
    file: input.positionals[0] ?? '',
    instance: input.required('instance'),
    pinned: pinnedOf(input),
    leastEpoch: Number(epoch),
    expired: input.flag('expired'),
    people: await custodiansOf(input, context),
    progress: (step, done, total) => context.progress(step, done, total),
  };
}

function summaryOf({ backup, origin, rows, fenced, invariants }: Restored) {
  return {
    backup: backup.id,
    instance: backup.instance,
    takenAt: backup.takenAt.toISOString(),
    origin,
    rows,
    ...fenced,
    ok: holds(invariants),
    invariants,
  };
}

function holds(invariants: Restored['invariants']): boolean {
  return invariants.every(({ violations }) => violations.length === 0);
}

function fenceText({ backup, origin, rows, fenced }: Restored): string {
  return [
    `restored  ${backup.id} of ${backup.instance}, as of ${backup.takenAt.toISOString()}: ${rows} rows`,
    `audit log ${origin}`,
    `keystore  epoch ${fenced.epoch}`,
    `withheld  ${fenced.keys} pool keys, ${fenced.tokens} tokens, ${fenced.requests} requests; ${fenced.crls} CRLs anew`,
    'Not known here: what was issued, revoked or decided after that time.',
  ].join('\n');
}

async function restore(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const restored = await restoreBackup(context.environment, context.engine, await orderOf(input, context));
  return {
    exitCode: holds(restored.invariants) ? EXIT.ok : EXIT.verificationFailed,
    json: summaryOf(restored),
    text: `${fenceText(restored)}\n${invariantTable(restored.invariants)}`,
  };
}

async function drill(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-drill-'));
  try {
    const home = join(folder, 'home');
    const place = { ...context.environment, home, database: join(home, 'kmc.sqlite'), backups: join(home, 'backups') };
    const { restored, ...drilled } = await drillBackup(place, context.engine, await orderOf(input, context));
    const ok = holds(restored.invariants) && drilled.broken.length === 0;
    const seconds = (value: number): string => `${value.toFixed(1)} s`;
    const lines = [
      fenceText(restored),
      invariantTable(restored.invariants),
      `keys      ${drilled.opened} opened and compared, ${drilled.recovered} recovered to a new key from end to end`,
      `RPO       ${seconds(drilled.recoveryPointSeconds)} (age of the backup), RTO ${seconds(drilled.recoveryTimeSeconds)}`,
      ...drilled.broken,
    ];
    return {
      exitCode: ok ? EXIT.ok : EXIT.verificationFailed,
      json: { ...summaryOf(restored), ...drilled, ok },
      text: lines.join('\n'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const commands: readonly Command[] = [
  ...backupCommands,
  {
    noun: 'backup',
    verb: 'restore',
    summary: 'Restores a backup into an empty --home and an empty database (KMC_DB), with the shares of k custodians.',
    details: [
      'It fences what it restores: the keystore gets a new epoch, the audit log a name of its own that its first event',
      'binds to the one of before, CRLs numbers that were never used; spare pool keys, unused tokens and open requests are',
      'given up. Then it checks the invariants (exit 4 when one does not hold). An interrupted restore is run again.',
    ],
    example:
      'kmc backup restore kmc-1.kmc-backup --home /srv/kmc --instance kmc-1 --log-certificate log.crt.pem --participant a=keys/a --participant b=keys/b',
    positionals: FILE,
    options: OPTIONS,
    run: (input, context) => orVerdict(() => restore(input, context)),
  },
  {
    noun: 'backup',
    verb: 'drill',
    summary: 'A disaster drill: restores a backup in a temporary folder, proves that it serves, and removes it again.',
    details: [
      'Opens every escrowed key, recovers one from end to end, checks the invariants, and measures the age of the backup',
      '(RPO) and the time until it serves (RTO). What it signs, CRLs among it, goes with the folder.',
    ],
    example:
      'kmc backup drill kmc-1.kmc-backup --instance kmc-1 --log-certificate log.crt.pem --participant a=keys/a --participant b=keys/b',
    positionals: FILE,
    options: OPTIONS,
    run: (input, context) => orVerdict(() => drill(input, context)),
  },
];
