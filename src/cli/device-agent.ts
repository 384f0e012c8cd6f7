/** The commands of `kmc device` that run on the device itself: enrol, renew, run, and what stands in its folder. */
import { resolve } from 'node:path';
import { deviceStatus, type DeviceStatus } from '../agent/device-status.ts';
import { DeviceFolder } from '../agent/device-folder.ts';
import { makeOrder } from '../agent/order.ts';
import { renewalDue, type RenewPorts } from '../agent/renew.ts';
import { runDevice, runRound, type RoundOutcome, type RunOptions, type RunPorts } from '../agent/run-device.ts';
import { createClient } from '../agent/signed-client.ts';
import { wipe } from '../crypto/bytes.ts';
import { KmcError } from '../errors.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';

const WHERE = { type: 'string', value: 'DIR', help: 'folder of the device', required: true } as const;
const FIRMWARE = {
  type: 'string',
  value: 'TEXT',
  help: 'version of the firmware, as it is reported (default unknown)',
} as const;
const RELOAD = {
  type: 'string',
  value: 'COMMAND',
  help: 'what makes the user of the files read them again, e.g. "nginx -s reload"',
} as const;

async function portsOf(context: CommandContext): Promise<RunPorts> {
  const { engine } = context;
  const transport = context.transport();
  const clientOf: RenewPorts['clientOf'] = (signer) => createClient({ ...transport, signer });
  return {
    engine,
    client: createClient(transport),
    clientOf,
    now: () => new Date(),
    lock: (path) => context.lockFolder(path),
  };
}

function folderOf(input: CommandInput): DeviceFolder {
  return new DeviceFolder(resolve(input.required('dir')));
}

function trustText({ trust }: RoundOutcome): string[] {
  if (trust.state === 'none') return [];
  if (trust.state === 'failed') return [`trust failed: ${trust.reason}`];
  const rule = trust.rule === undefined ? '' : `: ${trust.rule}`;
  return [`trust ${trust.version} ${trust.state}${rule}`, ...trust.reports.map((level) => `reported ${level}`)];
}

function roundText(round: RoundOutcome): string {
  const { renewed, reloaded, crls } = round;
  const lists = crls.map(({ file, state, reason }) => `${file} ${state}${reason === undefined ? '' : `: ${reason}`}`);
  return [renewed ? 'renewed' : 'not due', ...(reloaded ? ['reloaded'] : []), ...trustText(round), ...lists].join('\n');
}

async function withOptions<T>(
  input: CommandInput,
  context: CommandContext,
  work: (options: RunOptions) => Promise<T>,
): Promise<T> {
  const reload = input.text('reload');
  const passphrase = await context.passphrase('Passphrase of the key files of the device');
  try {
    const firmware = input.text('firmware');
    return await work({
      passphrase,
      ...(reload === undefined ? {} : { reload }),
      ...(firmware === undefined ? {} : { firmware }),
    });
  } finally {
    wipe(passphrase);
  }
}

async function renew(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const folder = folderOf(input);
  const ports = await portsOf(context);
  const force = input.flag('force');
  const round = await withOptions(input, context, (options) => runRound(ports, folder, { ...options, force }));
  return { json: { ...round, renewFrom: renewalDue(folder).from.toISOString() }, text: roundText(round) };
}

async function run(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const folder = folderOf(input);
  const ports = await portsOf(context);
  const stop = new AbortController();
  const release = context.onStop(() => stop.abort());
  const report = (outcome: RoundOutcome | KmcError): void => {
    const line = outcome instanceof KmcError ? { error: outcome.code, detail: outcome.message } : outcome;
    context.io.err(JSON.stringify({ time: new Date().toISOString(), ...line }));
  };
  try {
    await withOptions(input, context, (options) => runDevice(ports, folder, options, { signal: stop.signal, report }));
  } finally {
    release();
  }
  return { json: { stopped: true }, text: 'stopped' };
}

function statusText(status: DeviceStatus): string {
  const { subject, set, signSerial, encSerial, notAfter, renewFrom, isPending, isReloaded, crls, trust } = status;
  const rows = [
    ['subject', subject],
    ['set', set],
    ['signing certificate', signSerial],
    ['encryption certificate', encSerial],
    ['valid until', notAfter.toISOString()],
    ['renewed from', renewFrom.toISOString()],
    ['renewal under way', isPending ? 'yes' : 'no'],
    ['reloaded', isReloaded ? 'yes' : 'no'],
    ...(trust === undefined ? [] : [['trust bundle', trust.version]]),
    ...(trust?.anchors ?? []).map(({ gen, state }) => [`anchor ${gen}`, state]),
    ...crls.map(({ file, number, nextUpdate }) => [
      file,
      `number ${number}, until ${nextUpdate?.toISOString() ?? '-'}`,
    ]),
  ];
  return table(['FIELD', 'VALUE'], rows);
}

/** What stands in a folder: for `kmc device status --dir`. Ends with 8 when the certificate has ended. */
export function folderStatus(input: CommandInput): Outcome {
  const status = deviceStatus(folderOf(input));
  const hasEnded = status.notAfter <= new Date();
  return { json: status, text: statusText(status), ...(hasEnded ? { exitCode: EXIT.partlyDone } : {}) };
}

async function order(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const device = input.required('id');
  const made = await withOptions(input, context, (options) =>
    makeOrder(context.engine, folderOf(input), options.passphrase),
  );
  const json = { device, ...made };
  return { json, text: JSON.stringify(json) };
}

export const AGENT_COMMANDS: readonly Command[] = [
  {
    noun: 'device',
    verb: 'order',
    summary: 'As a device: makes its line for a list of re-issues; its next renewal then fetches what was issued.',
    example: 'kmc device order --dir gw-1/ --id gw-1 --passphrase-file gw-1.pass >> orders.jsonl',
    options: { dir: WHERE, id: { type: 'string', value: 'ID', required: true, help: 'id of the device' } },
    run: order,
  },
  {
    noun: 'device',
    verb: 'renew',
    summary: 'As a device: renews its certificates when it is time, refreshes its CRLs, and runs the reload command.',
    example: 'kmc device renew --dir gw-1/ --passphrase-file gw-1.pass --reload "nginx -s reload"',
    options: {
      dir: WHERE,
      reload: RELOAD,
      firmware: FIRMWARE,
      force: { type: 'boolean', help: 'renews now, whatever the date' },
    },
    run: renew,
  },
  {
    noun: 'device',
    verb: 'run',
    summary: 'As a device: renews and refreshes until it is stopped; one line on standard error for each round.',
    example: 'kmc device run --dir gw-1/ --passphrase-file gw-1.pass --reload "nginx -s reload"',
    options: { dir: WHERE, reload: RELOAD, firmware: FIRMWARE },
    run,
  },
];
