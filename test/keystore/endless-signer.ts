/** A signer that puts one state after the other into its memory and says so: to be killed by a test. */
import { writeSync } from 'node:fs';
import { createAuditSignerState } from '../../src/keystore/audit-signer-state.ts';

const memory = createAuditSignerState(process.argv[2] ?? '');
for (let state = await memory.load(); ;) {
  const size = (state?.size ?? 0) + 1;
  const next = {
    origin: 'kmc.example.org/audit/2026',
    size,
    nodes: [Buffer.alloc(32, size % 256)],
    time: 1_700_000_000 + size,
    note: `note ${size}\n`,
  };
  await memory.replace(state, next);
  writeSync(1, `${size}\n`);
  state = next;
}
