/** Exports of logs made by hand for tests: whole ones, and ones that a dishonest log would sign. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { checkpointMessage, encodeNote, noteKeyId, type NoteSigner } from '../../src/domain/audit/checkpoint.ts';
import { encodeAuditEvent, type AuditEventInput, type ChainHead } from '../../src/domain/audit/event.ts';
import { formatAuditPolicy, type AuditPolicy } from '../../src/domain/audit/policy.ts';
import { subjectKey } from '../../src/domain/audit/record.ts';
import { encodeEntryBundle, tilePath, tilesOf, TILE_WIDTH } from '../../src/domain/audit/tiles.ts';
import { leafHash, rootOfLeaves } from '../../src/domain/audit/tree.ts';
import { deviceEvent, engine, ORIGIN, START, type LogKey } from '../flows/audit/test-log.ts';

/** Writes events one after the other, each in the chains of its subjects. */
export class EventWriter {
  readonly heads = new Map<string, ChainHead>();
  readonly canons: Buffer[] = [];
  #second = 0;

  /** The next event, a second after the one before. `context` overrules what the log knows. */
  add(given: Partial<AuditEventInput> = {}, context: Partial<Parameters<typeof encodeAuditEvent>[1]> = {}): Buffer {
    this.#second += 1;
    const n = this.canons.length;
    const event = deviceEvent(`dev-${n % 3}`, { id: `ev-${String(n).padStart(6, '0')}`, ...given });
    const at = new Date(START.getTime() + this.#second * 1000);
    const encoded = encodeAuditEvent(event, { log: ORIGIN, at, heads: this.heads, ...context });
    this.push(encoded.canon);
    for (const link of encoded.record.subj) {
      this.heads.set(subjectKey(link), { nextN: link.n + 1, lastLeaf: encoded.leaf });
    }
    return encoded.canon;
  }

  /** Bytes as they are, outside of every chain. */
  push(canon: Buffer): void {
    this.canons.push(canon);
  }

  /** Seconds since 1970 at which the event of that index was written. */
  timeOf(index: number): number {
    return Math.floor(START.getTime() / 1000) + index + 1;
  }
}

/** A signed note over the first `size` events. */
export async function signNote(
  canons: readonly Buffer[],
  size: number,
  time: number,
  key: LogKey['key'],
  { name = ORIGIN, signer = 'log' }: { readonly name?: string; readonly signer?: NoteSigner } = {},
): Promise<string> {
  const root = rootOfLeaves(
    sm3,
    canons.slice(0, size).map((canon) => leafHash(sm3, canon)),
  );
  const checkpoint = { origin: ORIGIN, size, root };
  const der = await engine.sign(key, 'SM2-SM3', checkpointMessage(signer, time, checkpoint));
  const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
  return encodeNote({
    checkpoint,
    signatures: [{ name, keyId: noteKeyId({ name, signer, spki: key.spki }), time, signature }],
  });
}

export interface ExportInput {
  readonly canons: readonly Buffer[];
  readonly checkpoint: string;
  readonly notes?: readonly string[];
  readonly logKey: LogKey;
  /** Size of the tree that the tiles show; that of the events unless told. */
  readonly tiles?: number | 'none';
  readonly policy?: Partial<AuditPolicy>;
}

/** Writes the folder that `kmc audit verify` reads. */
export function writeExport(directory: string, input: ExportInput): void {
  const put = (path: string, content: string | Buffer): void => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  };
  const { canons, logKey } = input;
  const policy = {
    origin: ORIGIN,
    logKey: spkiSm3(logKey.key.spki),
    clockSkew: 5,
    maxDelay: 60,
    witnesses: [],
    quorum: 0,
    ...input.policy,
  };
  put('events.jsonl', Buffer.concat(canons.flatMap((canon) => [canon, Buffer.from('\n')])));
  put('checkpoint.txt', input.checkpoint);
  put('checkpoints.jsonl', (input.notes ?? []).map((note) => `${JSON.stringify({ note })}\n`).join(''));
  put('log.crt.pem', encodePem('CERTIFICATE', logKey.certificate));
  put('policy.json', formatAuditPolicy(policy));
  if (input.tiles === 'none') return;
  const leaves = canons.map((canon) => leafHash(sm3, canon));
  for (const tile of tilesOf(input.tiles ?? canons.length)) {
    const first = tile.index * TILE_WIDTH;
    const span = TILE_WIDTH ** (tile.level === 'entries' ? 0 : tile.level);
    const content =
      tile.level === 'entries'
        ? encodeEntryBundle(canons.slice(first, first + tile.width))
        : Buffer.concat(
            Array.from({ length: tile.width }, (_, at) =>
              rootOfLeaves(sm3, leaves.slice((first + at) * span, (first + at + 1) * span)),
            ),
          );
    put(`tiles/${tilePath(tile)}`, content);
  }
}
