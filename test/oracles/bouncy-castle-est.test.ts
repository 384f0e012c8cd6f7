/** BouncyCastle's EST client (Debian's libbcpkix-java and a JDK, where they are there) against the RSA label. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { importLegacyAuthority } from '../../src/flows/authorities/import-legacy-authority.ts';
import { encodeGeneralNames } from '../../src/x509/extensions/general-name.ts';
import { registered, tokenFor } from '../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { legacyIssuing, legacyKey, legacyRoot } from '../flows/authorities/legacy-estate.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

const JARS = ['bcprov', 'bcpkix', 'bcutil'].map((name) => `/usr/share/java/${name}.jar`);
const PROGRAM = join(import.meta.dirname, 'BouncyCastleEst.java');
const isThere = JARS.every((jar) => existsSync(jar)) && spawnSync('javac', ['-version']).status === 0;

let classes: string | undefined;

function compiled(): string {
  if (classes !== undefined) return classes;
  classes = mkdtempSync(join(tmpdir(), 'kmc-bc-est-'));
  execFileSync('javac', ['-cp', JARS.join(':'), '-d', classes, PROGRAM], { stdio: 'pipe' });
  return classes;
}

/** Lines of the program, which runs beside the service in this process. */
async function runEst(...args: string[]): Promise<string[]> {
  const child = spawn('java', ['-cp', [compiled(), ...JARS].join(':'), 'BouncyCastleEst', ...args]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return text.trim().split('\n');
}

after(() => {
  if (classes !== undefined) rmSync(classes, { recursive: true, force: true });
});

forEachDatabase("BouncyCastle's EST client", (fixture) => {
  // What the other side sees depends on no database: the slow program runs once.
  if (fixture.engine === 'postgresql') return;
  const test = testInstance(fixture);
  const service = liveService(test, { tls: true });

  before(function needed() {
    if (!isThere) this.skip();
  });

  it('enrols under Basic on the RSA label and re-enrols under its certificate, for the same key and a new one', async function () {
    this.timeout(60_000);
    const { instance, folder, database } = test();
    await importLegacyAuthority(instance, SYSTEM, legacyRoot());
    const key = await legacyKey(instance.engine, 'issuing');
    await importLegacyAuthority(instance, SYSTEM, { ...legacyIssuing(), key });
    const device = await registered(test(), 'gw-rsa', { profile: 'legacy-gateway' });
    const { token } = await tokenFor(test(), 'gw-rsa');
    const anchor = join(folder, 'transport.pem');
    writeFileSync(anchor, service().tls.anchor);
    const lines = await runEst(
      new URL(service().tls.listener.url).port,
      anchor,
      'legacy-gateway',
      device.serial,
      token.toString('ascii'),
      device.subject.toString('base64'),
      encodeGeneralNames(readAlternativeNames(device.alternativeNames)).toString('base64'),
    );
    expect(
      lines.map((line) => line.split(' ')[0]),
      lines.join('\n'),
    ).to.deep.equal(['cacerts', 'csrattrs', 'refused', 'enrolled', 'renewed', 'rekeyed', 'ok']);
    expect(lines.slice(0, 3)).to.deep.equal(['cacerts 2', 'csrattrs 3', 'refused 401']);
    const rows = await database.read((reader) => reader.certificates.list({ deviceId: 'gw-rsa' }, { limit: 9 }));
    expect(rows.map(({ profile, authorityId }) => `${profile} ${authorityId}`)).to.deep.equal(
      Array.from({ length: 3 }, () => 'legacy-gateway rsa-issuing'),
    );
    const events = await test().history('device', 'gw-rsa');
    expect(events.filter(({ act }) => act === 'enrolment.renew')).to.have.length(2);
    expect(service().faults).to.deep.equal([]);
  });
});
