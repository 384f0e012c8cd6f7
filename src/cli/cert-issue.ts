/** `kmc cert issue` and `collect`: the certificate of an application, for its request (act application.register). */
import { encodePem } from '../crypto/asn1/pem.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { nameValues, type NameAttribute } from '../x509/name.ts';
import { parseCsr, verifyProofOfPossession } from '../x509/csr.ts';
import { answerText } from './answer-table.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';
import { dersOf, writeNewFile } from './named-file.ts';
import { propose, REASON } from './propose.ts';
import { requestPath } from './shown-request.ts';

/** Name, unit and organisation as the request states them, where nothing else is said. @throws KmcError E_USAGE. */
function namesOf(input: CommandInput, csr: Buffer): Readonly<Record<string, string>> {
  const { subject } = parseCsr(csr);
  const stated = { name: 'CN', unit: 'OU', organisation: 'O' } as const satisfies Record<string, NameAttribute['type']>;
  return Object.fromEntries(
    Object.entries(stated).map(([option, type]) => {
      const [own] = nameValues(subject, type);
      const value = input.text(option) ?? own;
      if (value === undefined) throw new KmcError('E_USAGE', `The request names no ${option}: give --${option}.`);
      return [option, value];
    }),
  );
}

async function issue(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [csr] = dersOf(input.positionals[0] ?? '', 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST');
  verifyProofOfPossession(parseCsr(csr));
  const names = input.flag('further') ? {} : namesOf(input, csr);
  return await propose(context, {
    op: 'application.register',
    targetId: input.required('application'),
    params: { ...names, csr: csr.toString('base64') },
    reason: input.required('reason'),
  });
}

async function collect(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const answer = await (await context.client()).json('GET', requestPath(input.positionals[0] ?? ''));
  const result = isObject(answer) ? answer['result'] : undefined;
  const certificate = Buffer.from(answerText(result, 'certificate'), 'base64');
  if (certificate.length === 0) {
    throw new KmcError('E_PENDING', 'That request has given no certificate: it is not executed, or another act.');
  }
  const { subject, serialNumber } = parseCertificate(certificate);
  const out = input.required('out');
  writeNewFile(out, encodePem('CERTIFICATE', certificate));
  const json = { certificate: sm3Fingerprint(certificate), serialNumber, subject: subject.text, file: out };
  return { json, text: `${out}: ${subject.text}` };
}

const TEXT = { type: 'string', value: 'TEXT', help: 'as people approve it (default: what the request says)' } as const;

export const CERT_ISSUE: readonly Command[] = [
  {
    noun: 'cert',
    verb: 'issue',
    summary: 'Proposes to register an application and to issue a certificate for its request (CSR).',
    details: [
      'Opens a request: others approve it (kmc approval), kmc request execute does it, kmc cert collect gets the certificate.',
      'Devices get theirs by kmc device enroll, people by kmc admin appoint, authorities in ceremonies.',
    ],
    example:
      'kmc cert issue app-1/csr.pem --application app-1 --reason "tax records" --key me.key.pem --cert me.crt.pem',
    positionals: ['CSR'],
    options: {
      application: { type: 'string', value: 'ID', required: true, help: 'id of the application' },
      name: TEXT,
      unit: TEXT,
      organisation: TEXT,
      further: { type: 'boolean', help: 'the application is registered: a certificate over a further key' },
      reason: REASON,
    },
    run: issue,
  },
  {
    noun: 'cert',
    verb: 'collect',
    summary: 'Writes the certificate that an executed request of kmc cert issue gave.',
    example: 'kmc cert collect rq-01j... --out app-1/crt.pem --key me.key.pem --cert me.crt.pem',
    positionals: ['REQUEST'],
    options: { out: { type: 'string', value: 'FILE', required: true, help: 'new file, PEM' } },
    run: collect,
  },
];
