import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { spkiSm3 } from '../../../../src/crypto/spki.ts';
import { advanceAuditLog } from '../../../../src/flows/audit/log/advance-audit-log.ts';
import { checkAuditLog } from '../../../../src/flows/audit/log/check-audit-log.ts';
import { checkSignedTree } from '../../../../src/flows/audit/checkpoints/check-signed-tree.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { openEndlessLog } from './endless-log.ts';
import { engine, makeLogKey, ORIGIN } from '../test-log.ts';

const ROUNDS = 2;

forEachDatabase('a service killed while it writes, sequences and signs', (fixture) => {
  it('goes on with everything it had confirmed, and signs nothing that contradicts what it signed', async function kill() {
    this.timeout(120_000);
    const folder = mkdtempSync(join(tmpdir(), 'kmc-kill-'));
    const { key } = await makeLogKey();
    const keyFile = join(folder, 'key.der');
    writeFileSync(keyFile, await engine.exportPkcs8(key, Buffer.from('test'), 'gmssl'));
    const signer = join(folder, 'signer');
    const confirmed: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const program = spawn(
        process.execPath,
        ['--import', 'tsx', join(import.meta.dirname, 'endless-log.ts'), fixture.url, signer, keyFile],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = '';
      program.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      await once(program.stdout, 'data');
      await delay(60 + round * 37);
      program.kill('SIGKILL');
      await once(program, 'close');
      confirmed.push(...said.split('\n').slice(0, -1));
    }
    const { database, ports } = await openEndlessLog(fixture.url, signer, key);
    await checkSignedTree(ports);
    await advanceAuditLog(ports, { origin: ORIGIN, key });
    const policy = { origin: ORIGIN, logKey: spkiSm3(key.spki), clockSkew: 5, maxDelay: 60, witnesses: [], quorum: 0 };
    const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2099-01-01T00:00:00Z') };
    const { report, rows, ok } = await checkAuditLog({ database }, { policy, logSpki: key.spki, validity });
    expect(report.findings).to.deep.equal([]);
    expect(rows).to.deep.include({ pending: 0, quarantined: 0 });
    expect(ok).to.equal(true);
    for (const id of confirmed) {
      const row = await database.read(({ audit }) => audit.find(id));
      expect(row?.index, id).to.be.within(0, rows.sequenced - 1);
    }
    await database.close();
    rmSync(folder, { recursive: true });
  });
});
