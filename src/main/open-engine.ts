import type { Environment } from '../config/environment.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { chooseSm2Engine } from '../crypto/gm/sm2-choice.ts';
import { createSoftwareEngine } from '../crypto/software-engine.ts';

/** The engine of this program, with the SM2 implementation that the settings name. */
export function openEngine({ sm2Engine }: Pick<Environment, 'sm2Engine'>): CryptoEngine {
  chooseSm2Engine(sm2Engine);
  return createSoftwareEngine();
}
