import type { AuditReader, AuditReceipt } from '../../ports/audit.ts';

const LEAVES_AT_ONCE = 65_536;

/**
 * What this process has committed and not yet seen in a signed checkpoint (audit-log 3.7). Who deletes a waiting event
 * from the database, before the sequencer comes, and sets its chain back, is found out here and nowhere else.
 */
export class OutstandingReceipts {
  /** By `sm3:<hex>` of the leaf. */
  readonly #waiting = new Map<string, { readonly receipt: AuditReceipt; readonly since: Date }>();
  #settledSize: number | undefined;

  add(receipts: readonly AuditReceipt[], at: Date): void {
    for (const receipt of receipts) this.#waiting.set(receipt.leaf, { receipt, since: at });
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Crosses off what the leaves below `signedSize` hold.
   * @param reader of the tree that was signed.
   */
  async settle(reader: AuditReader, signedSize: number): Promise<void> {
    if (this.#settledSize === undefined) await this.#settleOneByOne(reader, signedSize);
    let from = this.#settledSize ?? signedSize;
    while (from < signedSize && this.#waiting.size > 0) {
      const leaves = await reader.leaves(from, Math.min(signedSize - from, LEAVES_AT_ONCE));
      if (leaves.length === 0) break;
      for (const leaf of leaves) this.#waiting.delete(`sm3:${leaf.toString('hex')}`);
      from += leaves.length;
    }
    this.#settledSize = Math.max(from, signedSize);
  }

  /** At the first time, when nothing says from where on the tree may hold them. */
  async #settleOneByOne(reader: AuditReader, signedSize: number): Promise<void> {
    for (const [leaf, { receipt }] of this.#waiting) {
      const row = await reader.find(receipt.eventId);
      const isThere = row?.index !== undefined && row.index < signedSize;
      if (isThere && `sm3:${row.leaf.toString('hex')}` === leaf) this.#waiting.delete(leaf);
    }
  }

  /** What is still missing although it was committed before `deadline`: an alarm. */
  overdue(deadline: Date): AuditReceipt[] {
    return [...this.#waiting.values()].filter(({ since }) => since < deadline).map(({ receipt }) => receipt);
  }
}
