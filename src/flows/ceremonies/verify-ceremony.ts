import { outputFile } from '../../domain/ceremony/bundle-files.ts';
import { stepText } from '../../domain/ceremony/ceremony-file.ts';
import { ceremonyTypeRule } from '../../domain/ceremony/ceremony-types.ts';
import { plannedSteps } from '../../domain/ceremony/planned-file.ts';
import { verifyBundle, type BundleFinding, type VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { validatePath } from '../../x509/path.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';

export interface VerifyCeremonyOptions {
  /**
   * Certificates (DER) of the administrator CA: with them, every seat must hold a certificate that leads to one. The first
   * ceremony must have made one of them.
   */
  readonly anchors?: readonly Buffer[];
  readonly allowDeviations?: boolean;
}

/**
 * What the anchors were held against: `people`, every certificate of a seat leads to one; `authority`, the first ceremony,
 * whose people sign with certificates of their own making, made the administrator CA that is an anchor; `nothing`.
 */
export type Anchored = 'people' | 'authority' | 'nothing';

/** A closed bundle whose parts agree, or everything that is wrong with it. */
export type CeremonyVerdict =
  | { readonly bundle: VerifiedBundle; readonly anchored: Anchored; readonly findings?: never }
  | { readonly bundle?: never; readonly findings: readonly BundleFinding[] };

/**
 * Verifies a closed bundle offline.
 * @throws KmcError E_INTEGRITY, E_SIZE for a folder that cannot be a bundle; E_CERT, E_DER for an anchor.
 */
export function verifyCeremony(folder: CeremonyFolder, options: VerifyCeremonyOptions = {}): CeremonyVerdict {
  const { anchors = [], ...rest } = options;
  const files = folder.files();
  const { bundle, findings: faults } = verifyBundle(files, rest);
  if (bundle === undefined) return { findings: faults };
  if (anchors.length === 0) return { bundle, anchored: 'nothing' };
  const trusted = anchors.map((der) => parseCertificate(der));
  // The seats of the first ceremony hold the certificates that its file names by fingerprint: verifyBundle saw to it.
  const first = ceremonyTypeRule(bundle.plan.type)?.first === true;
  const findings = first ? foreignAuthority(bundle, files, trusted) : strangers(bundle, trusted);
  return findings.length > 0 ? { findings } : { bundle, anchored: first ? 'authority' : 'people' };
}

/** Seats whose certificates do not lead to an anchor. */
function strangers({ seats, closing }: VerifiedBundle, anchors: readonly Certificate[]): BundleFinding[] {
  const at = new Date(closing.closedAt);
  return seats.flatMap(({ seat, certificate }) => {
    const path = validatePath({ leaf: certificate, intermediates: [], anchors, at, purpose: 'signature' });
    return path.valid
      ? []
      : [{ file: 'signatures', detail: `the certificate of a ${seat} does not lead to the anchor` }];
  });
}

/** The administrator CA of the first ceremony, when it is none of the anchors. */
function foreignAuthority(
  { plan }: VerifiedBundle,
  files: ReadonlyMap<string, Buffer>,
  anchors: readonly Certificate[],
): BundleFinding[] {
  const made = plannedSteps(plan)
    .filter((step) => step.do === 'create-authority' && step.members['kind'] === 'administrator')
    .map((step) => outputFile(stepText(step, 'out')));
  const isAnchor = (file: string) => anchors.some(({ der }) => files.get(file)?.equals(der) === true);
  if (made.length > 0 && made.every(isAnchor)) return [];
  return [{ file: made[0] ?? 'outputs', detail: 'the administrator CA that this ceremony made is not the anchor' }];
}

/**
 * The closed bundle in a folder.
 * @throws KmcError E_SIGNATURE naming the first fault; `pointers` lists each.
 */
export function requireVerifiedCeremony(folder: CeremonyFolder, options: VerifyCeremonyOptions = {}): VerifiedBundle {
  const { bundle, findings } = verifyCeremony(folder, options);
  if (bundle !== undefined) return bundle;
  const [first] = findings;
  throw new KmcError('E_SIGNATURE', `The bundle does not verify: ${first?.file ?? ''}: ${first?.detail ?? ''}.`, {
    pointers: findings.map(({ file, detail }) => ({ pointer: `/${file}`, detail })),
  });
}
