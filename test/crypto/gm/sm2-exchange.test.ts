import { expect } from 'chai';
import { agreeSm2Key } from '../../../src/crypto/gm/sm2-exchange.ts';
import { fromBigInt, toBigInt } from '../../../src/crypto/bytes.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import { SM2_CURVE } from '../../../src/crypto/gm/sm2-curve.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { refusal } from '../refusal.ts';
import { GM, hex, SM2_BAD } from '../vectors.ts';

describeForEachSm2Engine('sm2 key exchange', () => {
  for (const [index, vector] of GM.sm2_key_exchange.entries()) {
    it(`gives both sides the key and the confirmations of vector ${index + 1}: ${vector.source}`, () => {
      const [idA, idB] = [Buffer.from(vector.idA), Buffer.from(vector.idB)];
      const initiator = agreeSm2Key({
        role: 'initiator',
        scalar: hex(vector.dA),
        ephemeralScalar: hex(vector.rA),
        id: idA,
        peerPoint: hex(vector.PB),
        peerEphemeralPoint: hex(vector.RB),
        peerId: idB,
        length: vector.klen_bytes,
      });
      const responder = agreeSm2Key({
        role: 'responder',
        scalar: hex(vector.dB),
        ephemeralScalar: hex(vector.rB),
        id: idB,
        peerPoint: hex(vector.PA),
        peerEphemeralPoint: hex(vector.RA),
        peerId: idA,
        length: vector.klen_bytes,
      });
      const expected = { key: vector.K, ofResponder: vector.S1_SB_prefix02, ofInitiator: vector.S2_SA_prefix03 };
      expect({
        key: initiator.key.toString('hex'),
        ofResponder: initiator.peerConfirmation.toString('hex'),
        ofInitiator: initiator.confirmation.toString('hex'),
      }).to.deep.equal(expected);
      expect({
        key: responder.key.toString('hex'),
        ofResponder: responder.confirmation.toString('hex'),
        ofInitiator: responder.peerConfirmation.toString('hex'),
      }).to.deep.equal(expected);
    });
  }

  it('takes the default ID when none is given', () => {
    const [own, ownEphemeral, peer, peerEphemeral] = Array.from({ length: 4 }, () => generateSm2Key());
    const initiator = agreeSm2Key({
      role: 'initiator',
      scalar: own!.scalar,
      ephemeralScalar: ownEphemeral!.scalar,
      peerPoint: peer!.point,
      peerEphemeralPoint: peerEphemeral!.point,
      length: 16,
    });
    const responder = agreeSm2Key({
      role: 'responder',
      scalar: peer!.scalar,
      ephemeralScalar: peerEphemeral!.scalar,
      id: Buffer.from('1234567812345678'),
      peerPoint: own!.point,
      peerEphemeralPoint: ownEphemeral!.point,
      length: 16,
    });
    expect(initiator.key.equals(responder.key)).to.equal(true);
  });

  it('refuses an exchange whose shared point would be the point at infinity', async () => {
    const { scalar: ephemeralScalar, point: ephemeralPoint } = generateSm2Key();
    const { point } = generateSm2Key();
    // d = -x~ r gives t = 0.
    const reducedX = 2n ** 127n + (toBigInt(ephemeralPoint.subarray(1, 33)) % 2n ** 127n);
    const d = SM2_CURVE.n - ((reducedX * toBigInt(ephemeralScalar)) % SM2_CURVE.n);
    const agreement = { role: 'responder', peerPoint: point, peerEphemeralPoint: point, length: 16 } as const;
    await refusal('E_POINT', () => agreeSm2Key({ ...agreement, scalar: fromBigInt(d, 32), ephemeralScalar }));
  });

  it('refuses points that are not acceptable and scalars out of range', async () => {
    const { scalar, point } = generateSm2Key();
    const good = {
      role: 'initiator',
      scalar,
      ephemeralScalar: scalar,
      peerPoint: point,
      peerEphemeralPoint: point,
      length: 16,
    } as const;
    for (const { hex: bad } of SM2_BAD.badPublicKeys) {
      await refusal('E_POINT', () => agreeSm2Key({ ...good, peerPoint: hex(bad) }));
      await refusal('E_POINT', () => agreeSm2Key({ ...good, peerEphemeralPoint: hex(bad) }));
    }
    for (const { hex: bad } of SM2_BAD.badPrivateKeys) {
      await refusal('E_KEY', () => agreeSm2Key({ ...good, scalar: hex(bad) }));
      await refusal('E_KEY', () => agreeSm2Key({ ...good, ephemeralScalar: hex(bad) }));
    }
  });
});
