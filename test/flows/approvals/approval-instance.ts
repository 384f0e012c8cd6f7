/** An instance with people in a real database, and acts whose effects can be counted. */
import { createHmac } from 'node:crypto';
import type { ActionName } from '../../../src/domain/action.ts';
import type { Caller, PersonCaller, SystemCaller } from '../../../src/domain/caller.ts';
import { newId } from '../../../src/domain/id.ts';
import type { Person } from '../../../src/domain/person.ts';
import type { SignedObject } from '../../../src/domain/signed-body.ts';
import type {
  ActionHandlers,
  ApprovedAct,
  DatabaseHandler,
  TargetState,
} from '../../../src/flows/approvals/action-handler.ts';
import { createRequest, type CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { decideRequest, type DecidedRequest } from '../../../src/flows/approvals/decide-request.ts';
import type { ApprovalPorts } from '../../../src/flows/approvals/stored-request.ts';
import type { Database, Transaction } from '../../../src/flows/ports/database.ts';
import type { AuditSettings } from '../../../src/store/audit-events.ts';
import type { RoleName } from '../../../src/domain/roles.ts';
import type { DatabaseFixture } from '../../store/databases.ts';
import {
  decide,
  ENVIRONMENT,
  makeActor,
  makeAdministratorCa,
  NOW,
  POLICIES,
  POLICY_DIGEST,
  type Actor,
  type ActorOptions,
  type AdministratorCa,
} from '../../domain/approval/cast.ts';

export const SOURCE = { node: 'node-1' };
export const SYSTEM: SystemCaller = { type: 'system', id: 'kmc' };

/** Row MACs as an open keystore gives them. */
export const AUDIT: AuditSettings = {
  origin: 'kmc.test/audit',
  rowMac: {
    compute: (message) => Promise.resolve({ mac: createHmac('sm3', 'test').update(message).digest(), version: 1 }),
    verify: () => Promise.resolve(true),
  },
  verified: { newest: () => undefined },
};

/** A clock that stands until a test moves it. */
export class StandingClock {
  #now = NOW;

  now(): Date {
    return this.#now;
  }

  advance(seconds: number): void {
    this.#now = new Date(this.#now.getTime() + seconds * 1000);
  }
}

/** State and version of a target that a test moves. */
export class MovingTarget {
  state = 'READY';
  version = 1;

  now(): TargetState {
    return { state: this.state, version: String(this.version) };
  }
}

/** The effect of an act: one audit event, which can be counted in the database. */
export async function effect(tx: Transaction, act: ApprovedAct, id: string): Promise<void> {
  await tx.audit.append(
    {
      id,
      action: 'instance.configure',
      outcome: 'success',
      subjects: [{ type: 'keystore', id: 'effect' }],
      actor: act.actor,
      source: act.source,
      approvals: act.approvals,
      detail: { setting: act.request.op },
    },
    act.at,
  );
}

/** A handler whose target stands still, for processes that share nothing but the database. */
export function countingHandler(target: MovingTarget = new MovingTarget()): DatabaseHandler {
  return {
    kind: 'database',
    target: async () => target.now(),
    async prepare(act) {
      const id = newId('ev', act.at);
      return async (tx) => {
        await effect(tx, act, id);
        return { setting: act.request.op };
      };
    },
  };
}

export type TestPorts = ApprovalPorts & { readonly handlers: ActionHandlers };

/** What the flows need of an instance; `change` for what a test wants otherwise. */
export function portsOn(
  database: Database,
  handlers: ActionHandlers,
  clock = new StandingClock(),
  change: Partial<ApprovalPorts> = {},
): TestPorts {
  return {
    database,
    clock,
    policies: POLICIES,
    policyDigest: POLICY_DIGEST,
    environment: 'development',
    environmentName: ENVIRONMENT,
    handlers,
    ...change,
  };
}

export async function pin(database: Database, digest = POLICY_DIGEST): Promise<void> {
  await database.transaction((tx) => tx.instance.establish('policy-digest', digest));
}

/** Writes actors into the database: person, roles, account. */
export async function enrol(database: Database, ...actors: readonly Actor[]): Promise<void> {
  await database.transaction(async (tx) => {
    for (const { person, certificate } of actors) await enrolOne(tx, person, certificate);
  });
}

async function enrolOne(tx: Transaction, person: Person, certificate: Buffer): Promise<void> {
  const { id, name, unit, organisation, region, identityDigest } = person;
  const row = { id, name, unit, organisation, region, identityDigest, status: 'active' as const, version: 1 };
  await tx.people.insert({ ...row, createdAt: NOW });
  for (const grant of person.roles) await tx.people.grantRole(id, grant, NOW);
  for (const { certificateSm3, kid, tokenSerial, notBefore, notAfter } of person.accounts) {
    const account = { certificateSm3, kid, personId: id, certificate, tokenSerial, notBefore, notAfter };
    await tx.people.insertAccount({ ...account, status: 'valid', createdAt: NOW });
  }
}

/** The events of a subject, each as `action outcome`, with the code where there is one. */
export async function eventsOf(
  database: Database,
  type: 'request' | 'keystore' | 'policy',
  id: string,
): Promise<string[]> {
  const rows = await database.read((reader) => reader.audit.history(type, id, 0, 1000));
  return rows.map((row) => {
    const { act, out, code } = JSON.parse(row.canon.toString('utf8')) as { act: string; out: string; code?: string };
    return [act, out, ...(code === undefined ? [] : [code])].join(' ');
  });
}

/** The same people for every test, made once. */
export class Cast {
  readonly ca: AdministratorCa;
  readonly #actors: ReadonlyMap<string, Actor>;

  private constructor(ca: AdministratorCa, actors: ReadonlyMap<string, Actor>) {
    this.ca = ca;
    this.#actors = actors;
  }

  static async make(): Promise<Cast> {
    const ca = await makeAdministratorCa();
    const list: readonly (readonly [string, readonly RoleName[], ActorOptions])[] = [
      ['p-proposer', ['security-administrator'], { unit: 'security' }],
      ['p-sec', ['security-administrator'], { unit: 'security', tokenSerial: 'UK-1' }],
      ['p-owner', ['ca-owner'], { unit: 'pki' }],
      ['p-owner2', ['ca-owner'], { unit: 'pki' }],
      ['p-ca', ['ca-operator'], { unit: 'pki' }],
      ['p-sys', ['system-administrator'], { unit: 'operations' }],
      ['p-auditor', ['auditor'], { unit: 'audit' }],
      ['p-ra', ['ra-operator'], { unit: 'bj', region: '110000' }],
      ['p-ra-far', ['ra-operator'], { unit: 'xj', region: '650000' }],
    ];
    const actors = new Map<string, Actor>();
    for (const [id, roles, options] of list) actors.set(id, await makeActor(ca, id, roles, options));
    return new Cast(ca, actors);
  }

  of(id: string): Actor {
    const actor = this.#actors.get(id);
    if (actor === undefined) throw new Error(`no actor ${id}`);
    return actor;
  }

  async enrolAll(database: Database): Promise<void> {
    await enrol(database, ...this.#actors.values());
  }
}

/** The person as the authentication of a request finds it. */
export function callerOf(actor: Actor): PersonCaller {
  const { id, unit, roles, accounts } = actor.person;
  return { type: 'person', id, unit, roles, certificateSm3: accounts[0]?.certificateSm3 ?? '' };
}

/** Opens a request as p-proposer, or as whoever is given. */
export function open(
  ports: TestPorts,
  op: ActionName,
  caller: Caller,
  params: SignedObject = {},
): Promise<CreatedRequest> {
  return createRequest(ports, { op, targetId: 't-1', params, reason: 'a test asks for it', source: SOURCE }, caller);
}

/** Lets a person decide, one second after the clock of the instance. */
export function vote(
  ports: TestPorts,
  created: CreatedRequest,
  actor: Actor,
  role: RoleName,
  decision: 'APPROVE' | 'REJECT' | 'WITHDRAW' = 'APPROVE',
): Promise<DecidedRequest> {
  const signed = decide(actor, created.request, role, decision, ports.clock.now());
  return decideRequest(ports, { requestId: created.request.id, decision: signed, source: SOURCE }, callerOf(actor));
}

/** What a suite of approvals works with; members are good inside of tests and their hooks. */
export interface ApprovalInstance {
  readonly cast: Cast;
  readonly clock: StandingClock;
  readonly database: Database;
  readonly ports: TestPorts;
}

/**
 * A fresh instance for each test of the enclosing suite: the cast is in its database, the policy pinned unless told
 * otherwise, and the handlers are those that `handlersOf` makes for the test. Call the result inside a test.
 */
export function approvalInstance(
  fixture: DatabaseFixture,
  handlersOf: () => ActionHandlers,
  { pinned = true }: { readonly pinned?: boolean } = {},
): () => ApprovalInstance {
  let cast: Cast | undefined;
  let current: ApprovalInstance | undefined;
  before(async () => {
    cast = await Cast.make();
  });
  beforeEach(async () => {
    if (cast === undefined) throw new Error('The cast is made before the first test.');
    const database = await fixture.open({ audit: AUDIT });
    const clock = new StandingClock();
    current = { cast, clock, database, ports: portsOn(database, handlersOf(), clock) };
    await cast.enrolAll(database);
    if (pinned) await pin(database);
  });
  return () => {
    if (current === undefined) throw new Error('There is an instance only while a test runs.');
    return current;
  };
}

/** Takes triggers of the schema away, as somebody could who owns the database: what is behind them has to hold alone. */
export async function withoutGuard(
  fixture: DatabaseFixture,
  table: string,
  ...names: readonly string[]
): Promise<void> {
  if (fixture.engine === 'postgresql') await fixture.sql(`alter table ${table} disable trigger user`);
  else for (const name of names) await fixture.sql(`drop trigger ${table}_${name}`);
}
