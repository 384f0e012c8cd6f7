import { expect } from 'chai';
import fc from 'fast-check';
import { newId } from '../../../src/domain/id.ts';
import { KEY_ACTS, KEY_STATE_NAMES, storeOf, type KeyAct, type KeyState } from '../../../src/domain/key-state.ts';
import { KmcError } from '../../../src/errors.ts';
import { transitionKey } from '../../../src/flows/keys/transition-key.ts';
import type { Database } from '../../../src/flows/ports/database.ts';
import type { EscrowedKeyRow } from '../../../src/flows/ports/escrowed-keys.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { authority, escrowedKey, later, owner, recordEvent } from '../../store/rows.ts';
import { AUDIT } from '../approvals/approval-instance.ts';

const ACT_NAMES = Object.keys(KEY_ACTS) as KeyAct[];
const SOURCE = { node: 'node-1' };
const ACTOR = { type: 'system', id: 'node-1' } as const;

/** The model: a state, whether it was ever compromised, and the version. Written apart from the table. */
class Model {
  state: KeyState = 'generated';
  compromised = false;
  version = 1;

  /** False when the act is refused. */
  apply(act: KeyAct): boolean {
    const to = this.#next(act);
    if (to === undefined) return false;
    this.state = to;
    this.compromised ||= to === 'compromised';
    this.version += 1;
    return true;
  }

  #next(act: KeyAct): KeyState | undefined {
    const { state, compromised } = this;
    const isInUse = state === 'active' || state === 'suspended';
    const isPending = state === 'destroy-pending';
    const steps: Record<KeyAct, readonly [boolean, KeyState]> = {
      release: [state === 'generated', 'spare'],
      activate: [state === 'spare', 'active'],
      suspend: [state === 'active', 'suspended'],
      resume: [state === 'suspended', 'active'],
      deactivate: [isInUse, 'deactivated'],
      compromise: [state === 'spare' || isInUse || state === 'deactivated', 'compromised'],
      'schedule-destruction': [state === 'deactivated' || state === 'compromised', 'destroy-pending'],
      'cancel-destruction': [isPending, compromised ? 'compromised' : 'deactivated'],
      destroy: [isPending, compromised ? 'destroyed-compromised' : 'destroyed'],
      discard: [state === 'generated' || state === 'spare', 'destroyed'],
    };
    const [allowed, to] = steps[act];
    return allowed ? to : undefined;
  }
}

forEachDatabase('a transition of a key', (fixture) => {
  let database: Database;
  let first = '';
  let serial = 0;
  beforeEach(async () => {
    first = await recordEvent(fixture);
    database = await fixture.open({ audit: AUDIT });
    await database.transaction((tx) => tx.authorities.insert(authority('ca-1')));
  });

  async function stored(given: Partial<EscrowedKeyRow>): Promise<EscrowedKeyRow> {
    serial += 1;
    const spkiSm3 = `sm3:${serial.toString(16).padStart(64, '0')}`;
    const row = escrowedKey(`k-${serial}`, first, { spkiSm3, owner: owner('ca-1', `s-${serial}`), ...given });
    await database.transaction((tx) => tx.escrowedKeys.insertAll([row]));
    return row;
  }

  function move(key: EscrowedKeyRow, act: KeyAct): Promise<EscrowedKeyRow> {
    const change = { act, auditEvent: newId('ev'), at: later(9), actor: ACTOR, source: SOURCE };
    const window = act === 'schedule-destruction' ? { destroyAfter: later(99) } : {};
    return database.transaction((tx) => transitionKey(tx, key, { ...change, ...window }));
  }

  async function events(id: string): Promise<string[]> {
    const rows = await database.read((reader) => reader.audit.history('key', id, 0, 100));
    return rows.map(({ canon }) => (JSON.parse(canon.toString('utf8')) as { act: string }).act);
  }

  it('follows the table for every state and act, and leaves nothing behind when it is refused', async () => {
    for (const state of KEY_STATE_NAMES) {
      for (const act of ACT_NAMES) {
        const isTombstone = storeOf(state) === 'tombstone';
        const key = await stored({
          state,
          store: storeOf(state),
          ...(isTombstone ? { sealedKey: undefined } : {}),
          ...(state === 'destroy-pending' ? { destroyAfter: later(99) } : {}),
        });
        const model = new Model();
        model.state = state;
        if (model.apply(act)) {
          const moved = await move(key, act);
          expect(moved, `${act} of ${state}`).to.include({
            state: model.state,
            version: 2,
            store: storeOf(model.state),
          });
          expect(await events(key.id), `${act} of ${state}`).to.deep.equal([KEY_ACTS[act].audit]);
        } else {
          await refusal('E_STATE', move(key, act));
          expect(await database.read((reader) => reader.escrowedKeys.find(key.id))).to.deep.equal(key);
          expect(await events(key.id)).to.deep.equal([]);
        }
      }
    }
  }).timeout(40_000);

  it('walks like the model, whatever is tried in whatever order, with one event for each step', async () => {
    const walk = fc.array(fc.constantFrom(...ACT_NAMES), { minLength: 1, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(walk, async (acts) => {
        const model = new Model();
        const told: string[] = [];
        let key = await stored({ state: 'generated', store: 'standby' });
        for (const act of acts) {
          const allowed = model.apply(act);
          const moved = await move(key, act).catch((error: unknown) => error);
          if (allowed) {
            told.push(KEY_ACTS[act].audit);
            key = moved as EscrowedKeyRow;
          } else expect(moved).to.be.instanceOf(KmcError).with.property('code', 'E_STATE');
          expect(key).to.include({ state: model.state, version: model.version, store: storeOf(model.state) });
          expect(key.compromisedAt !== undefined).to.equal(model.compromised);
          expect(key.sealedKey === undefined).to.equal(storeOf(model.state) === 'tombstone');
        }
        expect(await events(key.id)).to.deep.equal(told);
      }),
      { numRuns: 25 },
    );
  }).timeout(40_000);

  it('has one winner when two race, and the loser leaves no event', async () => {
    const races: readonly (readonly [KeyState, KeyAct, KeyAct])[] = [
      ['active', 'suspend', 'deactivate'],
      ['active', 'compromise', 'compromise'],
      ['spare', 'activate', 'discard'],
      ['destroy-pending', 'cancel-destruction', 'destroy'],
    ];
    for (const [state, ...acts] of races) {
      const window = state === 'destroy-pending' ? { destroyAfter: later(99) } : {};
      const key = await stored({ state, store: storeOf(state), ...window });
      const results = await Promise.allSettled(acts.map((act) => move(key, act)));
      const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as KmcError] : []));
      expect(
        lost.map(({ code }) => code),
        acts.join(),
      ).to.deep.equal(['E_CONFLICT']);
      expect((await events(key.id)).length).to.equal(1);
    }
  });
});
