/** `kmc admin …`: people and their personal keys. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, encodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import { identityDigest } from '../crypto/identity-digest.ts';
import { digestWords } from '../domain/digest-words.ts';
import { requireId } from '../domain/id.ts';
import { KmcError } from '../errors.ts';
import { makePersonalCertificate } from '../flows/ceremonies/make-personal-certificate.ts';
import { sm3Fingerprint } from '../x509/certificate.ts';
import { ADMIN_ACTS } from './admin-acts.ts';
import { table, type Command, type CommandContext } from './command.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';
import { PERSON_FILES, readPassphrase } from './participants.ts';

export interface NewPerson {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  readonly region?: string;
}

/**
 * Makes a personal key in a new folder: key.pem (GmSSL's shape) and the self-signed certificate crt.pem.
 * @returns `sm3:<hex>` of the certificate, which stands in the ceremony file or in the request to appoint.
 * @throws KmcError E_EXISTS, E_LINT, E_STORAGE.
 */
export async function makePersonFolder(
  { engine }: Pick<CommandContext, 'engine'>,
  person: NewPerson,
  folder: string,
  passphrase: Buffer,
): Promise<string> {
  const key = await engine.generateKeyPair('SM2');
  try {
    const certificate = await makePersonalCertificate(engine, key, person, new Date());
    const encrypted = await engine.exportPkcs8(key, passphrase, 'gmssl');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeNewFile(join(folder, PERSON_FILES.key), encodePem('ENCRYPTED PRIVATE KEY', encrypted));
    writeNewFile(join(folder, PERSON_FILES.certificate), encodePem('CERTIFICATE', certificate));
    return sm3Fingerprint(certificate);
  } finally {
    engine.destroyKey(key);
  }
}

const keygen: Command = {
  noun: 'admin',
  verb: 'keygen',
  summary: 'Makes a personal SM2 key, encrypted under a passphrase, and a self-signed certificate over it.',
  example:
    'kmc admin keygen --id p-owner-1 --name "CA Owner 1" --unit "PKI office" --organisation "Centre" --out people/owner-1',
  options: {
    id: { type: 'string', required: true, value: 'ID', help: 'id of the person' },
    name: { type: 'string', required: true, value: 'TEXT', help: 'name of the person' },
    unit: { type: 'string', required: true, value: 'TEXT', help: 'organisational unit' },
    organisation: { type: 'string', required: true, value: 'TEXT', help: 'organisation' },
    region: { type: 'string', value: 'CODE', help: 'code of the region the person works in' },
    out: { type: 'string', required: true, value: 'DIR', help: 'new folder for key.pem and crt.pem' },
  },
  async run(input, context) {
    const region = input.text('region');
    const person: NewPerson = {
      id: requireId(input.required('id'), 'id of the person'),
      name: input.required('name'),
      unit: input.required('unit'),
      organisation: input.required('organisation'),
      ...(region === undefined ? {} : { region }),
    };
    const passphrase = await context.passphrase('New passphrase of the key');
    try {
      if (passphrase.length < 8) throw new KmcError('E_PASSPHRASE', 'A passphrase has at least 8 octets.');
      const certificate = await makePersonFolder(context, person, input.required('out'), passphrase);
      const words = digestWords(certificate);
      return { json: { id: person.id, certificate, words }, text: `${person.id} ${certificate}\n${words.join(' ')}` };
    } finally {
      wipe(passphrase);
    }
  },
};

const identity: Command = {
  noun: 'admin',
  verb: 'identity-digest',
  summary: 'Prints the digest of an official identity number, by which two records of one human being are found.',
  example: 'kmc admin identity-digest --identity-file id.txt',
  details: ['The number stays here; the digest goes into the ceremony file (identity) or into kmc admin appoint.'],
  options: {
    'identity-file': {
      type: 'string',
      required: true,
      value: 'FILE',
      help: 'file with the number alone, or /dev/stdin',
    },
  },
  async run(input, context) {
    const number = readPassphrase(input.required('identity-file'));
    try {
      const digest = await identityDigest(number, context.environment.instance);
      return { json: { identity: digest }, text: digest };
    } finally {
      wipe(number);
    }
  },
};

const SHAPES = ['gmssl', 'openssl'] as const;

const convertKey: Command = {
  noun: 'admin',
  verb: 'convert-key',
  summary: 'Writes the own key once more, encrypted under the same passphrase in the shape that another program reads.',
  example: 'kmc admin convert-key --key people/owner-1/key.pem --shape openssl --out key.pem',
  details: [
    'gmssl: PBKDF2 with HMAC-SM3 and SM4-CBC, which OpenSSL 3.0 cannot read. openssl: PBKDF2 with HMAC-SHA-256 and AES-256-CBC.',
  ],
  options: {
    shape: { type: 'string', required: true, value: 'SHAPE', help: 'gmssl or openssl' },
    out: { type: 'string', required: true, value: 'FILE', help: 'new file' },
  },
  async run(input, context) {
    const shape = SHAPES.find((one) => one === input.required('shape'));
    if (shape === undefined) throw new KmcError('E_USAGE', `--shape is one of: ${SHAPES.join(', ')}.`);
    const { keyFile } = context.environment;
    if (keyFile === undefined) throw new KmcError('E_USAGE', 'Name the key with --key.');
    const passphrase = await context.passphrase('Passphrase of the key');
    try {
      const pem = readNamedFile(keyFile, 'key').toString('utf8');
      const key = await context.engine.importPkcs8(decodePem(pem, 'ENCRYPTED PRIVATE KEY'), passphrase);
      const encrypted = await context.engine.exportPkcs8(key, passphrase, shape);
      context.engine.destroyKey(key);
      const out = input.required('out');
      writeNewFile(out, encodePem('ENCRYPTED PRIVATE KEY', encrypted));
      return { json: { key: out, shape }, text: `${out} (${shape})` };
    } finally {
      wipe(passphrase);
    }
  },
};

const PAGE = 1000;

const list: Command = {
  noun: 'admin',
  verb: 'list',
  summary: 'Lists the people of the instance with their roles and certificates.',
  example: 'kmc admin list --home keystore/dev',
  async run(_input, context) {
    const { database } = await context.openInstance();
    const people = await database.read((reader) => reader.people.list({ limit: PAGE }));
    const rows = people.map(({ id, name, unit, region, status, roles, accounts }) => ({
      id,
      name,
      unit,
      region: region ?? '',
      status,
      roles: roles.map((grant) => (grant.region === undefined ? grant.role : `${grant.role}@${grant.region}`)),
      certificates: accounts.map((account) => account.certificateSm3),
    }));
    const cells = rows.map((row) => [row.id, row.name, row.unit, row.region, row.status, row.roles.join(' ')]);
    return {
      json: { items: rows },
      text: table(['id', 'name', 'unit', 'region', 'status', 'roles'], cells),
    };
  },
};

export const commands: readonly Command[] = [keygen, convertKey, identity, list, ...ADMIN_ACTS];
