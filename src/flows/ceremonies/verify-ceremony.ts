import { verifyBundle, type BundleFinding, type VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { validatePath } from '../../x509/path.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';

export interface VerifyCeremonyOptions {
  /** Certificates (DER) of the administrator CA: with them, every seat must hold a certificate that leads to one. */
  readonly anchors?: readonly Buffer[];
  readonly allowDeviations?: boolean;
}

/** A closed bundle whose parts agree, or everything that is wrong with it. */
export type CeremonyVerdict =
  | { readonly bundle: VerifiedBundle; readonly findings?: never }
  | { readonly bundle?: never; readonly findings: readonly BundleFinding[] };

/**
 * Verifies a closed bundle offline.
 * @throws KmcError E_INTEGRITY, E_SIZE for a folder that cannot be a bundle; E_CERT, E_DER for an anchor.
 */
export function verifyCeremony(folder: CeremonyFolder, options: VerifyCeremonyOptions = {}): CeremonyVerdict {
  const { anchors = [], ...rest } = options;
  const verdict = verifyBundle(folder.files(), rest);
  if (verdict.bundle === undefined || anchors.length === 0) return verdict;
  const trusted = anchors.map((der) => parseCertificate(der));
  const at = new Date(verdict.bundle.closing.closedAt);
  const findings = verdict.bundle.seats.flatMap(({ seat, certificate }) => {
    const path = validatePath({ leaf: certificate, intermediates: [], anchors: trusted, at, purpose: 'signature' });
    return path.valid
      ? []
      : [{ file: 'signatures', detail: `the certificate of a ${seat} does not lead to the anchor` }];
  });
  return findings.length === 0 ? verdict : { findings };
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
