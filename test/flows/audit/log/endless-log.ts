/** A service that appends, sequences and signs without end, and names what it has committed: to be killed by a test. */
import { readFileSync, writeSync } from 'node:fs';
import { hmacSm3 } from '../../../../src/crypto/gm/sm3.ts';
import { newId } from '../../../../src/domain/id.ts';
import { advanceAuditLog, type AuditLogPorts } from '../../../../src/flows/audit/log/advance-audit-log.ts';
import { CheckpointSight } from '../../../../src/flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../../../../src/flows/audit/receipts/outstanding-receipts.ts';
import type { AuditRowMac } from '../../../../src/flows/ports/audit.ts';
import { createAuditSignerState } from '../../../../src/keystore/audit-signer-state.ts';
import { openDatabase, type KmcDatabase } from '../../../../src/store/database.ts';
import type { KeyHandle } from '../../../../src/crypto/engine.ts';
import { deviceEvent, engine, ORIGIN } from '../test-log.ts';

const MAC_KEY = Buffer.alloc(32, 5);

/** The same key in every process, which no engine would give out. */
const rowMac: AuditRowMac = {
  compute: (message) => Promise.resolve({ mac: hmacSm3(MAC_KEY, message), version: 1 }),
  verify: (message, { mac }) => Promise.resolve(hmacSm3(MAC_KEY, message).equals(mac)),
};

/** Opens the log of a folder; its clock runs a second with each look at it. */
export async function openEndlessLog(
  url: string,
  folder: string,
  key: KeyHandle,
): Promise<{ database: KmcDatabase; ports: AuditLogPorts }> {
  const sight = new CheckpointSight({ name: ORIGIN, signer: 'log', spki: key.spki });
  const database = await openDatabase({ url, audit: { origin: ORIGIN, rowMac, verified: sight } });
  const signerState = createAuditSignerState(folder);
  let time = Math.max(Date.parse('2026-11-23T00:00:00Z'), ((await signerState.load())?.time ?? 0) * 1000);
  const clock = { now: () => new Date((time += 1000)) };
  const outstanding = new OutstandingReceipts();
  const ports = { database, auditLog: database.auditLog, signerState, engine, clock, rowMac, sight, outstanding };
  return { database, ports };
}

/** The key of the log from its file. */
export async function readKey(file: string): Promise<KeyHandle> {
  return await engine.importPkcs8(readFileSync(file), Buffer.from('test'));
}

const [, script = '', url = '', folder = '', keyFile = ''] = process.argv;
if (script.endsWith('endless-log.ts')) {
  const key = await readKey(keyFile);
  const { database, ports } = await openEndlessLog(url, folder, key);
  for (let round = 0; ; round += 1) {
    const ids = [newId('ev'), newId('ev')];
    await database.transaction(async (tx) => {
      for (const id of ids) await tx.audit.append(deviceEvent(`dev-${round % 5}`, { id }), ports.clock.now());
    });
    writeSync(1, `${ids.join('\n')}\n`);
    await advanceAuditLog(ports, { origin: ORIGIN, key });
  }
}
