/** Shares of the software engine. The secret of a share is y || x, 33 octets. */
import { KmcError } from '../../errors.ts';
import { secretBuffer, wipe } from '../bytes.ts';
import type { CryptoEngine, ShareHandle } from '../engine.ts';
import { decryptSm2, encryptSm2 } from '../gm/sm2-encrypt.ts';
import {
  combineShares,
  decodeShareEnvelope,
  encodeShareEnvelope,
  SHARE_VALUE_BYTES,
  splitSecret,
  type Share,
} from '../shamir.ts';
import { decodeShareText, encodeShareText } from '../share-text.ts';
import { sm2PointFromSpki } from '../spki.ts';
import { issueSecret, type EngineState } from './handles.ts';
import { sm2ScalarOf } from './keys.ts';

type ShareOperations = Pick<
  CryptoEngine,
  'splitSecret' | 'encryptShareTo' | 'decryptShare' | 'writeShareText' | 'readShareText' | 'combineShares'
>;

/** The operations of the port on shares. */
export function shareOperations(state: EngineState): ShareOperations {
  const { keys, secrets } = state;

  function issueShare({ setId, threshold, count, index, value }: Share): ShareHandle {
    const secret = secretBuffer(SHARE_VALUE_BYTES + 1);
    value.copy(secret);
    secret[SHARE_VALUE_BYTES] = index;
    wipe(value);
    return Object.freeze({ setId, threshold, count, index, secret: issueSecret(state, secret) });
  }

  /** The share behind a handle; `value` is a view of the secret inside the engine. */
  function shareOf({ setId, threshold, count, index, secret }: ShareHandle): Share {
    const point = secrets.stateOf(secret);
    if (point.length !== SHARE_VALUE_BYTES + 1 || point[SHARE_VALUE_BYTES] !== index) {
      throw new KmcError('E_SHARE_BAD', `Share ${index} does not hold a share of that index.`);
    }
    return { setId, threshold, count, index, value: point.subarray(0, SHARE_VALUE_BYTES) };
  }

  return {
    async splitSecret(secret, threshold, count) {
      const { shares, set } = await splitSecret(secrets.stateOf(secret), threshold, count);
      return { shares: shares.map(issueShare), set };
    },
    async encryptShareTo(share, recipientSpki, holderCertificateSm3) {
      const recipient = sm2PointFromSpki(recipientSpki);
      const envelope = encodeShareEnvelope(shareOf(share), holderCertificateSm3);
      try {
        return encryptSm2(recipient, envelope);
      } finally {
        wipe(envelope);
      }
    },
    async decryptShare(recipient, ciphertext, holderCertificateSm3) {
      const envelope = decryptSm2(sm2ScalarOf(keys.stateOf(recipient)), ciphertext);
      try {
        return issueShare(decodeShareEnvelope(envelope, holderCertificateSm3));
      } finally {
        wipe(envelope);
      }
    },
    async writeShareText(share) {
      return encodeShareText(shareOf(share));
    },
    async readShareText(text) {
      return issueShare(decodeShareText(text));
    },
    async combineShares(shares, set) {
      return issueSecret(state, await combineShares(shares.map(shareOf), set));
    },
  };
}
