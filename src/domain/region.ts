/** Regions of the estate (GB/T 2260 codes) and the registration authorities in them. The data stands in policies/regions.yaml. */
import { KmcError } from '../errors.ts';

/** `national` is the national centre; a province or the corps is one partition of the fleet and of the CRL. */
export type RegionKind = 'national' | 'province' | 'corps';

export interface Region {
  /** Six digits of GB/T 2260. */
  readonly code: string;
  readonly kind: RegionKind;
  readonly name: { readonly en: string; readonly zh: string };
}

/** A registration authority as policy knows it: which region it is for, and whether it worked before this service. */
export interface RegistrationAuthority {
  readonly id: string;
  readonly region: string;
  readonly name: { readonly en: string; readonly zh: string };
  /** It worked before this service kept the way into service: taken over as in service, once. */
  readonly inService: boolean;
}

export const REGION_CODE = /^[1-9][0-9]{5}$/;

/** How many regions of each kind there are: the national centre, 31 provinces, the Xinjiang corps. */
export const REGION_COUNTS: Readonly<Record<RegionKind, number>> = { national: 1, province: 31, corps: 1 };

/**
 * The region with that code.
 * @throws KmcError E_NOT_FOUND when no region has it.
 */
export function findRegion(regions: readonly Region[], code: string): Region {
  const found = regions.find((region) => region.code === code);
  if (found === undefined) {
    throw new KmcError('E_NOT_FOUND', 'No region has that code. Use a code of policies/regions.yaml.');
  }
  return found;
}

/** True for a province or the corps: a person of the national centre belongs to no province. */
export function isPartition(regions: readonly Region[], code: string | undefined): boolean {
  return regions.some((region) => region.code === code && region.kind !== 'national');
}

/** The provinces and the corps, in the order of their codes: the partitions of the fleet and the shards of its CRL. */
export function partitions(regions: readonly Region[]): Region[] {
  return regions.filter((region) => region.kind !== 'national').sort((a, b) => (a.code < b.code ? -1 : 1));
}
