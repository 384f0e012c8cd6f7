/** Bulk work of the software engine. Worker threads are part of it: they get copies of keys for one portion and wipe them. */
import { KmcError } from '../../errors.ts';
import { SIGNATURE_ALGORITHMS } from '../algorithms.ts';
import { packOctets, unpackOctets } from '../bulk/octets.ts';
import { inPortions, secretForPortion } from '../bulk/portions.ts';
import { SEALED_PAIR_NUMBER } from '../bulk/tasks.ts';
import type { CryptoEngine } from '../engine.ts';
import type { EngineState } from './handles.ts';
import { headerOf } from './sealing.ts';

type BulkOperations = Pick<CryptoEngine, 'generateSealedPairs' | 'signMany'>;

/** The operations of the port on many keys or messages. `now` gives the time that a header states. */
export function bulkOperations({ keys, secrets }: EngineState, now: () => Date): BulkOperations {
  return {
    async generateSealedPairs(kek, contexts) {
      const secret = secrets.stateOf(kek.secret);
      const createdAt = now().getTime();
      const outputs = await inPortions('sealedPairs', contexts, (part) => {
        const copy = secretForPortion(secret);
        const headers = part.map((context) => ({
          ...headerOf(kek, context),
          algorithm: SEALED_PAIR_NUMBER,
          createdAt,
        }));
        return { input: { kek: copy.octets, headers }, secrets: [copy.buffer] };
      });
      const spkis = outputs.flatMap((output) => unpackOctets(output.spkis));
      const blobs = outputs.flatMap((output) => unpackOctets(output.blobs));
      return spkis.map((spki, at) => ({ spki, sealedKey: blobs[at] ?? Buffer.alloc(0) }));
    },
    async signMany(key, algorithm, messages) {
      const { algorithm: kind, pkcs8 } = keys.stateOf(key);
      if (kind !== SIGNATURE_ALGORITHMS[algorithm].keyAlgorithm) {
        throw new KmcError('E_USAGE', `A key of the kind ${kind} does not make ${algorithm} signatures.`);
      }
      const outputs = await inPortions('signatures', messages, (part) => {
        const copy = secretForPortion(pkcs8);
        return { input: { algorithm, pkcs8: copy.octets, messages: packOctets(part) }, secrets: [copy.buffer] };
      });
      return outputs.flatMap(unpackOctets);
    },
  };
}
