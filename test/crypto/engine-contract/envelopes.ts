import { expect } from 'chai';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import { bitString, children, decodeDer, sequence } from '../../../src/crypto/asn1/der.ts';
import type { CryptoEngine, EnvelopePacking, KeyHandle } from '../../../src/crypto/engine.ts';
import { packEnvelopedKey } from '../../../src/crypto/gm/enveloped-key.ts';
import { ENVELOPE_PACKINGS } from '../../../src/crypto/gm/envelope-packings.ts';
import { openKeyEnvelope } from '../../../src/crypto/gm/key-envelope.ts';
import { openSignedEnvelopedKey } from '../../../src/crypto/gm/signed-enveloped-key.ts';
import { sm2PointFromSpki } from '../../../src/crypto/spki.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownKey, outsideKey } from './known.ts';
import { makeKeyEnvelope } from '../../../src/crypto/gm/key-envelope.ts';

const envelopedKey = (...given: Parameters<typeof makeKeyEnvelope>): Buffer =>
  packEnvelopedKey(makeKeyEnvelope(...given));

const MESSAGE = Buffer.from('a message that is signed as a whole');
const PACKINGS = Object.keys(ENVELOPE_PACKINGS) as EnvelopePacking[];
const IDENTIFIER = Buffer.from('30053000020105', 'hex');

export function describeEnvelopes(open: OpenEngine): void {
  describe('envelopes', () => {
    let engine: CryptoEngine;
    let recipient: KeyHandle;
    let signer: KeyHandle;

    before(async () => {
      engine = await open();
      recipient = await engine.generateKeyPair('SM2');
      signer = await engine.generateKeyPair('SM2');
    });

    const by = () => ({ key: signer, identifier: IDENTIFIER, certificates: [] });

    for (const packing of PACKINGS) {
      it(`of the packing ${packing} are opened by their recipient outside, and come in again`, async () => {
        const { key, scalar } = await knownKey(engine);
        const outside = outsideKey();
        const envelope = await engine.envelopeKey(key, outside.spki, packing);
        const opened = openKeyEnvelope(outside.scalar, ENVELOPE_PACKINGS[packing].parse(envelope));
        expect(opened.scalar.equals(scalar)).to.equal(true);
        const back = await engine.openEnvelopedKey(
          recipient,
          await engine.envelopeKey(key, recipient.spki, packing),
          packing,
        );
        expect(back.spki.equals(key.spki)).to.equal(true);
        const signature = await engine.sign(back, 'SM2-SM3', MESSAGE);
        expect(verifySignature('SM2-SM3', key.spki, MESSAGE, signature)).to.equal(true);
      });
    }

    it('are SM2EnvelopedKey when no packing is named', async () => {
      const { key } = await knownKey(engine);
      const envelope = await engine.envelopeKey(key, recipient.spki);
      expect((await engine.openEnvelopedKey(recipient, envelope)).spki.equals(key.spki)).to.equal(true);
      expect((await engine.openEnvelopedKey(recipient, envelope, 'gmt-0009')).spki.equals(key.spki)).to.equal(true);
      await refusal('E_DER', () => engine.openEnvelopedKey(recipient, envelope, 'gmt-0016-a'));
    });

    it('for another recipient, with another public key, or that are none do not open', async () => {
      const pair = outsideKey();
      const envelope = envelopedKey(pair, sm2PointFromSpki(recipient.spki));
      const [algorithm, wrapped, , sealed] = children(decodeDer(envelope)).map(({ encoded }) => encoded);
      const mixed = sequence(algorithm!, wrapped!, bitString(outsideKey().point), sealed!);
      await refusal('E_DECRYPT', () => engine.openEnvelopedKey(signer, envelope));
      await refusal('E_KEY', () => engine.openEnvelopedKey(recipient, mixed));
      await refusal('E_DER', () => engine.openEnvelopedKey(recipient, envelope.subarray(1)));
    });

    it('that are signed packages open outside and inside under the right signer only', async () => {
      const { key, scalar } = await knownKey(engine);
      const outside = outsideKey();
      const packed = await engine.packageKey(key, { spki: outside.spki, identifier: IDENTIFIER }, by());
      const verify = (content: Buffer, signature: Buffer): boolean =>
        verifySignature('SM2-SM3', signer.spki, content, signature);
      const point = sm2PointFromSpki(key.spki);
      expect(openSignedEnvelopedKey(outside.scalar, packed, point, verify).scalar.equals(scalar)).to.equal(true);
      const own = await engine.packageKey(key, { spki: recipient.spki, identifier: IDENTIFIER }, by());
      const back = await engine.openKeyPackage(recipient, own, key.spki, signer.spki);
      expect(back.spki.equals(key.spki)).to.equal(true);
      await refusal('E_SIGNATURE', () => engine.openKeyPackage(recipient, own, key.spki, recipient.spki));
      await refusal('E_KEY', () => engine.openKeyPackage(recipient, own, outside.spki, signer.spki));
      await refusal('E_DECRYPT', () => engine.openKeyPackage(recipient, packed, key.spki, signer.spki));
      await refusal('E_DER', () => engine.openKeyPackage(recipient, own.subarray(1), key.spki, signer.spki));
    });

    it('take SM2 keys only: E_USAGE for the key inside and the signer, E_KEY for the recipient', async () => {
      const { key } = await knownKey(engine);
      for (const kind of ['EC-P256', 'RSA'] as const) {
        const other = await engine.generateKeyPair(kind, kind === 'RSA' ? 2048 : undefined);
        const to = { spki: recipient.spki, identifier: IDENTIFIER };
        await refusal('E_USAGE', () => engine.envelopeKey(other, recipient.spki));
        await refusal('E_USAGE', () => engine.openEnvelopedKey(other, Buffer.alloc(100)));
        await refusal('E_USAGE', () => engine.packageKey(other, to, by()));
        await refusal('E_USAGE', () => engine.packageKey(key, to, { ...by(), key: other }));
        await refusal('E_USAGE', () => engine.openKeyPackage(other, Buffer.alloc(100), key.spki, signer.spki));
        await refusal('E_KEY', () => engine.envelopeKey(key, other.spki));
        await refusal('E_KEY', () => engine.packageKey(key, { ...to, spki: other.spki }, by()));
      }
    });
  });
}
