/** `kmc estate`: certification authorities of others under supervision, and what they publish. */
import { TAG } from '../crypto/asn1/der.ts';
import { decodePem, decodePemAll } from '../crypto/asn1/pem.ts';
import { errorOfAnswer } from '../agent/signed-client.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { KmcError } from '../errors.ts';
import { encodeCertsOnly } from '../x509/pkcs7.ts';
import { listOutcome } from './answer-table.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';
import { readCertificateFile, readNamedFile } from './named-file.ts';
import { propose, REASON } from './propose.ts';

const PATH = '/api/v1/supervision/authorities';
const COLUMNS = ['id', 'region', 'name', 'state', 'crlUrl', 'registeredAt'] as const;

function pathOf(input: CommandInput, below = ''): string {
  return `${PATH}/${encodeURIComponent(input.positionals[0] ?? '')}${below}`;
}

/** The message that is sent: as it is, or made of the certificates of a PEM file. */
function messageOf(path: string): Buffer {
  const bytes = readNamedFile(path, 'file of certificates');
  return bytes[0] === TAG.sequence ? bytes : encodeCertsOnly(decodePemAll(bytes.toString('utf8'), 'CERTIFICATE'));
}

function crlOf(path: string): Buffer {
  const bytes = readNamedFile(path, 'CRL');
  return bytes[0] === TAG.sequence ? bytes : decodePem(bytes.toString('utf8'), 'X509 CRL');
}

async function importFile(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [certificates, crl] = [input.text('certificates'), input.text('crl')];
  if ((certificates === undefined) === (crl === undefined)) {
    throw new KmcError('E_USAGE', 'Name one file: --certificates or --crl.');
  }
  const client = await context.client();
  const answer =
    certificates === undefined
      ? await client.send('POST', pathOf(input, '/crls'), crlOf(crl ?? ''), 'application/pkix-crl')
      : await client.send('POST', pathOf(input, '/certificates'), messageOf(certificates), 'application/pkcs7-mime');
  if (answer.status !== 201) throw errorOfAnswer(answer);
  const json = parseStrictJson(answer.body);
  return { json, text: JSON.stringify(json, undefined, 2) };
}

async function register(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const params = {
    region: input.required('region'),
    name: input.required('name'),
    certificate: readCertificateFile(input.required('certificate')).toString('base64'),
    crlUrl: input.required('crl-url'),
    certificatesUrl: input.text('certificates-url') ?? '',
  };
  const targetId = input.positionals[0] ?? '';
  const op = 'supervised-authority.register';
  return await propose(context, { op, targetId, params, reason: input.required('reason') });
}

export const commands: readonly Command[] = [
  {
    noun: 'estate',
    verb: 'list',
    summary:
      'Lists the certification authorities under supervision (电子认证监管); with --json what is counted of them.',
    example: 'kmc estate list --json --key me.key.pem --cert me.crt.pem',
    async run(_input, context) {
      return listOutcome(await (await context.client()).json('GET', `${PATH}?limit=1000`), COLUMNS);
    },
  },
  {
    noun: 'estate',
    verb: 'show',
    summary:
      'Shows one of them: certificates by algorithm (valid, expired, revoked, weak, faulty), newest CRL, last fetch.',
    example: 'kmc estate show ca-anhui --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    async run(input, context) {
      const json = await (await context.client()).json('GET', pathOf(input));
      return { json, text: JSON.stringify(json, undefined, 2) };
    },
  },
  {
    noun: 'estate',
    verb: 'register',
    summary: 'Asks for a certification authority to be supervised, or for other addresses of one that is.',
    details: ['Opens a request: three people approve it. Nothing but these addresses is ever fetched.'],
    example:
      'kmc estate register ca-anhui --region 340000 --name "Anhui CA" --certificate ca.pem --crl-url http://ca.example/ca.crl --reason "..." --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    options: {
      region: { type: 'string', value: 'CODE', required: true, help: 'whose certificates it issues; 100000: national' },
      name: { type: 'string', value: 'TEXT', required: true, help: 'its name' },
      certificate: { type: 'string', value: 'FILE', required: true, help: 'its certificate, PEM or DER' },
      'crl-url': { type: 'string', value: 'URL', required: true, help: 'where its complete CRL stands' },
      'certificates-url': { type: 'string', value: 'URL', help: 'where its certificates stand: certs-only PKCS#7' },
      reason: REASON,
    },
    run: register,
  },
  {
    noun: 'estate',
    verb: 'end',
    summary: 'Asks for the supervision to be ended; what was imported stays.',
    example: 'kmc estate end ca-anhui --reason "..." --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    options: { reason: REASON },
    async run(input, context) {
      const targetId = input.positionals[0] ?? '';
      const reason = input.required('reason');
      return await propose(context, { op: 'supervised-authority.end', targetId, params: {}, reason });
    },
  },
  {
    noun: 'estate',
    verb: 'import',
    summary: 'Imports certificates (all or none) or a CRL of the authority from a file (role ca-operator).',
    example: 'kmc estate import ca-anhui --crl ca.crl --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    options: {
      certificates: { type: 'string', value: 'FILE', help: 'PEM with one or more, or certs-only PKCS#7 in DER' },
      crl: { type: 'string', value: 'FILE', help: 'a complete CRL, PEM or DER' },
    },
    run: importFile,
  },
  {
    noun: 'estate',
    verb: 'fetch',
    summary:
      'Asks the addresses of the authority now (role ca-operator); the service does it by itself every few hours.',
    example: 'kmc estate fetch ca-anhui --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    async run(input, context) {
      const json = await (await context.client()).json('POST', pathOf(input, '/fetches'), {});
      return { json, text: JSON.stringify(json, undefined, 2) };
    },
  },
];
