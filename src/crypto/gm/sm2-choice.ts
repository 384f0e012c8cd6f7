/** Which implementation computes SM2: the one switch. */

/** `kernel`: the WebAssembly kernel. `node`: node:crypto for signatures, `@noble/curves` for the rest. */
export const SM2_ENGINES = ['kernel', 'node'] as const;
export type Sm2EngineName = (typeof SM2_ENGINES)[number];

let chosen: Sm2EngineName = 'kernel';

/** Takes effect for every later operation of this thread. A program calls it once, before it computes anything. */
export function chooseSm2Engine(name: Sm2EngineName): void {
  chosen = name;
}

/** The implementation at work. */
export function chosenSm2Engine(): Sm2EngineName {
  return chosen;
}
