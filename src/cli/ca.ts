/** `kmc ca`: the certification authorities of the service. */
import { errorOfAnswer } from '../agent/signed-client.ts';
import { encodePem } from '../crypto/asn1/pem.ts';
import { formatName } from '../x509/name.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table, type Command, type CommandContext } from './command.ts';
import { writeNewFile } from './named-file.ts';

async function authorities(context: CommandContext): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const answer = await (await context.client()).json('GET', '/api/v1/authorities');
  const items: readonly unknown[] = isObject(answer) && Array.isArray(answer['items']) ? answer['items'] : [];
  return items.filter(isObject);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export const commands: readonly Command[] = [
  {
    noun: 'ca',
    verb: 'list',
    summary: 'Lists the certification authorities.',
    example: 'kmc ca list',
    async run(_input, context) {
      const items = await authorities(context);
      const columns = ['id', 'kind', 'generation', 'algorithm', 'state', 'notAfter', 'subject'];
      const rows = items.map((item) => columns.map((name) => text(item[name])));
      return {
        json: { items },
        text: table(
          columns.map((name) => name.toUpperCase()),
          rows,
        ),
      };
    },
  },
  {
    noun: 'ca',
    verb: 'show',
    summary: 'Shows one authority; with --out writes its certificate.',
    example: 'kmc ca show sm2-root --out sm2-root.pem',
    positionals: ['ID'],
    options: { out: { type: 'string', value: 'FILE', help: 'write the certificate there, PEM' } },
    async run(input, context) {
      const id = input.positionals[0] ?? '';
      const found = (await authorities(context)).find((item) => item['id'] === id);
      if (found === undefined) throw new KmcError('E_NOT_FOUND', `There is no authority ${id}.`);
      const out = input.text('out');
      if (out !== undefined)
        writeNewFile(out, encodePem('CERTIFICATE', Buffer.from(text(found['certificate']), 'base64')));
      return {
        json: found,
        text: table(
          ['', ''],
          Object.entries(found).map(([name, value]) => [name, text(value)]),
        ).trim(),
      };
    },
  },
  {
    noun: 'ca',
    verb: 'communication',
    summary: 'Shows under which certificate the service speaks GM/T 0014 with CAs; with --out writes it.',
    example: 'kmc ca communication --out kmc.pem',
    options: { out: { type: 'string', value: 'FILE', help: 'write the certificate there, PEM' } },
    async run(input, context) {
      const answer = await (await context.client()).send('GET', '/api/v1/kmc/certificate');
      if (answer.status !== 200) throw errorOfAnswer(answer);
      const certificate = parseCertificate(answer.body);
      const out = input.text('out');
      if (out !== undefined) writeNewFile(out, encodePem('CERTIFICATE', certificate.der));
      const json = {
        subject: formatName(certificate.subject.der),
        serialNumber: certificate.serialNumber,
        notAfter: certificate.notAfter.toISOString(),
        certificateSm3: sm3Fingerprint(certificate.der),
        certificate: certificate.der.toString('base64'),
      };
      return { json, text: table(['', ''], Object.entries(json)).trim() };
    },
  },
  {
    noun: 'ca',
    verb: 'publish-crl',
    summary: 'Makes the next CRL of an authority now: the complete one and each region, or --scope (role ca-operator).',
    example: 'kmc ca publish-crl sm2-issuing --key me.key.pem --cert me.crt.pem',
    positionals: ['ID'],
    options: { scope: { type: 'string', value: 'SCOPE', help: 'only this one: complete, delta, or a region code' } },
    async run(input, context) {
      const id = encodeURIComponent(input.positionals[0] ?? '');
      const scope = input.text('scope');
      const answer = await (
        await context.client()
      ).json('POST', `/api/v1/authorities/${id}/crls`, scope === undefined ? {} : { scope });
      const shards: readonly unknown[] = isObject(answer) && Array.isArray(answer['shards']) ? answer['shards'] : [];
      const further = shards.length === 0 ? '' : `, and ${shards.length} of its regions`;
      return { json: answer, text: `CRL ${isObject(answer) ? text(answer['number']) : ''} of ${id}${further}` };
    },
  },
];
