/** The implementations of SM2 by name. */
import type { Sm2Arithmetic } from './sm2-arithmetic.ts';
import { sm2ByKernel } from './sm2-by-kernel.ts';
import { sm2ByNode } from './sm2-by-node.ts';
import { chosenSm2Engine } from './sm2-choice.ts';
import type { Sm2EngineName } from './sm2-choice.ts';

const IMPLEMENTATIONS: Readonly<Record<Sm2EngineName, Sm2Arithmetic>> = { kernel: sm2ByKernel, node: sm2ByNode };

/** The implementation at work. */
export function sm2Arithmetic(): Sm2Arithmetic {
  return IMPLEMENTATIONS[chosenSm2Engine()];
}
