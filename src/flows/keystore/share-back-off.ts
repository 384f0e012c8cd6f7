/** After a wrong share its giver waits, longer each time; nobody else does. */
import { KmcError } from '../../errors.ts';

const MAX_WAIT_SECONDS = 600;

interface Failures {
  readonly count: number;
  readonly notBefore: number;
}

export class ShareBackOff {
  readonly #byPerson = new Map<string, Failures>();

  /** Wrong shares of a person since the last right one. */
  countOf(person: string): number {
    return this.#byPerson.get(person)?.count ?? 0;
  }

  /** @throws KmcError E_RATE, with `retryAfter`, while the person has to wait. */
  check(person: string, now: Date): void {
    const wait = Math.ceil(((this.#byPerson.get(person)?.notBefore ?? 0) - now.getTime()) / 1000);
    if (wait <= 0) return;
    throw new KmcError('E_RATE', `Wait ${wait} seconds after a wrong share before you try again.`, {
      retryAfter: wait,
    });
  }

  /** Counts a wrong share: the n-th in a row makes its giver wait 2^n seconds, at most 10 minutes. */
  failed(person: string, now: Date): void {
    const count = this.countOf(person) + 1;
    const seconds = Math.min(2 ** Math.min(count, 30), MAX_WAIT_SECONDS);
    this.#byPerson.set(person, { count, notBefore: now.getTime() + seconds * 1000 });
  }

  succeeded(person: string): void {
    this.#byPerson.delete(person);
  }
}
