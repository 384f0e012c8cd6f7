import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runAuditPull } from '../../src/cli/audit-pull.ts';
import { runAuditWitness } from '../../src/cli/audit-witness.ts';
import type { CommandContext, CommandInput, Outcome } from '../../src/cli/command.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { parseNote, witnessName } from '../../src/domain/audit/checkpoint.ts';
import { formatAuditPolicy } from '../../src/domain/audit/policy.ts';
import { requireCosigned } from '../../src/flows/audit/checkpoints/cosigned-note.ts';
import { testInstance } from '../fixtures/instance.ts';
import { LiveService, send } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';
import { refusal } from '../store/race.ts';

forEachDatabase('kmc audit witness', (fixture) => {
  const test = testInstance(fixture);
  let live: LiveService;
  let folder: string;

  beforeEach(async function startService() {
    live = await LiveService.start(test(), { log: test().people.securityOne });
    folder = mkdtempSync(join(tmpdir(), 'kmc-witness-'));
    await live.advanceLog();
  });

  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true });
    await live.close();
  });

  function inputOf(values: Readonly<Record<string, string>>): CommandInput {
    const text = (name: string): string | undefined => values[name];
    const required = (name: string): string => values[name] ?? expect.fail(`--${name} is needed`);
    return { text, required, list: () => [], flag: () => false, setting: text, positionals: [] };
  }

  async function witness(values: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const { auditor } = test().people;
    const context: Pick<CommandContext, 'engine' | 'client' | 'personalKey'> = {
      engine: live.instance.engine,
      client: () => Promise.resolve(live.client(auditor)),
      personalKey: () => Promise.resolve({ key: auditor.key, certificate: auditor.certificate.der }),
    };
    const given = { state: join(folder, 'state.json'), person: auditor.id, ...values };
    return await runAuditWitness(inputOf(given), context as CommandContext);
  }

  async function checkpoint(query = ''): Promise<{ status: number; text: string }> {
    return await send(live.url, 'GET', `/api/v1/audit/checkpoint${query}`);
  }

  it('cosigns the newest checkpoint, and the next one that extends it', async () => {
    expect((await checkpoint('?cosigned=1')).status).to.equal(404);
    const first = await witness();
    expect([first.exitCode, first.text]).to.deep.equal([undefined, first.text]);
    expect(first.text).to.include('first run');
    const note = parseNote((await checkpoint('?cosigned=1')).text);
    expect(note.signatures.map(({ name }) => name)).to.include(witnessName(test().people.auditor.id));
    await live.advanceLog();
    const second = await witness();
    expect(second.text).not.to.include('first run');
    expect(parseNote((await checkpoint('?cosigned=1')).text).checkpoint.size).to.be.greaterThan(note.checkpoint.size);
    expect((await checkpoint('?cosigned=2')).status).to.equal(404);
  });

  it('a pulled copy meets a policy that asks for the cosignature', async () => {
    await witness();
    const { auditor, securityOne } = test().people;
    const policyFile = join(folder, 'policy.json');
    const name = witnessName(auditor.id);
    const policy = (spki: Buffer): string =>
      formatAuditPolicy({
        origin: live.instance.audit.origin,
        logKey: spkiSm3(securityOne.key.spki),
        clockSkew: 86_400,
        maxDelay: 86_400,
        witnesses: [{ name, signer: 'witness', spki }],
        quorum: 1,
      });
    writeFileSync(policyFile, policy(auditor.key.spki));
    const directory = join(folder, 'copy');
    const options = { directory, policyFile, cosigned: '1' };
    const { exitCode, report } = await runAuditPull(live.client(auditor), options);
    expect(exitCode, JSON.stringify(report.findings)).to.equal(0);
    expect(report.witnesses.map((one) => one.name)).to.deep.equal([name]);
    writeFileSync(policyFile, policy(securityOne.key.spki));
    const other = await runAuditPull(live.client(auditor), { ...options, directory: join(folder, 'second') });
    expect(other.exitCode).to.equal(13);
  });

  it('works by files on a machine without a network', async () => {
    const [request, cosignature] = [join(folder, 'request.json'), join(folder, 'cosignature.json')];
    await witness({ fetch: request });
    await witness({ in: request, out: cosignature });
    expect((await checkpoint('?cosigned=1')).status).to.equal(404);
    await witness({ submit: cosignature });
    expect((await checkpoint('?cosigned=1')).status).to.equal(200);
    expect(await witness({ submit: cosignature })).to.deep.include({ json: { added: false } });
  });

  it('refuses a smaller log (15), another one (12), another key (11), and keeps what it has seen', async () => {
    const old = join(folder, 'old.json');
    await witness({ fetch: old });
    await live.client(test().people.auditor).send('GET', '/api/v1/audit/events');
    await live.advanceLog();
    await witness();
    const seen = readFileSync(join(folder, 'state.json'), 'utf8');
    await live.client(test().people.auditor).send('GET', '/api/v1/audit/events');
    await live.advanceLog();
    await witness();
    const exitOf = async (change: Record<string, unknown>, state = {}): Promise<number | undefined> => {
      const now = join(folder, `request-${Math.floor(performance.now() * 1000)}.json`);
      const known = JSON.parse(seen) as Record<string, string>;
      writeFileSync(join(folder, 'state.json'), JSON.stringify({ ...known, ...state }));
      await witness({ fetch: now, from: known['size']! });
      const request = JSON.parse(readFileSync(now, 'utf8')) as Record<string, unknown>;
      writeFileSync(now, JSON.stringify({ ...request, ...change }));
      const before = readFileSync(join(folder, 'state.json'), 'utf8');
      const { exitCode } = await witness({ in: now, out: `${now}.out` });
      if (exitCode !== undefined) expect(readFileSync(join(folder, 'state.json'), 'utf8')).to.equal(before);
      return exitCode;
    };
    expect(await exitOf({})).to.equal(undefined);
    expect(await exitOf({}, { size: '999999' })).to.equal(15);
    expect(await exitOf({}, { root: Buffer.alloc(32).toString('base64') })).to.equal(12);
    expect(await exitOf({}, { logKey: `sm3:${'0'.repeat(64)}` })).to.equal(11);
    expect(await exitOf({ proof: [] })).to.equal(12);
    expect(await exitOf({ from: '1' })).to.equal(3);
    expect((await witness({ in: old, out: `${old}.out` })).exitCode, 'an old checkpoint').to.equal(15);
  });

  it('only the auditor who calls is the witness, with the key of the call', async () => {
    const request = join(folder, 'request.json');
    const cosignature = join(folder, 'cosignature.json');
    await witness({ fetch: request });
    await witness({ in: request, out: cosignature, person: 'somebody-else' });
    const body = JSON.parse(readFileSync(cosignature, 'utf8')) as { line: string; time: number };
    const post = (who: 'auditor' | 'securityOne', given: unknown): Promise<unknown> =>
      live.client(test().people[who]).json('POST', '/api/v1/audit/cosignatures', given);
    await refusal('E_SIGNATURE', post('auditor', body));
    await refusal('E_FORBIDDEN', post('securityOne', body));
    await refusal('E_NOT_FOUND', post('auditor', { ...body, time: body.time - 1 }));
    await refusal('E_SCHEMA', post('auditor', { ...body, line: 'x' }));
  });

  it('what policy wants cosigned is handed out only when the checkpoint over it is', async () => {
    const { database } = test();
    const [event] = await database.read(({ audit }) => audit.entries(0, 1));
    const release = (keys: number): Promise<void> =>
      database.read((reader) => requireCosigned(reader, event!.eventId, keys));
    await release(0);
    await refusal('E_PENDING', release(1));
    await witness();
    await release(1);
    await refusal('E_PENDING', release(2));
    await live.client(test().people.auditor).send('GET', '/api/v1/audit/events');
    const { id } = (await test().history('person', test().people.auditor.id)).at(-1)!;
    await refusal(
      'E_PENDING',
      database.read((reader) => requireCosigned(reader, id, 1)),
    );
  });
});
