/**
 * The history file: everything that the log holds about one key of its index up to a signed checkpoint, with the proof
 * that there is nothing else (audit-log 3.12). One JSON file that verifies offline.
 */

export const HISTORY_KIND = 'kmc-audit-history/v1';

/** An entry of the index at its position in the tree over all entries. */
export interface HistoryIndexEntry {
  readonly position: number;
  /** The octets of the entry as UTF-8 text. */
  readonly entry: string;
  /** base64 of 32 octets each. */
  readonly proof: readonly string[];
}

export interface HistoryFile {
  readonly kind: typeof HISTORY_KIND;
  /** `<type> <id>`: a subject, `actor <type>:<id>` or `term <type>:<id>`. */
  readonly key: string;
  /** What was asked for: shown, while the proof is about the whole history. RFC 3339. */
  readonly period?: { readonly from?: string; readonly to?: string };
  /** The signed note. */
  readonly checkpoint: string;
  /** Certificate of the log's key, PEM. */
  readonly certificate: string;
  /**
   * The index over the first `size` leaves: the entry of the key, or the one or two that stand where it would. Absent
   * while no epoch was closed: then the tail is the whole log.
   */
  readonly index?: { readonly size: number; readonly entries: readonly HistoryIndexEntry[] };
  /** The events under the key below `index.size`, each with its inclusion proof (base64 hashes). */
  readonly events: readonly { readonly index: number; readonly canon: string; readonly proof: readonly string[] }[];
  /** All leaves from `from` to the checkpoint, behind the edge of the tree of `from` leaves (base64, largest first). */
  readonly tail: { readonly from: number; readonly edge: readonly string[]; readonly events: readonly string[] };
}
