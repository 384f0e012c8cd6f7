import type { RoleName } from '../../domain/roles.ts';

/** Who hands in a manifest that is signed: its signatures are what counts, not the hand that brings it. */
export const MANIFEST_PUBLISHERS: readonly RoleName[] = ['bundle-signer', 'ca-owner', 'security-administrator'];
