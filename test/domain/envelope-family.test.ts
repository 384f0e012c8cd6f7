import { expect } from 'chai';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { wrapSignedAndEnveloped } from '../../src/crypto/gm/signed-enveloped.ts';
import {
  asEnvelopedKey,
  ENVELOPE_FAMILIES,
  envelopeFamilyOf,
  isUnsigned,
  type EnvelopeFamily,
} from '../../src/domain/envelope-family.ts';
import { refusal } from '../crypto/refusal.ts';

describe('the families of envelopes', () => {
  const engine = createSoftwareEngine();

  async function made(family: EnvelopeFamily) {
    const [key, recipient, signer] = [
      await engine.generateKeyPair('SM2'),
      await engine.generateKeyPair('SM2'),
      await engine.generateKeyPair('SM2'),
    ];
    if (isUnsigned(family)) {
      return { key, recipient, envelope: await engine.envelopeKey(key, recipient.spki, family) };
    }
    const identifier = Buffer.from('30053000020105', 'hex');
    const by = { key: signer, identifier, certificates: [] };
    const bare = await engine.packageKey(key, { spki: recipient.spki, identifier }, by);
    return { key, recipient, envelope: wrapSignedAndEnveloped(bare) };
  }

  for (const family of ENVELOPE_FAMILIES) {
    it(`${family} shows itself, and holds the same key as SM2EnvelopedKey`, async () => {
      const { key, recipient, envelope } = await made(family);
      expect(envelopeFamilyOf(envelope)).to.equal(family);
      const packed = asEnvelopedKey(envelope, key.spki);
      expect(envelopeFamilyOf(packed)).to.equal('gmt-0009');
      expect((await engine.openEnvelopedKey(recipient, packed)).spki.equals(key.spki)).to.equal(true);
    });
  }

  it('are no octets of other kinds', async () => {
    for (const octets of [Buffer.alloc(0), Buffer.alloc(388), Buffer.from('0500', 'hex')]) {
      await refusal('E_DER', () => asEnvelopedKey(octets, Buffer.alloc(0)));
    }
  });
});
