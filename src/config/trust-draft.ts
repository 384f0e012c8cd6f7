/** Trust drafts: what a next manifest is to say, as people write it (strict YAML), with certificates by file name. */
import { z } from 'zod';
import { sha256 } from '../crypto/digests.ts';
import { parseSpki, spkiSm3 } from '../crypto/spki.ts';
import { signedTime } from '../domain/signed-body.ts';
import {
  ANCHOR_PURPOSES,
  ANCHOR_STATES,
  LINK_TYPES,
  MANIFEST_SCHEMA,
  manifestDigest,
  readManifestBody,
  SIGNER_ALGORITHMS,
  versionOf,
  type Manifest,
  type ManifestAnchor,
  type ManifestBody,
  type SignerKey,
} from '../domain/trust/manifest.ts';
import { bitLength } from '../crypto/legacy/rsa.ts';
import { KEY_ALGORITHMS } from '../crypto/algorithms.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { readStrictYaml } from './strict-yaml.ts';

const DAY_MS = 86_400_000;
const fileName = z.string().min(1).max(255);
const generation = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/);
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
const digest = z.string().regex(/^sm3:[0-9a-f]{64}$/);
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);

const DRAFT = z.strictObject({
  schema: z.literal('kmc.trust-draft/1'),
  bundle: id,
  days: z.int().min(1).max(90).default(90),
  'poll-seconds': z.int().min(60).max(604_800).default(21_600),
  emergency: z.boolean().default(false),
  anchors: z
    .array(
      z.strictObject({
        gen: generation,
        cert: fileName,
        state: z.enum(ANCHOR_STATES),
        'trust-from': time.optional(),
        'distrust-after': time.optional(),
        purposes: z.array(z.enum(ANCHOR_PURPOSES)).min(1),
      }),
    )
    .min(1)
    .max(16),
  links: z
    .array(z.strictObject({ type: z.enum(LINK_TYPES), from: generation, to: generation, cert: fileName }))
    .max(32)
    .default([]),
  intermediates: z.array(fileName).max(64).default([]),
  'distrusted-keys': z.array(digest).max(4096).default([]),
  'next-commit': z.strictObject({ alg: z.string().min(1).max(32), 'spki-sm3': digest }).optional(),
  signers: z
    .array(
      z.strictObject({
        set: id,
        threshold: z.int().min(2).max(32),
        'emergency-threshold': z.int().min(2).max(32),
        keys: z
          .array(z.strictObject({ holder: id, cert: fileName }))
          .min(2)
          .max(32),
      }),
    )
    .min(1)
    .max(4),
});
type Draft = z.output<typeof DRAFT>;

export interface DraftSurroundings {
  /** The certificate in a file that the draft names, DER. */
  readonly certificateOf: (file: string) => Buffer;
  /** The version that this one follows; without it, version 1 is drafted. */
  readonly previous: Manifest | undefined;
  readonly at: Date;
}

/** @throws KmcError E_SCHEMA naming line and fault. */
function readDraft(bytes: Uint8Array): Draft {
  const { document, faults } = readStrictYaml(bytes);
  const [fault] = faults ?? [];
  if (document === undefined) {
    throw new KmcError('E_SCHEMA', `Line ${fault?.line ?? 1} of the draft: ${fault?.message ?? 'it is no YAML'}.`);
  }
  const parsed = DRAFT.safeParse(document.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new KmcError('E_SCHEMA', `Line ${document.lineOf(issue?.path ?? [])} of the draft: ${issue?.message ?? ''}.`);
}

/** As people name the key of an anchor: `SM2`, `ECDSA-P256`, `RSA-3072`. */
function keyName({ spki }: Certificate): string {
  const { algorithm, rsa } = parseSpki(spki);
  if (rsa !== undefined) return `RSA-${bitLength(rsa.n)}`;
  return algorithm === 'EC-P256' ? 'ECDSA-P256' : algorithm;
}

function signerAlgorithm(certificate: Certificate): (typeof SIGNER_ALGORITHMS)[number] {
  const { jsonSignature } = KEY_ALGORITHMS[certificate.keyAlgorithm];
  const found = SIGNER_ALGORITHMS.find((name) => name === jsonSignature);
  if (found !== undefined) return found;
  throw new KmcError('E_CERT', 'A bundle-signer signs with an SM2 or an RSA key.');
}

function signerKey(holder: string, certificate: Certificate, first: boolean): SignerKey {
  return {
    kid: spkiSm3(certificate.spki),
    alg: signerAlgorithm(certificate),
    holder,
    spki: certificate.spki.toString('base64'),
    ...(first ? { cert: certificate.der.toString('base64') } : {}),
  };
}

function draftedAnchor(anchor: Draft['anchors'][number], certificate: Certificate, trustFrom: string): ManifestAnchor {
  const { gen, state, purposes, 'distrust-after': distrustAfter } = anchor;
  return {
    gen,
    alg: keyName(certificate),
    spkiSm3: spkiSm3(certificate.spki),
    certSha256: sha256(certificate.der).toString('hex'),
    cert: certificate.der.toString('base64'),
    state,
    trustFrom,
    purposes,
    ...(distrustAfter === undefined ? {} : { distrustAfter }),
  };
}

/**
 * The body of the next manifest, unsigned: digests, version and times are worked out, nothing is judged.
 * @throws KmcError E_SCHEMA (with the line), E_DER or E_CERT for a certificate that cannot be read.
 */
export function draftManifest(bytes: Uint8Array, { certificateOf, previous, at }: DraftSurroundings): ManifestBody {
  const draft = readDraft(bytes);
  const issuedAt = signedTime(at);
  const known = new Map(previous?.body.anchors.map((anchor) => [anchor.spkiSm3, anchor.trustFrom]));
  const text = (file: string): string => certificateOf(file).toString('base64');
  const commit = draft['next-commit'];
  return readManifestBody({
    schema: MANIFEST_SCHEMA,
    bundle: draft.bundle,
    version: String(previous === undefined ? 1 : versionOf(previous.body) + 1),
    ...(previous === undefined ? {} : { prevDigest: manifestDigest(previous.body) }),
    issuedAt,
    expiresAt: signedTime(new Date(at.getTime() + draft.days * DAY_MS)),
    pollSeconds: String(draft['poll-seconds']),
    emergency: draft.emergency,
    anchors: draft.anchors.map((anchor) => {
      const certificate = parseCertificate(certificateOf(anchor.cert));
      const trustFrom = anchor['trust-from'] ?? known.get(spkiSm3(certificate.spki)) ?? issuedAt;
      return draftedAnchor(anchor, certificate, trustFrom);
    }),
    links: draft.links.map((link) => ({ ...link, cert: text(link.cert) })),
    intermediates: draft.intermediates.map(text),
    distrustedSpki: draft['distrusted-keys'],
    ...(commit === undefined ? {} : { nextCommit: { alg: commit.alg, spkiSm3: commit['spki-sm3'] } }),
    signers: draft.signers.map(({ set, keys, threshold, 'emergency-threshold': emergencyThreshold }) => ({
      set,
      threshold: String(threshold),
      emergencyThreshold: String(emergencyThreshold),
      keys: keys.map(({ holder, cert }) =>
        signerKey(holder, parseCertificate(certificateOf(cert)), previous === undefined),
      ),
    })),
  });
}
