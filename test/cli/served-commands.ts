/** The command line as the people of a test instance use it, against a live service and with files of their own. */
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import type { CastMember } from '../fixtures/estate.ts';
import type { TestInstance } from '../fixtures/instance.ts';
import { LiveService } from '../http/live-service.ts';
import { runKmc, type Ran } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

export class ServedCommands {
  readonly files = new ScratchFiles();
  readonly service: LiveService;
  readonly #test: TestInstance;

  private constructor(test: TestInstance, service: LiveService) {
    this.#test = test;
    this.service = service;
  }

  static async start(test: TestInstance): Promise<ServedCommands> {
    return new ServedCommands(test, await LiveService.start(test, { handlers: actionHandlers(test.instance) }));
  }

  /** Runs a command of the service as that person. */
  async run(member: CastMember, ...args: string[]): Promise<Ran> {
    const identity = await this.files.identity(this.#test.instance.engine, member);
    return await runKmc([...args, '--url', this.service.url, ...identity]);
  }

  /** The same with `--json`; the answer. */
  async json(member: CastMember, ...args: string[]): Promise<Record<string, unknown>> {
    const ran = await this.run(member, ...args, '--json');
    if (ran.code !== 0) throw new Error(`kmc ${args.join(' ')}: ${ran.code} ${ran.err}${ran.out}`);
    return ran.json();
  }

  /** Everybody signs the request offline, and hands the decision in. */
  async approve(requestId: string, members: readonly CastMember[]): Promise<void> {
    const file = this.files.path(`${requestId}.json`);
    for (const [at, member] of members.entries()) {
      if (at === 0) await this.json(member, 'request', 'show', requestId, '--out', file);
      const decision = this.files.path(`${requestId}.${member.id}.json`);
      await this.json(member, 'approval', 'sign', file, '--role', member.roles[0]?.role ?? '', '--out', decision);
      await this.json(member, 'approval', 'submit', decision);
    }
  }

  async close(): Promise<void> {
    await this.service.close();
    this.files.remove();
  }
}

/** A live service and its command line for each test of the enclosing suite; call the result inside a test. */
export function servedCommands(test: () => TestInstance): () => ServedCommands {
  let current: ServedCommands | undefined;
  beforeEach(async () => {
    current = await ServedCommands.start(test());
  });
  afterEach(async () => {
    await current?.close();
    current = undefined;
  });
  return () => {
    if (current === undefined) throw new Error('There are commands only while a test runs.');
    return current;
  };
}
