/** The commands of `kmc root-upgrade` about the fleet: figures, waivers, and evidence that verifies offline. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodePem, decodePemAll } from '../crypto/asn1/pem.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { digestWords } from '../domain/digest-words.ts';
import { evidenceDigest, readEvidenceBody, readLeaf } from '../domain/fleet/evidence.ts';
import { FLEET_LEVELS } from '../domain/fleet/levels.ts';
import { readReadinessBody } from '../domain/fleet/readiness-body.ts';
import type { FleetCounts, FleetReadiness } from '../domain/fleet/readiness.ts';
import { verifyEvidence, type ExportedLeaf } from '../domain/fleet/verify-evidence.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { reissueCommands } from './root-upgrade-reissue.ts';
import { readCertificateFile, readNamedFile, writeNewFile } from './named-file.ts';

const FILES = { body: 'evidence.json', leaves: 'leaves.jsonl', authorities: 'authorities.pem' } as const;
/** Leaves in one answer of the service. */
const PAGE = 500;

function pathOf(upgrade: string, rest: string): string {
  return `/api/v1/root-upgrades/${encodeURIComponent(upgrade)}/${rest}`;
}

function countsRow(name: string, { counted, reached, dark, waived }: FleetCounts): string[] {
  return [name, ...[counted, ...FLEET_LEVELS.slice(1).map((level) => reached[level]), dark, waived].map(String)];
}

/** The figures as a table: the whole fleet, then regions, then stragglers by name. */
function readinessText({ overall, hub, ring, regions, models, stragglers }: FleetReadiness): string {
  const headers = ['FLEET', 'COUNTED', ...FLEET_LEVELS.slice(1), 'DARK', 'WAIVED'];
  const rows = [
    countsRow('all gateways', overall),
    countsRow('hub tier', hub),
    countsRow('canary ring', ring),
    ...regions.map(({ region, ...counts }) => countsRow(region, counts)),
    ...models.map(({ vendor, model, firmware, ...counts }) =>
      countsRow(`${vendor} ${model} ${firmware ?? '-'}`, counts),
    ),
  ];
  const named = stragglers.listed.map((each) => [
    each.id,
    each.region,
    each.level,
    each.stage,
    each.dark ? 'DARK' : '',
    each.fault ?? '',
    each.seenAt?.toISOString() ?? 'never seen',
  ]);
  return [
    table(headers, rows),
    `stragglers: ${stragglers.total}`,
    ...(named.length === 0
      ? []
      : [table(['DEVICE', 'REGION', 'LEVEL', 'CLOCK', 'CONTACT', 'FAULT', 'LAST SEEN'], named)]),
  ].join('\n\n');
}

async function readiness(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const query = new URLSearchParams();
  for (const name of ['goal', 'region'] as const) {
    const value = input.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const client = await context.client();
  const json = await client.json('GET', `${pathOf(input.positionals[0] ?? '', 'readiness')}?${query.toString()}`);
  return { json, text: readinessText(readReadinessBody(json)) };
}

async function waive(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [upgrade = '', device] = input.positionals;
  const body = { device, until: input.required('until'), reason: input.required('reason') };
  const json = await (await context.client()).json('POST', pathOf(upgrade, 'waivers'), body);
  const answer = isObject(json) ? json : {};
  const text = `waits for two approvals: kmc request show ${String(answer['request'])}\n${String(answer['digest'])}`;
  return { exitCode: EXIT.waitsForApproval, json, text };
}

function textIn(value: unknown, name: string): string {
  const text = isObject(value) ? value[name] : undefined;
  if (typeof text === 'string') return text;
  throw new KmcError('E_SCHEMA', 'The service answered something that is no snapshot.', { remote: true });
}

/** All leaves of a snapshot, page by page: one line each, and the CAs that their certificates stand under. */
async function fetchLeaves(
  context: CommandContext,
  path: string,
  total: number,
): Promise<{ readonly lines: readonly string[]; readonly authorities: ReadonlySet<string> }> {
  const client = await context.client();
  const lines: string[] = [];
  const authorities = new Set<string>();
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const query: string = cursor === '' ? `limit=${PAGE}` : `limit=${PAGE}&cursor=${cursor}`;
    const answer: unknown = await client.json('GET', `${path}/leaves?${query}`);
    const items = isObject(answer) && Array.isArray(answer['items']) ? (answer['items'] as unknown[]) : [];
    for (const item of items) {
      const { leaf, certificate, chain } = isObject(item) ? item : {};
      lines.push(JSON.stringify({ leaf, ...(certificate === undefined ? {} : { certificate }) }));
      if (Array.isArray(chain)) for (const der of chain) authorities.add(String(der));
    }
    cursor = isObject(answer) && typeof answer['next'] === 'string' ? answer['next'] : undefined;
    context.progress('leaves', lines.length, total);
  }
  return { lines, authorities };
}

async function exportEvidence(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const upgrade = input.positionals[0] ?? '';
  const out = input.required('out');
  const client = await context.client();
  let snapshot = input.text('snapshot') ?? 'latest';
  if (input.flag('take')) {
    const goal = input.text('goal');
    const asked = goal === undefined ? {} : { goal };
    snapshot = textIn(await client.json('POST', pathOf(upgrade, 'evidence'), asked), 'id');
  }
  const answer = await client.json('GET', pathOf(upgrade, `evidence/${encodeURIComponent(snapshot)}`));
  const body = readEvidenceBody(JSON.stringify(answer));
  const path = pathOf(upgrade, `evidence/${body.id}`);
  const { lines, authorities } = await fetchLeaves(context, path, Number(body.members));
  mkdirSync(out, { recursive: true });
  const certificates = [...authorities].map((text) => encodePem('CERTIFICATE', Buffer.from(text, 'base64')));
  writeNewFile(join(out, FILES.authorities), certificates.join(''));
  writeNewFile(join(out, FILES.leaves), lines.map((line) => `${line}\n`).join(''));
  writeNewFile(join(out, FILES.body), JSON.stringify(answer));
  const digest = evidenceDigest(body);
  return {
    json: { snapshot: body.id, digest, members: body.members, folder: out },
    text: [`${body.members} members: ${out}`, digest, digestWords(digest).join(' ')].join('\n'),
  };
}

function* leavesIn(folder: string): Generator<ExportedLeaf> {
  const text = readNamedFile(join(folder, FILES.leaves), 'file of leaves').toString('utf8');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const value: unknown = parseStrictJson(line);
    const { leaf, certificate } = isObject(value) ? value : {};
    const der = typeof certificate === 'string' ? { certificate: Buffer.from(certificate, 'base64') } : {};
    yield { leaf: readLeaf(JSON.stringify(leaf)), ...der };
  }
}

/** Offline: nothing is asked of a service. */
async function verify(input: CommandInput, folder: string): Promise<Outcome> {
  const anchors = input.list('anchor').map((file) => parseCertificate(readCertificateFile(file)));
  if (anchors.length === 0)
    throw new KmcError('E_USAGE', 'Name the roots that you trust: --anchor FILE, once for each.');
  const body = readEvidenceBody(readNamedFile(join(folder, FILES.body), 'snapshot'));
  const pem = readNamedFile(join(folder, FILES.authorities), 'certificates of authorities').toString('latin1');
  const intermediates = decodePemAll(pem, 'CERTIFICATE').map((der) => parseCertificate(der));
  const { faults, members, reports } = verifyEvidence(body, leavesIn(folder), { anchors, intermediates });
  const digest = evidenceDigest(body);
  const json = { ok: faults.length === 0, digest, snapshot: body.id, upgrade: body.upgrade, members, reports, faults };
  const found = faults.map(({ device, text }) => `${device ?? 'snapshot'}: ${text}`);
  const ok = [`ok: ${members} members, ${reports} signed reports`, digest, digestWords(digest).join(' ')];
  const figures = readinessText(readReadinessBody(body.readiness));
  return found.length === 0
    ? { json, text: [...ok, '', figures].join('\n') }
    : { exitCode: EXIT.verificationFailed, json, text: found.join('\n') };
}

async function evidence(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [first = '', folder] = input.positionals;
  if (first !== 'verify') return await exportEvidence(input, context);
  if (folder === undefined) throw new KmcError('E_USAGE', 'Name the folder of the evidence.');
  return await verify(input, folder);
}

/** The commands of the fleet of an upgrade. */
export const fleetCommands: readonly Command[] = [
  {
    noun: 'root-upgrade',
    verb: 'readiness',
    summary: 'How ready the fleet is, by region and model, with the stragglers by name.',
    example: 'kmc root-upgrade readiness ru-g2 --goal VERIFIED --key me.key.pem --cert me.crt.pem',
    positionals: ['UPGRADE'],
    options: {
      goal: { type: 'string', value: 'LEVEL', help: `${FLEET_LEVELS.join(', ')} (default VERIFIED)` },
      region: { type: 'string', value: 'CODE', help: 'only this region' },
    },
    run: readiness,
  },
  {
    noun: 'root-upgrade',
    verb: 'waive',
    summary: 'Asks for a waiver of one device, at most 90 days; two others approve it. Exit 3.',
    example: 'kmc root-upgrade waive ru-g2 gw-1 --until 2026-12-01T00:00:00Z --reason "waits for firmware 5"',
    positionals: ['UPGRADE', 'DEVICE'],
    options: {
      until: { type: 'string', value: 'TIME', required: true, help: 'YYYY-MM-DDTHH:MM:SSZ' },
      reason: { type: 'string', value: 'TEXT', required: true, help: 'why it cannot follow yet' },
    },
    run: waive,
  },
  {
    noun: 'root-upgrade',
    verb: 'evidence',
    summary:
      'Exports a snapshot of the evidence with every signed report; `evidence verify DIR` checks one offline. Exit 4.',
    example:
      'kmc root-upgrade evidence ru-g2 --take --out evidence && kmc root-upgrade evidence verify evidence --anchor root.pem',
    positionals: ['UPGRADE|verify', 'DIR?'],
    options: {
      take: { type: 'boolean', help: 'takes a new snapshot first' },
      goal: { type: 'string', value: 'LEVEL', help: 'with --take: what the next step asks for (default VERIFIED)' },
      snapshot: { type: 'string', value: 'ID', help: 'which one (default: the newest)' },
      out: { type: 'string', value: 'DIR', help: 'folder for the export' },
      anchor: { type: 'string', value: 'FILE', multiple: true, help: 'to verify: a root that you trust' },
    },
    run: evidence,
  },
  ...reissueCommands,
];
