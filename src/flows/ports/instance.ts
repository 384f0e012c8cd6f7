/** What the database says of the instance it belongs to, and the epoch of the service keystore. */

/** `policy-digest` is the digest of the policy set in force; another one needs an approved request. */
export type InstanceEntry = 'instance-id' | 'environment' | 'policy-digest';

export interface InstanceReader {
  /** The value, or nothing while it was never set. */
  get(entry: InstanceEntry): Promise<string | undefined>;
  /** Epoch of the service keystore's manifest (security-and-faults 2.4); 0 before the keystore is made. */
  keystoreEpoch(): Promise<number>;
}

export interface InstanceWriter extends InstanceReader {
  /** Sets a value for the first time. False when the entry has one already, whichever it is. */
  establish(entry: InstanceEntry, value: string): Promise<boolean>;
  /** Puts `to` in the place of `from`. False when the value is not `from`. */
  replace(entry: InstanceEntry, from: string, to: string): Promise<boolean>;
  /** Raises the epoch from `from` to `from + 1`. False when it is not `from`. */
  advanceKeystoreEpoch(from: number): Promise<boolean>;
}
