/** `kmc root-upgrade attest`, `draft` and `stage`: what people hand in for an upgrade. */
import { parseStrictJson } from '../../crypto/jcs.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import {
  ATTESTATION_KIND_NAMES,
  ATTESTATION_KINDS,
  type AttestationKind,
} from '../../domain/root-upgrade/attestation.ts';
import { MANIFEST_PURPOSES, type ManifestPurpose } from '../../domain/root-upgrade/facts.ts';
import { digestWords } from '../../domain/digest-words.ts';
import { manifestDigest, readManifest } from '../../domain/trust/manifest.ts';
import { KmcError } from '../../errors.ts';
import { signAttestation } from '../../flows/root-upgrade/sign-attestation.ts';
import { answerText } from '../answer-table.ts';
import type { Command, CommandContext, CommandInput, Outcome } from '../command.ts';
import { readNamedFile, writeNewFile } from '../named-file.ts';
import { upgradePath } from './upgrade-answer.ts';

function kindOf(input: CommandInput): AttestationKind {
  const named = input.required('kind');
  const kind = ATTESTATION_KIND_NAMES.find((name) => name === named);
  if (kind !== undefined) return kind;
  throw new KmcError('E_USAGE', `--kind is one of: ${ATTESTATION_KIND_NAMES.join(', ')}`);
}

function purposeOf(text: string): ManifestPurpose {
  const purpose = MANIFEST_PURPOSES.find((name) => name === text);
  if (purpose !== undefined) return purpose;
  throw new KmcError('E_USAGE', `The purpose is one of: ${MANIFEST_PURPOSES.join(', ')}`);
}

/** The document by its file, or the snapshot by its digest. */
function documentOf(input: CommandInput): { readonly documentSm3: string; readonly document: Buffer | undefined } {
  const [file, snapshot] = [input.text('document'), input.text('snapshot')];
  if ((file === undefined) === (snapshot === undefined)) {
    throw new KmcError('E_USAGE', 'Give --document FILE, or --snapshot with the digest of the evidence.');
  }
  if (snapshot !== undefined) return { documentSm3: snapshot, document: undefined };
  const document = readNamedFile(file ?? '', 'document');
  return { documentSm3: `sm3:${sm3(document).toString('hex')}`, document };
}

async function attest(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const kind = kindOf(input);
  const { documentSm3, document } = documentOf(input);
  const { key, certificate } = await context.personalKey();
  const choice = { kind, upgrade: id, documentSm3, passed: !input.flag('failed'), at: new Date() };
  const signed = await signAttestation({ engine: context.engine, key, certificate }, choice);
  const body = { ...signed, ...(document === undefined ? {} : { document: document.toString('base64') }) };
  const answer = await (await context.client()).json('POST', upgradePath(id, '/attestations'), body);
  return { json: answer, text: `${kind} attested: ${answerText(answer, 'id')}\n${documentSm3}` };
}

async function draft(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [id = '', named = ''] = input.positionals;
  const purpose = purposeOf(named);
  const after = input.text('distrust-after');
  const query = after === undefined ? '' : `?${new URLSearchParams({ distrustAfter: after }).toString()}`;
  const sent = await (await context.client()).send('GET', upgradePath(id, `/manifests/${purpose}/draft${query}`));
  const { body } = readManifest(sent.body);
  const out = input.required('out');
  writeNewFile(out, sent.body);
  const digest = manifestDigest(body);
  return {
    json: { version: body.version, digest, file: out },
    text: `version ${body.version}: ${out}\n${digest}\n${digestWords(digest).join(' ')}`,
  };
}

async function stage(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [id = '', named = '', file = ''] = input.positionals;
  const purpose = purposeOf(named);
  const manifest: unknown = parseStrictJson(readNamedFile(file, 'manifest'));
  const answer = await (await context.client()).json('POST', upgradePath(id, `/manifests/${purpose}`), manifest);
  return { json: answer, text: `staged: version ${answerText(answer, 'version')}, to ${purpose}` };
}

/** The commands by which people hand something in. */
export const INPUT_COMMANDS: readonly Command[] = [
  {
    noun: 'root-upgrade',
    verb: 'attest',
    summary: 'Attests a fact with your own key, and hands its document in.',
    details: [
      'Kinds, and the role that attests each:',
      ...ATTESTATION_KIND_NAMES.map((name) => `  ${name.padEnd(22)} ${ATTESTATION_KINDS[name].by}`),
    ],
    example:
      'kmc root-upgrade attest rsa-to-sm2 --kind rollback-drill --document drill.pdf --key sys.key.pem --cert sys.crt.pem',
    positionals: ['ID'],
    options: {
      kind: { type: 'string', value: 'KIND', required: true, help: 'one of the list below' },
      document: { type: 'string', value: 'FILE', help: 'the document; it is kept with the upgrade' },
      snapshot: { type: 'string', value: 'sm3:HEX', help: 'for evidence-digest: the digest that was verified offline' },
      failed: { type: 'boolean', help: 'it did not pass: what was attested before counts no more' },
    },
    run: attest,
  },
  {
    noun: 'root-upgrade',
    verb: 'draft',
    summary:
      'Writes the manifest that the upgrade publishes next, unsigned; bundle-signers sign it with kmc trust sign.',
    example: 'kmc root-upgrade draft rsa-to-sm2 stage --out manifest-2.json --key me.key.pem --cert me.crt.pem',
    positionals: ['ID', 'PURPOSE'],
    options: {
      out: { type: 'string', value: 'FILE', required: true, help: 'where it goes' },
      'distrust-after': { type: 'string', value: 'TIME', help: 'to retire: from when on the old anchor is distrusted' },
    },
    run: draft,
  },
  {
    noun: 'root-upgrade',
    verb: 'stage',
    summary: 'Hands a fully signed manifest in; its transition publishes it.',
    example: 'kmc root-upgrade stage rsa-to-sm2 stage manifest-2.signed.json --key me.key.pem --cert me.crt.pem',
    positionals: ['ID', 'PURPOSE', 'FILE'],
    run: stage,
  },
];
