/** A tree held in memory, level by level, for the tests. */
import { nodeHash, type HashFunction, type NodeReader } from '../../../src/domain/audit/tree.ts';

/** Reads the perfect subtrees over `leaves`. */
export function memoryNodes(hash: HashFunction, leaves: readonly Buffer[]): NodeReader {
  const levels: Buffer[][] = [[...leaves]];
  for (let row = levels[0]!; row.length > 1; row = levels.at(-1)!) {
    const above: Buffer[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) above.push(nodeHash(hash, row[at]!, row[at + 1]!));
    levels.push(above);
  }
  return async (level, index) => {
    const node = levels[level]?.[index];
    if (node === undefined) throw new Error(`no node ${level}/${index}`);
    return node;
  };
}
