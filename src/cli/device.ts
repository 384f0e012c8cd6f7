/** `kmc device`: registration and tokens for registration authorities, enrolment for a device. */
import { decodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { enrol } from '../agent/enrol.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import type { GeneralName } from '../x509/extensions/general-name.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { AGENT_COMMANDS, folderStatus } from './device-agent.ts';
import { CONFIG_COMMAND, writeConfigs } from './device-config.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';

type Answer = Readonly<Record<string, unknown>>;

/** Options of registration that stand in the body under another name, or as they are. */
const REGISTRATION_TEXTS = {
  id: 'id',
  kind: 'kind',
  vendor: 'vendor',
  model: 'model',
  serial: 'serial',
  region: 'region',
  unit: 'unit',
  profile: 'profile',
  organization: 'organization',
  'common-name': 'commonName',
} as const;

function asAnswer(json: unknown): Answer {
  if (isObject(json)) return json;
  throw new KmcError('E_SCHEMA', 'The service answered something else than was asked for.');
}

function textOf(answer: Answer, name: string): string {
  const value = answer[name];
  return typeof value === 'string' ? value : '';
}

function shown(answer: Answer, names: readonly string[]): string {
  const rows = names.map((name) => [name, textOf(answer, name)]);
  return table(
    ['FIELD', 'VALUE'],
    rows.filter(([, value]) => value !== ''),
  );
}

function deviceIdOf(input: CommandInput): string {
  return encodeURIComponent(input.positionals[0] ?? '');
}

async function register(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const texts = Object.entries(REGISTRATION_TEXTS).flatMap(([option, member]) => {
    const value = input.text(option);
    return value === undefined ? [] : [[member, value] as const];
  });
  const body = { ...Object.fromEntries(texts), dnsNames: input.list('dns'), ipAddresses: input.list('ip') };
  const client = await context.client();
  const answer = asAnswer(await client.json('POST', '/api/v1/devices', body));
  const text = shown(answer, ['id', 'status', 'region', 'profile', 'subject', 'approvalRequest']);
  return { json: answer, text };
}

/** Decrypts the token of an answer in the engine, and hands it to `write`. */
async function releaseTokenOf(answer: Answer, context: CommandContext, write: (token: Buffer) => void): Promise<void> {
  const { engine } = context;
  const sealed = answer['token'];
  const ciphertext = isObject(sealed) ? sealed['ciphertext'] : undefined;
  if (typeof ciphertext !== 'string') throw new KmcError('E_SCHEMA', 'The service answered without a token.');
  const { key } = await context.personalKey();
  try {
    const secret = await engine.decryptSecret(key, Buffer.from(ciphertext, 'base64'));
    const released = await engine.releaseToken(secret);
    try {
      write(released);
    } finally {
      wipe(released);
      engine.destroySecret(secret);
    }
  } finally {
    engine.destroyKey(key);
  }
}

async function token(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const file = input.required('token-out');
  const delivery = input.flag('in-person') ? 'in-person' : 'remote';
  const kid = input.text('kid');
  const body = { delivery, ...(kid === undefined ? {} : { kid }) };
  const client = await context.client();
  const answer = asAnswer(await client.json('POST', `/api/v1/devices/${deviceIdOf(input)}/tokens`, body));
  await releaseTokenOf(answer, context, (released) => writeNewFile(file, released));
  const { token: _encrypted, ...rest } = answer;
  return {
    json: { ...rest, tokenFile: file },
    text: `${shown(answer, ['tokenId', 'deviceId', 'expiresAt'])}\n\nThe token is in ${file}: hand it to the device, then delete the file.`,
  };
}

async function revokeToken(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const tokenId = encodeURIComponent(input.positionals[1] ?? '');
  const client = await context.client();
  const path = `/api/v1/devices/${deviceIdOf(input)}/tokens/${tokenId}/revocation`;
  const answer = asAnswer(await client.json('POST', path, {}));
  return { json: answer, text: shown(answer, ['tokenId', 'state']) };
}

async function status(input: CommandInput, context: CommandContext): Promise<Outcome> {
  if (input.text('dir') !== undefined) return folderStatus(input);
  if (input.positionals.length === 0) throw new KmcError('E_USAGE', 'Name a device, or its own folder with --dir.');
  const client = await context.client();
  const answer = asAnswer(await client.json('GET', `/api/v1/devices/${deviceIdOf(input)}`));
  const certificates = (Array.isArray(answer['certificates']) ? answer['certificates'] : []).map(asAnswer);
  const columns = ['profile', 'serialNumber', 'status', 'notAfter'];
  const shownCertificates = table(
    columns.map((name) => name.toUpperCase()),
    certificates.map((one) => columns.map((name) => textOf(one, name))),
  );
  const facts = shown(answer, ['id', 'status', 'region', 'unit', 'profile', 'subject', 'kid']);
  return { json: answer, text: certificates.length === 0 ? facts : `${facts}\n\n${shownCertificates}` };
}

async function list(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const client = await context.client();
  const query = new URLSearchParams({ limit: '1000' });
  for (const name of ['region', 'status', 'kind']) {
    const value = input.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const items: Answer[] = [];
  for (;;) {
    const page = asAnswer(await client.json('GET', `/api/v1/devices?${query.toString()}`));
    items.push(...(Array.isArray(page['items']) ? page['items'] : []).map(asAnswer));
    if (typeof page['next'] !== 'string') break;
    query.set('cursor', page['next']);
  }
  const columns = ['id', 'region', 'status', 'profile', 'subject'];
  const rows = items.map((item) => columns.map((name) => textOf(item, name)));
  return {
    json: { items },
    text: table(
      columns.map((name) => name.toUpperCase()),
      rows,
    ),
  };
}

interface RegisteredNamesFile {
  readonly deviceId: string;
  readonly subject: Buffer;
  readonly alternativeNames: readonly GeneralName[];
}

/** What `device register --json` or `device token --json` printed: both say how the device is to be named. */
function readRegistration(path: string): RegisteredNamesFile {
  const answer = parseStrictJson(readNamedFile(path, 'registration').toString('utf8'));
  if (!isObject(answer) || textOf(answer, 'subjectDer') === '') {
    throw new KmcError('E_SCHEMA', 'The registration file is not what `device register --json` printed.');
  }
  const names = (Array.isArray(answer['alternativeNames']) ? answer['alternativeNames'] : []).map(asAnswer);
  return {
    deviceId: textOf(answer, 'deviceId') || textOf(answer, 'id'),
    subject: Buffer.from(textOf(answer, 'subjectDer'), 'base64'),
    alternativeNames: names.map((name) => ({
      type: textOf(name, 'type') === 'iPAddress' ? 'iPAddress' : 'dNSName',
      value: textOf(name, 'value'),
    })),
  };
}

/** A token file holds the token, perhaps with a line end behind it. */
function readToken(path: string): Buffer {
  const file = readNamedFile(path, 'token file');
  const end = file.findLastIndex((octet) => octet > 0x20) + 1;
  return file.subarray(0, end);
}

async function enroll(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const registration = readRegistration(input.required('registration'));
  const root = decodePem(readNamedFile(input.required('root'), 'root certificate').toString('utf8'), 'CERTIFICATE');
  const tokenFile = readToken(input.required('token-file'));
  const passphrase = await context.passphrase('Passphrase for the key files of the device');
  try {
    const folder = input.required('out');
    const client = await context.client();
    const ports = { engine: context.engine, client, now: () => new Date() };
    const answer = await enrol(ports, { ...registration, token: tokenFile, passphrase, root, folder });
    const written = writeConfigs(input, context, folder);
    const json = { deviceId: registration.deviceId, folder, bundleVersion: answer.bundleVersion, written };
    return { json, text: `Device ${registration.deviceId} is enrolled; its keys and certificates are in ${folder}.` };
  } finally {
    wipe(tokenFile, passphrase);
  }
}

const REGISTER: Command = {
  noun: 'device',
  verb: 'register',
  summary: 'Registers a device in your region.',
  example:
    'kmc device register --id gw-1 --vendor V --model M --serial S1 --region 110000 --unit U --organization O --common-name "gw 1" --dns gw-1.example.cn --key ra.key.pem --cert ra.crt.pem',
  options: {
    id: { type: 'string', value: 'ID', help: 'id of the device (default: a new one)' },
    kind: { type: 'string', value: 'KIND', help: 'gateway or terminal (default gateway)' },
    vendor: { type: 'string', value: 'TEXT', help: 'who made it', required: true },
    model: { type: 'string', value: 'TEXT', help: 'its model', required: true },
    serial: { type: 'string', value: 'TEXT', help: 'serial number on its label', required: true },
    region: { type: 'string', value: 'CODE', help: 'region code, e.g. 110000', required: true },
    unit: { type: 'string', value: 'TEXT', help: 'unit it serves', required: true },
    profile: { type: 'string', value: 'NAME', help: 'device profile of policy (default gateway)' },
    organization: { type: 'string', value: 'TEXT', help: 'O of its subject', required: true },
    'common-name': { type: 'string', value: 'TEXT', help: 'CN of its subject', required: true },
    dns: { type: 'string', value: 'NAME', multiple: true, help: 'dNSName; may stand several times', required: true },
    ip: { type: 'string', value: 'ADDRESS', multiple: true, help: 'iPAddress; may stand several times' },
  },
  run: register,
};

const ENROLL: Command = {
  noun: 'device',
  verb: 'enroll',
  summary: 'As a device: makes its key, enrols, checks and keeps the answer; goes on where it was cut short.',
  example:
    'kmc device enroll --registration gw-1.json --token-file gw-1.token --root sm2-root.pem --out gw-1/ --passphrase-file gw-1.pass',
  options: {
    registration: {
      type: 'string',
      value: 'FILE',
      help: 'what `device register --json` or `token --json` printed',
      required: true,
    },
    'token-file': { type: 'string', value: 'FILE', help: 'the token, or /dev/fd/N', required: true },
    root: { type: 'string', value: 'FILE', help: 'the root to trust, PEM', required: true },
    out: { type: 'string', value: 'DIR', help: 'folder for keys and certificates', required: true },
    write: {
      type: 'string',
      value: 'KIND',
      multiple: true,
      help: 'also writes a configuration: nginx-tlcp, swanctl; may stand several times',
    },
  },
  run: enroll,
};

/** The commands of `kmc device`. */
export const commands: readonly Command[] = [
  REGISTER,
  {
    noun: 'device',
    verb: 'token',
    summary: 'Issues the one-time token of a device that somebody else registered.',
    example: 'kmc device token gw-1 --token-out gw-1.token --in-person --key ra2.key.pem --cert ra2.crt.pem',
    positionals: ['DEVICE'],
    options: {
      'token-out': { type: 'string', value: 'FILE', help: 'new file for the token, mode 0600', required: true },
      'in-person': { type: 'boolean', help: 'handed over in person: it lives longer than one that is sent' },
      kid: { type: 'string', value: 'KID', help: 'the only key that may use it (sm3:...)' },
    },
    run: token,
  },
  {
    noun: 'device',
    verb: 'revoke-token',
    summary: 'Makes an unused token worthless.',
    example: 'kmc device revoke-token gw-1 tok-0123 --key ra.key.pem --cert ra.crt.pem',
    positionals: ['DEVICE', 'TOKEN'],
    run: revokeToken,
  },
  ENROLL,
  CONFIG_COMMAND,
  ...AGENT_COMMANDS,
  {
    noun: 'device',
    verb: 'status',
    summary: 'Shows a device and its certificates; on the device itself what stands in its folder.',
    example: 'kmc device status gw-1 --key ra.key.pem --cert ra.crt.pem',
    positionals: ['DEVICE?'],
    options: { dir: { type: 'string', value: 'DIR', help: 'folder of the device: no service is asked' } },
    run: status,
  },
  {
    noun: 'device',
    verb: 'list',
    summary: 'Lists devices.',
    example: 'kmc device list --region 110000 --status in-service --key ra.key.pem --cert ra.crt.pem',
    options: {
      region: { type: 'string', value: 'CODE', help: 'only this region' },
      status: { type: 'string', value: 'STATUS', help: 'only in this state' },
      kind: { type: 'string', value: 'KIND', help: 'gateway or terminal' },
    },
    run: list,
  },
];
