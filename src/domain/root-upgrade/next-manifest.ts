/**
 * The manifests that an upgrade publishes (A.4, A.5): what the next version says follows from the version before it, the
 * plan and the certificates of its ceremonies. Nothing in it is anybody's choice but its times.
 */
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { sha256 } from '../../crypto/digests.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { readSignedTime, signedTime } from '../signed-body.ts';
import {
  manifestDigest,
  versionOf,
  type ManifestAnchor,
  type ManifestBody,
  type SignerKey,
  type SignerSet,
} from '../trust/manifest.ts';
import type { ManifestPurpose } from './facts.ts';
import type { UpgradePlan } from './plan.ts';

const DAY_MS = 86_400_000;
/** Devices look for a new version so often; in an emergency every quarter of an hour (A.5). */
const POLL_SECONDS = { usual: '21600', emergency: '900' } as const;

/** What the next version is made of. Certificates are DER. */
export interface ManifestParts {
  readonly plan: UpgradePlan;
  readonly previous: ManifestBody;
  readonly newRoot: Buffer;
  /** NewWithOld; an emergency has none. */
  readonly link: Buffer | undefined;
  /** The issuing CA of the new generation. */
  readonly issuing: Buffer;
  /** The standby root that the version commits to, its certificate. */
  readonly standby: Buffer | undefined;
  /** SM2 keys of the new set, in the order of the plan. */
  readonly signers: readonly SignerKey[];
}

export interface ManifestTimes {
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** Of a version that retires the old anchor. */
  readonly distrustAfter?: Date;
}

const base64 = (der: Buffer): string => der.toString('base64');

/** The key of a certificate (DER), `sm3:<hex>`. */
function keyOf(der: Buffer): string {
  return spkiSm3(parseCertificate(der).spki);
}

function newAnchor(
  { plan, newRoot, previous }: ManifestParts,
  state: ManifestAnchor['state'],
  at: Date,
): ManifestAnchor {
  const { der, spki } = parseCertificate(newRoot);
  const old = previous.anchors.find(({ gen }) => gen === plan.from.generation);
  return {
    gen: plan.to.generation,
    alg: plan.to.algorithm,
    spkiSm3: spkiSm3(spki),
    certSha256: sha256(der).toString('hex'),
    cert: base64(der),
    state,
    trustFrom: signedTime(at),
    purposes: old?.purposes ?? ['ike', 'tlcp'],
  };
}

/** Sets without the certificates that stand in version 1 only. */
function setsOf({ signers }: ManifestBody): SignerSet[] {
  return signers.map((set) => ({ ...set, keys: set.keys.map(({ cert: _first, ...key }) => key) }));
}

function withNewSet({ plan, previous, signers }: ManifestParts): SignerSet[] {
  const sets = setsOf(previous);
  const { signers: planned } = plan;
  if (planned === undefined || sets.some(({ set }) => set === planned.set)) return sets;
  const { set, threshold, emergencyThreshold } = planned;
  return [...sets, { set, threshold, emergencyThreshold, keys: signers }];
}

type Content = Pick<ManifestBody, 'anchors' | 'links' | 'intermediates' | 'distrustedSpki' | 'signers' | 'emergency'>;

/** The anchors with another state for some of them; a date stands only where it is given. */
function restated(
  { anchors }: ManifestBody,
  states: Readonly<Record<string, { readonly state: ManifestAnchor['state']; readonly distrustAfter?: string }>>,
): ManifestAnchor[] {
  return anchors.map((anchor) => {
    const stated = states[anchor.gen];
    if (stated === undefined) return anchor;
    const { distrustAfter: _before, ...undated } = anchor;
    return { ...undated, ...stated };
  });
}

function denied({ distrustedSpki }: ManifestBody, kid: string): string[] {
  return distrustedSpki.includes(kid) ? [...distrustedSpki] : [...distrustedSpki, kid];
}

function oldKey({ plan, previous }: ManifestParts): string {
  const old = previous.anchors.find(({ gen }) => gen === plan.from.generation);
  if (old !== undefined) return old.spkiSm3;
  throw new KmcError('E_STATE', `The newest manifest has no anchor ${plan.from.generation}.`);
}

const CONTENT: Readonly<Record<ManifestPurpose, (parts: ManifestParts, times: ManifestTimes) => Content>> = {
  /** The new anchor beside the old one, with its link; the new signers beside the old ones. */
  stage(parts, { issuedAt }) {
    const { plan, previous, link, issuing } = parts;
    if (link === undefined) throw new KmcError('E_NOT_FOUND', 'There is no link certificate by the old root.');
    return {
      anchors: [...previous.anchors, newAnchor(parts, 'TRUSTED', issuedAt)],
      links: [
        ...previous.links,
        { type: 'newWithOld', from: plan.from.generation, to: plan.to.generation, cert: base64(link) },
      ],
      intermediates: [...new Set([...previous.intermediates, base64(issuing)])],
      distrustedSpki: previous.distrustedSpki,
      signers: withNewSet(parts),
      emergency: false,
    };
  },
  retire({ plan, previous }, { distrustAfter }) {
    if (distrustAfter === undefined) throw new KmcError('E_USAGE', 'State from when on the old anchor is distrusted.');
    return {
      ...previous,
      signers: setsOf(previous),
      anchors: restated(previous, {
        [plan.from.generation]: { state: 'RETIRING', distrustAfter: signedTime(distrustAfter) },
        [plan.to.generation]: { state: 'ACTIVE' },
      }),
    };
  },
  clear: ({ plan, previous }) => ({
    ...previous,
    signers: setsOf(previous),
    anchors: restated(previous, { [plan.from.generation]: { state: 'TRUSTED' } }),
  }),
  /** The old anchor is out, its key denied for ever; of the sets of signers only the newest stays. */
  remove(parts) {
    const { plan, previous } = parts;
    const { from, to, kind } = plan;
    const sets = setsOf(previous);
    const left = (gen: string): boolean => gen !== from.generation;
    return {
      anchors: restated(previous, { [to.generation]: { state: 'ACTIVE' } }).filter(({ gen }) => left(gen)),
      links: previous.links.filter((each) => left(each.from) && left(each.to)),
      intermediates: previous.intermediates,
      distrustedSpki: denied(previous, oldKey(parts)),
      signers: kind === 'ALG_CHANGE' ? sets.slice(-1) : sets,
      emergency: false,
    };
  },
  /** The standby root takes over at once; the old anchor is distrusted at once. */
  emergency(parts, { issuedAt }) {
    const { plan, previous, issuing } = parts;
    return {
      anchors: [
        ...restated(previous, { [plan.from.generation]: { state: 'DISTRUSTED' } }),
        newAnchor(parts, 'ACTIVE', issuedAt),
      ],
      links: previous.links.filter((each) => each.from !== plan.from.generation && each.to !== plan.from.generation),
      intermediates: [...new Set([...previous.intermediates, base64(issuing)])],
      distrustedSpki: denied(previous, oldKey(parts)),
      signers: setsOf(previous),
      emergency: true,
    };
  },
};

/** The next commitment: the standby that T2 made; in an emergency it is used up. */
function commitmentOf(
  purpose: ManifestPurpose,
  { plan, previous, standby }: ManifestParts,
): ManifestBody['nextCommit'] {
  if (purpose === 'emergency') return undefined;
  if (purpose !== 'stage' || standby === undefined) return previous.nextCommit;
  return { alg: plan.to.algorithm, spkiSm3: keyOf(standby) };
}

/**
 * The body of the next version for a purpose, unsigned.
 * @throws KmcError E_STATE, E_USAGE, E_NOT_FOUND when a part is missing.
 */
export function nextManifest(purpose: ManifestPurpose, parts: ManifestParts, times: ManifestTimes): ManifestBody {
  const { previous } = parts;
  const content = CONTENT[purpose](parts, times);
  const nextCommit = commitmentOf(purpose, parts);
  return {
    schema: previous.schema,
    bundle: previous.bundle,
    version: String(versionOf(previous) + 1),
    prevDigest: manifestDigest(previous),
    issuedAt: signedTime(times.issuedAt),
    expiresAt: signedTime(times.expiresAt),
    pollSeconds: content.emergency ? POLL_SECONDS.emergency : POLL_SECONDS.usual,
    emergency: content.emergency,
    anchors: content.anchors,
    links: content.links,
    intermediates: content.intermediates,
    distrustedSpki: content.distrustedSpki,
    ...(nextCommit === undefined ? {} : { nextCommit }),
    signers: content.signers,
  };
}

function timesOf(body: ManifestBody, { plan }: ManifestParts): ManifestTimes | undefined {
  const old = body.anchors.find(({ gen }) => gen === plan.from.generation);
  const [issuedAt, expiresAt] = [readSignedTime(body.issuedAt), readSignedTime(body.expiresAt)];
  if (issuedAt === undefined || expiresAt === undefined) return undefined;
  const distrustAfter = old?.distrustAfter === undefined ? undefined : readSignedTime(old.distrustAfter);
  return { issuedAt, expiresAt, ...(distrustAfter === undefined ? {} : { distrustAfter }) };
}

/**
 * What is wrong with a body that claims to be the next version for that purpose; undefined when it is exactly what
 * `nextManifest` makes with its times, and its date of distrust lies far enough ahead.
 */
export function manifestFault(purpose: ManifestPurpose, parts: ManifestParts, body: ManifestBody): string | undefined {
  const times = timesOf(body, parts);
  if (times === undefined) return 'its times cannot be read.';
  if (purpose === 'retire') {
    const days = parts.plan.gates['distrust-days'];
    const earliest = times.issuedAt.getTime() + days * DAY_MS;
    if (times.distrustAfter === undefined || times.distrustAfter.getTime() < earliest) {
      return `it distrusts the old anchor earlier than ${days} days after it was issued.`;
    }
  }
  if (body.prevDigest !== manifestDigest(parts.previous))
    return 'it does not follow the newest version: draft it again.';
  const wanted = nextManifest(purpose, parts, times);
  const differing = Object.keys({ ...wanted, ...body }).filter((name) => {
    const text = (value: unknown): string => (value === undefined ? '' : canonicalizeSigned({ value }));
    return text(Reflect.get(wanted, name)) !== text(Reflect.get(body, name));
  });
  return differing.length === 0
    ? undefined
    : `it says something else than the upgrade asks for in ${differing.join(', ')}.`;
}
