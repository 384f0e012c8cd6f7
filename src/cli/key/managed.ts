/** Managed keys on the command line: made, imported, rotated by one person; their use and their export are decided. */
import { MANAGED_KEY_KIND_NAMES } from '../../domain/managed-key.ts';
import { KmcError } from '../../errors.ts';
import { answerText } from '../answer-table.ts';
import type { Command, CommandContext, CommandInput, OptionSpec, Outcome } from '../command.ts';
import { readCertificateFile, readNamedFile } from '../named-file.ts';
import { propose, REASON } from '../propose.ts';

const KEYS = '/api/v1/keys';
const ME = '--key me.key.pem --cert me.crt.pem';

const POLICY: Readonly<Record<string, OptionSpec>> = {
  name: { type: 'string', value: 'TEXT', required: true, help: 'what it is for' },
  kind: { type: 'string', value: 'KIND', required: true, help: MANAGED_KEY_KIND_NAMES.join(', ') },
  exportable: { type: 'boolean', help: 'may leave, wrapped, under dual control (never a signing key)' },
  'use-limit': { type: 'string', value: 'N', help: 'uses of each version that protect, at the most' },
};

function policyOf(input: CommandInput): Readonly<Record<string, unknown>> {
  const kind = input.required('kind');
  if (!MANAGED_KEY_KIND_NAMES.some((name) => name === kind)) {
    throw new KmcError('E_USAGE', `--kind is one of: ${MANAGED_KEY_KIND_NAMES.join(', ')}`);
  }
  const useLimit = input.text('use-limit');
  return {
    name: input.required('name'),
    kind,
    exportable: input.flag('exportable'),
    ...(useLimit === undefined ? {} : { useLimit }),
  };
}

function outcome(answer: unknown): Outcome {
  const facts = ['id', 'kind', 'state', 'currentVersion'].map((name) => answerText(answer, name));
  return { json: answer, text: facts.join(' ') };
}

async function post(context: CommandContext, path: string, body: unknown): Promise<Outcome> {
  return outcome(await (await context.client()).json('POST', path, body));
}

export const managedCommands: readonly Command[] = [
  {
    noun: 'key',
    verb: 'create',
    summary:
      'Makes a managed key (roles ca-operator, security-administrator); its use is granted (kmc application grant).',
    example: `kmc key create --name "tax records" --kind sm4 ${ME}`,
    options: POLICY,
    run: (input, context) => post(context, KEYS, policyOf(input)),
  },
  {
    noun: 'key',
    verb: 'import',
    summary: 'Imports a key that comes wrapped to a managed key of the kind sm2-encrypt.',
    details: [
      'A symmetric key comes as SM2Cipher, an SM2 pair as SM2EnvelopedKey (DER). Signing keys are not imported.',
    ],
    example: `kmc key import wrapped.der --wrapping-key mk-01j... --name "old records" --kind sm4 ${ME}`,
    positionals: ['FILE'],
    options: {
      ...POLICY,
      'wrapping-key': { type: 'string', value: 'ID', required: true, help: 'the managed key that it is wrapped to' },
    },
    async run(input, context) {
      const wrapped = readNamedFile(input.positionals[0] ?? '', 'wrapped key').toString('base64');
      return await post(context, `${KEYS}/imports`, {
        ...policyOf(input),
        wrappingKey: input.required('wrapping-key'),
        wrapped,
      });
    },
  },
  {
    noun: 'key',
    verb: 'rotate',
    summary: 'Makes the next version of a managed key; the one before decrypts and verifies only.',
    example: `kmc key rotate mk-01j... --reason "yearly" ${ME}`,
    positionals: ['KEY'],
    options: { reason: { type: 'string', value: 'TEXT', required: true, help: 'why; stands in the audit log' } },
    run: (input, context) =>
      post(context, `${KEYS}/${encodeURIComponent(input.positionals[0] ?? '')}/rotations`, {
        reason: input.required('reason'),
      }),
  },
  {
    noun: 'key',
    verb: 'export',
    summary: 'Asks for a managed key that was made exportable to be wrapped to a certificate (class L3).',
    example: `kmc key export mk-01j... --recipient site-b.crt.pem --reason "second site" ${ME}`,
    positionals: ['KEY'],
    options: {
      recipient: { type: 'string', value: 'FILE', required: true, help: 'SM2 certificate for key encipherment' },
      reason: REASON,
    },
    async run(input, context) {
      const recipientCertificate = readCertificateFile(input.required('recipient')).toString('base64');
      const params = { recipientCertificate };
      const targetId = input.positionals[0] ?? '';
      return await propose(context, { op: 'key.export', targetId, params, reason: input.required('reason') });
    },
  },
];
