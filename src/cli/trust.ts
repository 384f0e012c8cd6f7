/** `kmc trust`: trust bundles, for devices (apply, show) and for those who make them (draft, sign, check, publish). */
import { dirname, resolve } from 'node:path';
import { fetchManifests, newerManifests, readTrustFolder, writeTrustFolder } from '../agent/trust-folder.ts';
import { draftManifest } from '../config/trust-draft.ts';
import { digestWords } from '../domain/digest-words.ts';
import { isObject } from '../domain/signed-body.ts';
import { applyManifests, requireInForce, requireSuccessor } from '../domain/trust/apply-manifest.ts';
import { ageAnchors } from '../domain/trust/device-anchors.ts';
import {
  acceptByFingerprint,
  acceptFirstVersion,
  acceptProvisioned,
  type TypedFingerprints,
} from '../domain/trust/first-manifest.ts';
import {
  manifestDigest,
  manifestText,
  readManifest,
  TRUST_BUNDLE,
  versionOf,
  type Manifest,
  type ManifestBody,
} from '../domain/trust/manifest.ts';
import { requireConsistent } from '../domain/trust/manifest-consistency.ts';
import { countSigners } from '../domain/trust/signer-sets.ts';
import type { TrustState } from '../domain/trust/trust-state.ts';
import { KmcError } from '../errors.ts';
import { signManifest } from '../flows/trust/sign-manifest.ts';
import { parseCertificate } from '../x509/certificate.ts';
import {
  table,
  type Command,
  type CommandContext,
  type CommandInput,
  type OptionSpec,
  type Outcome,
} from './command.ts';
import { readCertificateFile, readNamedFile, writeNewFile } from './named-file.ts';

const FINGERPRINTS = /^([a-z0-9][a-z0-9-]{0,63})=(sm3:[0-9a-f]{64}),(sha256:[0-9a-f]{64})$/;

function manifestIn(path: string): Manifest {
  return readManifest(readNamedFile(path, 'manifest'));
}

function previousOf(input: CommandInput): Manifest | undefined {
  const path = input.text('previous');
  return path === undefined ? undefined : manifestIn(path);
}

function factsOf(body: ManifestBody): Readonly<Record<string, string>> {
  const { bundle, version, issuedAt, expiresAt } = body;
  return { bundle, version, digest: manifestDigest(body), issuedAt, expiresAt };
}

function stateOutcome(state: TrustState): Outcome {
  const { body } = state.manifest;
  const generation = new Map(body.anchors.map(({ spkiSm3, gen }) => [spkiSm3, gen]));
  const anchors = state.anchors.map((anchor) => ({ gen: generation.get(anchor.spkiSm3) ?? '', ...anchor }));
  const rows = anchors.map(({ gen, state: stands, since, spkiSm3 }) => [gen, stands, since, spkiSm3]);
  return {
    json: { ...factsOf(body), anchors, retiredSets: state.retiredSets },
    text: [
      table(['FIELD', 'VALUE'], Object.entries(factsOf(body))),
      table(['GENERATION', 'STATE', 'SINCE', 'KEY'], rows),
    ].join('\n\n'),
  };
}

function typedFingerprints(texts: readonly string[]): {
  readonly typed: readonly [TypedFingerprints, TypedFingerprints];
  readonly operators: readonly [string, string];
} {
  const read = (text = ''): [string, TypedFingerprints] => {
    const [, operator = '', sm3 = '', sha256 = ''] = FINGERPRINTS.exec(text) ?? [];
    if (operator !== '') return [operator, { sm3, sha256 }];
    throw new KmcError('E_USAGE', 'Give --fingerprints twice: OPERATOR=sm3:HEX,sha256:HEX');
  };
  const [first, second] = [read(texts[0]), read(texts[1])];
  return { typed: [first[1], second[1]], operators: [first[0], second[0]] };
}

/** The first manifest of a device, by the way that the options name. */
function beginning(input: CommandInput, manifest: Manifest, now: Date): TrustState {
  const digest = input.text('digest');
  const fingerprints = input.list('fingerprints');
  const anchor = input.text('anchor');
  if (digest !== undefined) return acceptProvisioned(manifest, digest, now);
  if (fingerprints.length > 0) {
    const { typed, operators } = typedFingerprints(fingerprints);
    return acceptByFingerprint(manifest, typed, operators, now);
  }
  if (anchor === undefined) {
    throw new KmcError(
      'E_USAGE',
      'This folder trusts nothing yet: give --anchor and --purpose-oid (version 1), --digest, or --fingerprints twice.',
    );
  }
  const purposeOid = input.required('purpose-oid');
  return acceptFirstVersion(manifest, { anchor: parseCertificate(readCertificateFile(anchor)), purposeOid, now });
}

async function given(input: CommandInput, context: CommandContext, state?: TrustState): Promise<Manifest[]> {
  if (input.positionals.length > 0) return input.positionals.map(manifestIn);
  const bundle = state?.manifest.body.bundle ?? input.text('bundle') ?? TRUST_BUNDLE;
  const current = state === undefined ? 0 : versionOf(state.manifest.body);
  return newerManifests(await fetchManifests(await context.client(), bundle, current), current);
}

async function apply(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const folder = input.required('dir');
  const known = readTrustFolder(folder);
  const manifests = await given(input, context, known);
  applied(input, folder, manifests, new Date());
  // What is read is what is replaced: an agent may run on the same folder.
  const lock = await context.lockFolder(folder);
  try {
    const state = applied(input, folder, manifests, new Date());
    writeTrustFolder(folder, state);
    return stateOutcome(state);
  } finally {
    lock.release();
  }
}

/** What the folder trusts after these manifests. */
function applied(input: CommandInput, folder: string, manifests: readonly Manifest[], now: Date): TrustState {
  const before = readTrustFolder(folder);
  const current = before === undefined ? 0 : versionOf(before.manifest.body);
  // Those that an agent has taken in since they were fetched are there already.
  const [first, ...rest] = input.positionals.length > 0 ? manifests : newerManifests(manifests, current);
  let after = before;
  if (before !== undefined && first !== undefined) after = applyManifests(before, [first, ...rest], now);
  if (before === undefined && first !== undefined) after = applyManifests(beginning(input, first, now), rest, now);
  if (after === undefined) throw new KmcError('E_USAGE', 'Name a manifest file, or a service with --url.');
  requireInForce(after.manifest.body, now);
  return { ...after, anchors: ageAnchors(after, now) };
}

async function show(input: CommandInput): Promise<Outcome> {
  const state = readTrustFolder(input.required('dir'));
  if (state === undefined) throw new KmcError('E_NOT_FOUND', 'This folder trusts nothing yet: see kmc trust apply.');
  return stateOutcome({ ...state, anchors: ageAnchors(state, new Date()) });
}

async function draft(input: CommandInput): Promise<Outcome> {
  const path = input.positionals[0] ?? '';
  const folder = dirname(resolve(path));
  const body = draftManifest(readNamedFile(path, 'draft'), {
    certificateOf: (file) => readCertificateFile(resolve(folder, file)),
    previous: previousOf(input),
    at: new Date(),
  });
  requireConsistent(body);
  const out = input.required('out');
  writeNewFile(out, manifestText({ body, signatures: [] }));
  const digest = manifestDigest(body);
  return {
    json: { ...factsOf(body), file: out },
    text: `version ${body.version}: ${out}\n${digest}\n${digestWords(digest).join(' ')}`,
  };
}

async function sign(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const manifest = manifestIn(input.positionals[0] ?? '');
  const { key } = await context.personalKey();
  const signed = await signManifest({ engine: context.engine, key }, manifest);
  const out = input.required('out');
  writeNewFile(out, manifestText(signed));
  const digest = manifestDigest(signed.body);
  return {
    json: { ...factsOf(signed.body), signatures: String(signed.signatures.length), file: out },
    text: `signed: ${out}\n${digest}\n${digestWords(digest).join(' ')}`,
  };
}

async function check(input: CommandInput): Promise<Outcome> {
  const manifests = input.positionals.map(manifestIn);
  const [one] = manifests;
  if (one === undefined) throw new KmcError('E_USAGE', 'Name the manifest file.');
  // Several copies of one manifest, each signed by another signer, are counted together.
  const digest = manifestDigest(one.body);
  if (manifests.some(({ body }) => manifestDigest(body) !== digest)) {
    throw new KmcError('E_CONFLICT', 'The files are not copies of one manifest.');
  }
  const together = { body: one.body, signatures: manifests.flatMap(({ signatures }) => signatures) };
  const merged = {
    ...together,
    signatures: [...new Map(together.signatures.map((each) => [each.kid, each])).values()],
  };
  const previous = previousOf(input);
  if (previous === undefined && versionOf(one.body) > 1) {
    throw new KmcError('E_USAGE', 'Name the version before it with --previous: its signers must sign too.');
  }
  const counts = countSigners(previous?.body, merged).map(({ set, listedBy, threshold, holders }) => ({
    set: set.set,
    listedBy,
    threshold: String(threshold),
    holders,
  }));
  const out = input.text('out');
  if (out !== undefined) writeNewFile(out, manifestText(merged));
  const complete = counts.every(({ holders, threshold }) => holders.length >= Number(threshold));
  if (complete && previous !== undefined) requireSuccessor(previous, merged, []);
  const rows = counts.map((each) => [
    each.set,
    each.listedBy,
    `${each.holders.length} of ${each.threshold}`,
    each.holders.join(' '),
  ]);
  return {
    exitCode: complete ? 0 : 3,
    json: { ...factsOf(merged.body), complete, sets: counts },
    text: [
      table(['SET', 'AS LISTED BY', 'SIGNED', 'HOLDERS'], rows),
      complete ? 'complete' : 'waits for signatures',
    ].join('\n\n'),
  };
}

async function publish(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const manifest = manifestIn(input.positionals[0] ?? '');
  const path = `/api/v1/trust-bundles/${encodeURIComponent(manifest.body.bundle)}`;
  const answer = await (await context.client()).json('POST', path, manifest);
  return { json: answer, text: `published: version ${isObject(answer) ? String(answer['version']) : ''}` };
}

const DIR: OptionSpec = { type: 'string', value: 'DIR', required: true, help: 'the trust folder of the device' };
const PREVIOUS: OptionSpec = { type: 'string', value: 'FILE', help: 'the manifest that this one follows' };

export const commands: readonly Command[] = [
  {
    noun: 'trust',
    verb: 'apply',
    summary: 'Accepts manifests by the rules of a device, from files or from the service. Exit 4 when one is refused.',
    example: 'kmc trust apply manifest-2.json manifest-3.json --dir trust',
    details: [
      'A device in the field begins with version 1 under its present anchor (--anchor, --purpose-oid); a new one with the',
      'newest manifest and its digest (--digest); one that lost its way by the fingerprints that two operators type.',
    ],
    positionals: ['FILE...?'],
    options: {
      dir: DIR,
      anchor: { type: 'string', value: 'FILE', help: 'present anchor of the device, for version 1' },
      'purpose-oid': { type: 'string', value: 'OID', help: 'extended key usage of bundle-signers, for version 1' },
      digest: { type: 'string', value: 'sm3:HEX', help: 'digest of the manifest, from whoever provisions the device' },
      fingerprints: {
        type: 'string',
        value: 'OPERATOR=sm3:HEX,sha256:HEX',
        multiple: true,
        help: 'of the certificate of an anchor, typed by two operators, each on their own',
      },
      bundle: { type: 'string', value: 'NAME', help: 'the bundle to fetch (default extranet)' },
    },
    run: apply,
  },
  {
    noun: 'trust',
    verb: 'show',
    summary: 'Shows what a device trusts.',
    example: 'kmc trust show --dir trust',
    options: { dir: DIR },
    run: show,
  },
  {
    noun: 'trust',
    verb: 'draft',
    summary: 'Makes the unsigned next manifest from a draft (YAML; certificates by file name, beside it).',
    example: 'kmc trust draft next.yaml --previous manifest-1.json --out manifest-2.json',
    positionals: ['FILE'],
    options: { previous: PREVIOUS, out: { type: 'string', value: 'FILE', required: true, help: 'where it goes' } },
    run: draft,
  },
  {
    noun: 'trust',
    verb: 'sign',
    summary: 'Signs a manifest as a bundle-signer, offline, with your own key.',
    example: 'kmc trust sign manifest-2.json --out manifest-2.mine.json --key me.key.pem --cert me.crt.pem',
    positionals: ['FILE'],
    options: { out: { type: 'string', value: 'FILE', required: true, help: 'where the signed copy goes' } },
    run: sign,
  },
  {
    noun: 'trust',
    verb: 'check',
    summary: 'Counts the signatures of all copies of a manifest, and joins them. Exit 3 while a set is short.',
    example: 'kmc trust check manifest-2.*.json --previous manifest-1.json --out manifest-2.signed.json',
    positionals: ['FILE...'],
    options: { previous: PREVIOUS, out: { type: 'string', value: 'FILE', help: 'where the joined copy goes' } },
    run: check,
  },
  {
    noun: 'trust',
    verb: 'publish',
    summary: 'Hands a fully signed manifest to the service, which serves it for ever.',
    example: 'kmc trust publish manifest-2.signed.json --key me.key.pem --cert me.crt.pem',
    positionals: ['FILE'],
    run: publish,
  },
];
