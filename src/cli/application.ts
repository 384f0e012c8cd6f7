/** `kmc application`: the callers of the data-encryption service, their keys and what they are granted. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import type { ActionName } from '../domain/action.ts';
import { applicationSubject, type ApplicationNames } from '../domain/application.ts';
import { requireId } from '../domain/id.ts';
import { KmcError } from '../errors.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../x509/csr.ts';
import { answerText, listOutcome } from './answer-table.ts';
import {
  table,
  type Command,
  type CommandContext,
  type CommandInput,
  type OptionSpec,
  type Outcome,
} from './command.ts';
import { writeNewFile } from './named-file.ts';
import { propose, REASON } from './propose.ts';

const APPLICATIONS = '/api/v1/applications';
const COLUMNS = ['id', 'status', 'name', 'unit', 'organisation', 'changedAt'] as const;
const FACTS = ['id', 'name', 'unit', 'organisation', 'status', 'version', 'registeredAt', 'changedAt'] as const;
const NAME: OptionSpec = { type: 'string', value: 'TEXT', required: true, help: 'as in the certificate' };
/** Octets of a passphrase at the least. */
const SHORTEST_PASSPHRASE = 8;

async function writeKey(
  { engine }: CommandContext,
  { id, names, folder }: { readonly id: string; readonly names: ApplicationNames; readonly folder: string },
  passphrase: Buffer,
): Promise<void> {
  const key = await engine.generateKeyPair('SM2');
  try {
    const info = encodeCertificationRequestInfo({ subject: applicationSubject(id, names), spki: key.spki });
    const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeNewFile(
      join(folder, 'key.pem'),
      encodePem('ENCRYPTED PRIVATE KEY', await engine.exportPkcs8(key, passphrase, 'gmssl')),
    );
    writeNewFile(join(folder, 'csr.pem'), encodePem('CERTIFICATE REQUEST', csr));
  } finally {
    engine.destroyKey(key);
  }
}

async function keygen(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = requireId(input.required('id'), 'id of the application');
  const [name, unit, organisation] = [input.required('name'), input.required('unit'), input.required('organisation')];
  const folder = input.required('out');
  const passphrase = await context.passphrase('New passphrase of the key');
  try {
    if (passphrase.length < SHORTEST_PASSPHRASE) {
      throw new KmcError('E_PASSPHRASE', `A passphrase has at least ${SHORTEST_PASSPHRASE} octets.`);
    }
    await writeKey(context, { id, names: { name, unit, organisation }, folder }, passphrase);
  } finally {
    wipe(passphrase);
  }
  const request = join(folder, 'csr.pem');
  return { json: { id, csr: request }, text: `${request}: hand it to an operator for kmc cert issue` };
}

/** What people decide: opens the request. */
function proposed(verb: string, op: ActionName, summary: string): Command {
  return {
    noun: 'application',
    verb,
    summary,
    example: `kmc application ${verb} app-1 --reason "..." --key me.key.pem --cert me.crt.pem`,
    positionals: ['APPLICATION'],
    options: { reason: REASON },
    async run(input, context) {
      const targetId = input.positionals[0] ?? '';
      return await propose(context, { op, targetId, params: {}, reason: input.required('reason') });
    },
  };
}

function grantCommand(verb: string, op: ActionName, summary: string): Command {
  return {
    noun: 'application',
    verb,
    summary,
    example: `kmc application ${verb} app-1 --key-id mk-01j... --operation encrypt --operation decrypt --reason "..." --key me.key.pem --cert me.crt.pem`,
    positionals: ['APPLICATION'],
    options: {
      'key-id': { type: 'string', value: 'ID', required: true, help: 'the managed key, mk-...' },
      operation: {
        type: 'string',
        value: 'NAME',
        multiple: true,
        required: true,
        help: 'encrypt, decrypt, rewrap, data-key, sign, verify or mac',
      },
      reason: REASON,
    },
    async run(input, context) {
      const params = { key: input.required('key-id'), operations: input.list('operation') };
      return await propose(context, {
        op,
        targetId: input.positionals[0] ?? '',
        params,
        reason: input.required('reason'),
      });
    },
  };
}

async function show(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const client = await context.client();
  const answer = await client.json('GET', `${APPLICATIONS}/${encodeURIComponent(input.positionals[0] ?? '')}`);
  return {
    json: answer,
    text: table(
      ['FIELD', 'VALUE'],
      FACTS.map((name) => [name, answerText(answer, name)]),
    ),
  };
}

export const commands: readonly Command[] = [
  {
    noun: 'application',
    verb: 'keygen',
    summary: 'Makes the SM2 key of an application, encrypted under a passphrase, and a request for its certificate.',
    example:
      'kmc application keygen --id app-1 --name "Tax records" --unit "Tax office" --organisation "Extranet" --out app-1',
    options: {
      id: { type: 'string', value: 'ID', required: true, help: 'id of the application' },
      name: NAME,
      unit: NAME,
      organisation: NAME,
      out: { type: 'string', value: 'DIR', required: true, help: 'new folder for key.pem and csr.pem' },
    },
    run: keygen,
  },
  {
    noun: 'application',
    verb: 'list',
    summary: 'Lists registered applications.',
    example: 'kmc application list --key me.key.pem --cert me.crt.pem',
    run: async (_input, context) =>
      listOutcome(await (await context.client()).json('GET', `${APPLICATIONS}?limit=1000`), COLUMNS),
  },
  {
    noun: 'application',
    verb: 'show',
    summary: 'Shows an application; its certificates and grants with --json.',
    example: 'kmc application show app-1 --key me.key.pem --cert me.crt.pem',
    positionals: ['APPLICATION'],
    run: show,
  },
  grantCommand('grant', 'application.grant', 'Asks for an application to be let use a managed key.'),
  grantCommand('withdraw-grant', 'application.withdraw-grant', 'Asks for such a grant to be withdrawn.'),
  proposed('suspend', 'application.suspend', 'Asks for an application to be suspended.'),
  proposed('resume', 'application.resume', 'Asks for a suspended application to be served again.'),
  proposed('end', 'application.end', 'Asks for an application to be ended for good; its certificates are revoked.'),
];
