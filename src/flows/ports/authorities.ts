/** Certification authorities, our own and others'. An authority is a name and a key (house rule; A.2). */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';

export type AuthorityKind = 'root' | 'issuing' | 'transport' | 'administrator' | 'external';

/** `staged` does not issue yet, `restricted` issues for waived devices only, `crl-only` signs CRLs and OCSP answers. */
export type AuthorityState = 'staged' | 'active' | 'restricted' | 'crl-only' | 'retired' | 'revoked';

/** Of a legacy authority: while `awaited`, nothing is said about any of its certificates (A.7). */
export type InventoryState = 'none' | 'awaited' | 'complete';

export interface AuthorityRow {
  readonly id: string;
  readonly kind: AuthorityKind;
  /** Root generation, e.g. `G2`. */
  readonly generation: string | undefined;
  /** Name, DER. */
  readonly subject: Buffer;
  readonly algorithm: KeyAlgorithmName;
  readonly spkiSm3: string;
  /** Its certificate, DER. */
  readonly certificate: Buffer;
  /** Key id in the keystore that holds the key; absent for external ones. */
  readonly keyId: string | undefined;
  /** The authority that issued the certificate; absent for a self-signed one. */
  readonly issuerId: string | undefined;
  readonly state: AuthorityState;
  readonly inventory: InventoryState;
  /** Number of the last CRL, 0 before the first. At most 20 octets (RFC 5280 5.2.3). */
  readonly crlNumber: bigint;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Rises by one with every change of the row, except of `crlNumber`. */
  readonly version: number;
  readonly createdAt: Date;
}

export interface AuthorityFilter {
  readonly kind?: AuthorityKind;
  readonly state?: AuthorityState;
}

export interface AuthorityReader {
  find(id: string): Promise<AuthorityRow | undefined>;
  /** Those with that Name (DER): during an upgrade a name may stand with two keys. */
  findBySubject(subject: Buffer): Promise<AuthorityRow[]>;
  findByKey(spkiSm3: string): Promise<AuthorityRow[]>;
  /** All of them, in the order of ids. */
  list(filter: AuthorityFilter): Promise<AuthorityRow[]>;
}

export interface AuthorityWriter extends AuthorityReader {
  /** False when the id, or the same name with the same key, stands there already. */
  insert(row: AuthorityRow): Promise<boolean>;
  /** Compare-and-set on state and version. */
  move(
    id: string,
    from: { readonly state: AuthorityState; readonly version: number },
    to: AuthorityState,
  ): Promise<boolean>;
  /** `awaited` to `complete`. False when it is not awaited. */
  completeInventory(id: string): Promise<boolean>;
  /** Takes the next CRL number: compare-and-set from `from`. @throws KmcError E_CRL when `to` is not greater. */
  advanceCrlNumber(id: string, from: bigint, to: bigint): Promise<boolean>;
}
