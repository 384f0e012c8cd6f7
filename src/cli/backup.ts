/** `kmc backup`: ordering, fetching and verifying backups. What makes homes of them stands in main/. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { errorOfAnswer } from '../agent/signed-client.ts';
import { KmcError, type ErrorCode } from '../errors.ts';
import { beginBackup, backupRecords, skimBackup, type BegunBackup } from '../flows/backups/read-backup.ts';
import { unsealBackup } from '../flows/backups/unseal-backup.ts';
import type { Participant } from '../flows/ceremonies/participant.ts';
import { answerNumber, answerText, listOutcome } from './answer-table.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readCertificateFile, readPieces } from './named-file.ts';
import { loadParticipant, namedFolder } from './participants.ts';
import { propose, REASON } from './propose.ts';

const PATH = '/api/v1/backups';
const COLUMNS = ['id', 'state', 'takenAt', 'expiresAt', 'size', 'epoch', 'node'] as const;

/** The options of commands that open a backup. */
export const SHARES = {
  type: 'string',
  value: 'NAME=DIR',
  multiple: true,
  help: 'a custodian with key.pem, crt.pem and service.share.json in DIR; as many as the share set asks for',
} as const;
export const LOG_CERTIFICATE = {
  type: 'string',
  value: 'FILE',
  help: "certificate of the audit log that must have signed it, e.g. log.crt.pem of an auditor's copy",
} as const;

/** The certificate that must have signed, DER; nothing where none was named. */
export function pinnedOf(input: CommandInput): Buffer | undefined {
  const file = input.text('log-certificate');
  return file === undefined ? undefined : readCertificateFile(file);
}

/** The custodians of the command line. @throws KmcError as loadParticipant. */
export async function custodiansOf(
  input: CommandInput,
  context: Pick<CommandContext, 'engine' | 'passphrase'>,
): Promise<Participant[]> {
  const people: Participant[] = [];
  for (const option of input.list('participant')) {
    people.push(await loadParticipant(context, context.engine, namedFolder(option)));
  }
  return people;
}

/** What a person compares before trusting a backup. */
function headerText({ header }: BegunBackup): string {
  return [
    `backup    ${header.id}`,
    `instance  ${header.environment}/${header.instance}`,
    `taken     ${header.takenAt.toISOString()}`,
    `expires   ${header.expiresAt.toISOString()}`,
    `opens by  ${header.threshold} shares of the set ${header.set}, keystore epoch ${header.epoch}`,
  ].join('\n');
}

/** Of the file that somebody brought, not of the state of this machine. */
const OF_THE_FILE: readonly ErrorCode[] = ['E_INTEGRITY', 'E_SIGNATURE', 'E_SCHEMA', 'E_DER'];

/** What `work` gives; a backup that does not hold is a verdict (exit 4) and no fault of this machine. */
export async function orVerdict(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KmcError) || error.fatal || !OF_THE_FILE.includes(error.code)) throw error;
    const { code, message } = error;
    const text = `does not hold: ${code}: ${message}`;
    return { exitCode: EXIT.verificationFailed, json: { ok: false, code, message }, text };
  }
}

async function create(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const reason = input.required('reason');
  const client = await context.client();
  const targetId = answerText(await client.json('GET', PATH), 'instance');
  return await propose(context, { op: 'backup.create', targetId, params: {}, reason });
}

async function fetchBackup(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const out = input.required('out');
  const client = await context.client();
  const descriptor = openNew(out);
  let size = 0;
  try {
    for (;;) {
      const answer = await client.send('GET', `${PATH}/${id}/content?offset=${size}`);
      if (answer.status !== 200) throw errorOfAnswer(answer);
      if (answer.body.length === 0) break;
      for (let done = 0; done < answer.body.length;) done += writeSync(descriptor, answer.body, done);
      size += answer.body.length;
    }
  } catch (error) {
    unlinkSync(out);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  // What was fetched is what is kept elsewhere: it is looked at as it lies there.
  const { content } = await skimBackup(await beginBackup(readPieces(out)));
  return { json: { id, size, content }, text: `${out}: ${size} octets, whole and signed` };
}

function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (cause) {
    throw new KmcError('E_EXISTS', `There is a file of that name already, or it cannot be written: ${path}`, { cause });
  }
}

async function verify(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.text('id');
  const [file] = input.positionals;
  if ((id === undefined) === (file === undefined)) throw new KmcError('E_USAGE', 'Name a file, or a backup with --id.');
  if (id !== undefined) {
    const client = await context.client();
    const answer = await client.json('POST', `${PATH}/${id}/verifications`, {});
    const [parts, rows, released] = ['parts', 'rows', 'released'].map((name) => answerNumber(answer, name));
    return { json: answer, text: `${id} is whole: ${parts} parts, ${rows} rows; ${released} keys became issuable` };
  }
  return await orVerdict(() => verifyFile(file ?? '', input, context));
}

async function verifyFile(file: string, input: CommandInput, context: CommandContext): Promise<Outcome> {
  const begun = await beginBackup(readPieces(file));
  const people = await custodiansOf(input, context);
  const pinned = pinnedOf(input);
  const opened = people.length === 0 ? undefined : await countRows(context, begun, people, pinned);
  const read = opened?.read ?? (await skimBackup(begun, pinned));
  const lines = [
    headerText(begun),
    opened === undefined
      ? 'whole and signed; its parts were not opened: that takes the shares of custodians'
      : `whole, signed and opened: ${opened.rows} rows in ${read.parts} parts`,
    ...(pinned === undefined ? ['the signer was taken at its word: compare with --log-certificate'] : []),
  ];
  const { id: backup, instance, takenAt, expiresAt, epoch, set } = begun.header;
  return {
    json: {
      ok: true,
      backup,
      instance,
      takenAt: takenAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      epoch,
      set,
      ...read,
      opened: opened !== undefined,
      ...(opened === undefined ? {} : { rows: opened.rows }),
      pinned: pinned !== undefined,
    },
    text: lines.join('\n'),
  };
}

async function countRows(
  { engine }: Pick<CommandContext, 'engine'>,
  begun: BegunBackup,
  people: readonly Participant[],
  pinned: Buffer | undefined,
) {
  const ring = await unsealBackup(engine, begun, people, new Date());
  try {
    const records = backupRecords(engine, ring.currentKek('backup'), begun, pinned);
    let rows = 0;
    for (;;) {
      const next = await records.next();
      if (next.done === true) return { rows, read: next.value };
      if (next.value.kind === 'row') rows += 1;
    }
  } finally {
    ring.wipe();
  }
}

export const backupCommands: readonly Command[] = [
  {
    noun: 'backup',
    verb: 'create',
    summary: 'Orders a backup of the running service (role system-administrator; another person approves it).',
    details: [
      'Opens a request: somebody else approves it (kmc approval), then kmc request execute makes the backup in the folder',
      'of backups (KMC_BACKUPS) of the service. Verify it then: before that it counts for nothing.',
    ],
    example: 'kmc backup create --reason "nightly" --key me.key.pem --cert me.crt.pem',
    options: { reason: REASON },
    run: create,
  },
  {
    noun: 'backup',
    verb: 'list',
    summary: 'Lists the backups that this service made.',
    example: 'kmc backup list --key me.key.pem --cert me.crt.pem',
    async run(_input, context) {
      const client = await context.client();
      return listOutcome(await client.json('GET', PATH), COLUMNS);
    },
  },
  {
    noun: 'backup',
    verb: 'fetch',
    summary: 'Copies a backup out of the service, to be kept elsewhere; it is sealed and signed.',
    example: 'kmc backup fetch backup-0123... --out kmc-1.kmc-backup',
    positionals: ['BACKUP'],
    options: { out: { type: 'string', value: 'FILE', required: true, help: 'new file' } },
    run: fetchBackup,
  },
  {
    noun: 'backup',
    verb: 'verify',
    summary: 'Verifies a backup without restoring it: a file, or with --id one that the service has.',
    details: [
      'A file is checked as it lies there: whole and signed; with the shares of custodians each part is opened besides.',
      'With --id the service reads its own file back: from then on the backup counts.',
    ],
    example: 'kmc backup verify kmc-1.kmc-backup --log-certificate audit/log.crt.pem',
    positionals: ['FILE?'],
    options: {
      id: { type: 'string', value: 'BACKUP', help: 'one that the service has (role system-administrator)' },
      'log-certificate': LOG_CERTIFICATE,
      participant: SHARES,
    },
    run: verify,
  },
];
