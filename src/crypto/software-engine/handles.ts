/** The private side of the handles of one engine. */
import { KmcError } from '../../errors.ts';
import { wipe } from '../bytes.ts';
import type { KeyHandle, SecretHandle } from '../engine.ts';
import type { PrivateKey } from '../private-key.ts';

/**
 * What stands behind the handles of one kind. A handle carries its identity and public values only, so that no
 * inspection, serialisation or copy of it leads to secret bytes.
 */
export class HandleTable<Handle extends object, State> {
  readonly #states = new WeakMap<Handle, State>();
  readonly #wipe: (state: State) => void;

  constructor(wipeState: (state: State) => void) {
    this.#wipe = wipeState;
  }

  /** Makes `handle` stand for `state`, which the table owns from now on. */
  issue(handle: Handle, state: State): Handle {
    const frozen = Object.freeze(handle);
    this.#states.set(frozen, state);
    return frozen;
  }

  /** @throws KmcError E_KEY for a handle that was destroyed, copied or made by another engine. */
  stateOf(handle: Handle): State {
    const state = this.#states.get(handle);
    if (state === undefined) {
      throw new KmcError(
        'E_KEY',
        'This key or secret is not in the engine: it was destroyed, or another engine has it.',
      );
    }
    return state;
  }

  /** Wipes the state and forgets the handle; an unknown handle is no error. */
  destroy(handle: Handle): void {
    const state = this.#states.get(handle);
    this.#states.delete(handle);
    if (state !== undefined) this.#wipe(state);
  }
}

/** The secret state of one engine. */
export interface EngineState {
  readonly keys: HandleTable<KeyHandle, PrivateKey>;
  readonly secrets: HandleTable<SecretHandle, Buffer>;
}

/** An engine's state without any key or secret. */
export function createEngineState(): EngineState {
  return {
    keys: new HandleTable((key) => key.destroy()),
    secrets: new HandleTable((secret) => wipe(secret)),
  };
}

/** A handle for `key`, which the engine owns from now on. */
export function issueKey({ keys }: EngineState, key: PrivateKey): KeyHandle {
  return keys.issue({ kind: 'key', algorithm: key.algorithm, spki: Buffer.from(key.spki) }, key);
}

/** A handle for `secret`, which the engine owns and wipes from now on. */
export function issueSecret({ secrets }: EngineState, secret: Buffer): SecretHandle {
  return secrets.issue({ kind: 'secret', length: secret.length }, secret);
}
