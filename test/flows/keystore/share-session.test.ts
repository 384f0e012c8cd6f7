import { expect } from 'chai';
import { encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { encodeShareEnvelope, type Share } from '../../../src/crypto/shamir.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import type { SealFile } from '../../../src/domain/keystore/seal-file.ts';
import { sm2PointFromSpki } from '../../../src/crypto/spki.ts';
import { handOutShares } from '../../../src/flows/keystore/hand-out-shares.ts';
import { KeyRing } from '../../../src/flows/keystore/key-ring.ts';
import { SHARE_SESSION_SECONDS, ShareSession } from '../../../src/flows/keystore/share-session.ts';
import { refusal } from '../../crypto/refusal.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';

const NOW = new Date('2026-12-01T08:00:00.000Z');
const engine = createSoftwareEngine();

/** Every choice of `size` members. */
function choices<T>(members: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return members.flatMap((member, position) =>
    choices(members.slice(position + 1), size - 1).map((rest) => [member, ...rest]),
  );
}

describe('share session', () => {
  let custodians: Custodian[];
  let ring: KeyRing;
  let seal: SealFile;
  let session: ShareSession;

  const handOut = (): Promise<SealFile> => {
    const holders = custodians.map((custodian) => custodian.holder);
    return handOutShares(engine, ring, { threshold: 3, holders, deliver: delivery(custodians) });
  };
  const give = async (custodian: Custodian, share = custodian.share): Promise<unknown> =>
    session.add(custodian.caller.id, await custodian.transfer(session.spki, share), NOW);
  const custodian = (position: number): Custodian => custodians[position]!;
  const indexOf = (person: string): number => seal.holders.find((holder) => holder.person === person)!.index;

  before(async () => {
    custodians = await makeCustodians(5);
    ring = await KeyRing.generate(engine, 1);
    seal = await handOut();
  });
  beforeEach(async () => {
    session = await ShareSession.open(engine, seal, NOW);
  });
  afterEach(() => session.wipe());

  for (const triple of choices([0, 1, 2, 3, 4], 3)) {
    it(`holders ${triple.join(', ')} of five make the unseal key, in any order`, async () => {
      for (const position of triple.slice(0, 2)) expect(await give(custodian(position))).to.equal(undefined);
      const last = custodian(triple[2]!);
      const unsealKey = await session.add(last.caller.id, await last.transfer(session.spki), NOW);
      expect((await KeyRing.open(engine, seal, unsealKey!)).masterVersion).to.equal(1);
      await refusal('E_STATE', () => give(custodian(0)));
    });
  }

  for (const pair of choices([0, 1, 2, 3, 4], 2)) {
    it(`holders ${pair.join(', ')} alone make nothing`, async () => {
      for (const position of pair) expect(await give(custodian(position))).to.equal(undefined);
      expect(session.received.map((holder) => holder.person)).to.deep.equal(pair.map((at) => custodian(at).caller.id));
    });
  }

  it('a repeated share is refused and does not count twice', async () => {
    await give(custodian(0));
    await refusal('E_SAME_PERSON', () => give(custodian(0)));
    expect(await give(custodian(1))).to.equal(undefined);
  });

  it('a share of an earlier set is named as such', async () => {
    const old = custodian(0).share;
    const before = seal;
    const fresh = await handOut();
    try {
      session = await ShareSession.open(engine, fresh, NOW);
      const error = await refusal('E_SHARE_SET', () => give(custodian(0), old));
      expect(error.message).to.include(String(before.holders[0]!.index));
      expect(await give(custodian(0))).to.equal(undefined);
    } finally {
      seal = fresh;
    }
  });

  it('a swapped share is named by its index, and the session goes on', async () => {
    const ofOther = await custodian(1).transfer(session.spki);
    const error = await refusal('E_SHARE_BAD', () => session.add('p-1', ofOther, NOW));
    expect(error.message).to.include(`Share ${indexOf('p-2')}`);
    for (const position of [0, 1]) await give(custodian(position));
    expect(await give(custodian(2))).to.not.equal(undefined);
  });

  it('each flipped bit inside a share is found by the commitment, which names the index', async () => {
    const index = indexOf('p-1');
    const { setId, threshold, count } = seal.set;
    const certificateSm3 = Buffer.from(custodian(0).caller.certificateSm3.slice(4), 'hex');
    for (let bit = 0; bit < 256; bit += 51) {
      const value = Buffer.alloc(32);
      value[bit >> 3]! |= 1 << (bit & 7);
      const share: Share = { setId, threshold, count, index, value };
      const ciphertext = encryptSm2(sm2PointFromSpki(session.spki), encodeShareEnvelope(share, certificateSm3));
      const error = await refusal('E_SHARE_BAD', () => session.add('p-1', ciphertext, NOW));
      expect(error.message).to.include(String(index));
    }
  });

  it('each flipped bit of the transport is refused', async () => {
    const ciphertext = await custodian(0).transfer(session.spki);
    for (let bit = 0; bit < ciphertext.length * 8; bit += 61) {
      const flipped = Buffer.from(ciphertext);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await refusal('E_SHARE_BAD', () => session.add('p-1', flipped, NOW));
    }
    expect(session.received).to.deep.equal([]);
  });

  it("a share that was stolen as it was handed out is of no use in another's name", async () => {
    await refusal('E_DECRYPT', () => custodian(0).transfer(session.spki, custodian(1).share));
    await refusal('E_SHARE_BAD', () => session.add('p-1', custodian(1).share, NOW));
  });

  it('nobody outside of the set gives a share', async () => {
    const error = await refusal('E_FORBIDDEN', () => session.add('p-9', Buffer.from('x'), NOW));
    expect(error.message).to.equal('You hold no share of this keystore.');
  });

  it('a session is over after ten minutes, and after it was wiped', async () => {
    const ciphertext = await custodian(0).transfer(session.spki);
    const end = new Date(NOW.getTime() + SHARE_SESSION_SECONDS * 1000);
    expect(session.isOver(new Date(end.getTime() - 1))).to.equal(false);
    await refusal('E_STATE', () => session.add('p-1', ciphertext, end));
    session.wipe();
    await refusal('E_STATE', () => session.add('p-1', ciphertext, NOW));
  });

  it('wiping takes the session key and the shares out of the engine, also while a share is coming in', async () => {
    await give(custodian(0));
    const ciphertext = await custodian(1).transfer(session.spki);
    const late = session.add('p-2', ciphertext, NOW);
    session.wipe();
    await refusal('E_STATE', () => late);
    expect(session.received).to.deep.equal([]);
  });

  it('right shares under a seal file with another check value are a contradiction', async () => {
    session = await ShareSession.open(engine, { ...seal, unsealCheckValue: Buffer.alloc(8) }, NOW);
    for (const position of [0, 1]) await give(custodian(position));
    await refusal('E_INTEGRITY', () => give(custodian(2)));
  });

  it('a wrapped master key of another set does not open', async () => {
    for (const position of [0, 1]) await give(custodian(position));
    const unsealKey = await session.add('p-3', await custodian(2).transfer(session.spki), NOW);
    const other = await handOutShares(engine, ring, {
      threshold: 2,
      holders: seal.holders.map((holder, at) => ({ ...holder, spki: custodian(at).holder.spki })),
      deliver: () => undefined,
    });
    await refusal('E_INTEGRITY', () =>
      KeyRing.open(engine, { ...seal, wrappedMaster: other.wrappedMaster }, unsealKey!),
    );
  });

  it('a set is not made for one person or certificate twice, nor for a threshold of one', async () => {
    const holders = custodians.map((each) => each.holder);
    const deliver = (): never => {
      throw new Error('shares were delivered');
    };
    const twice = [holders[0]!, { ...holders[1]!, person: holders[0]!.person }];
    await refusal('E_SAME_PERSON', () => handOutShares(engine, ring, { threshold: 2, holders: twice, deliver }));
    const sameCard = [holders[0]!, { ...holders[1]!, certificate: holders[0]!.certificate }];
    await refusal('E_SAME_PERSON', () => handOutShares(engine, ring, { threshold: 2, holders: sameCard, deliver }));
    await refusal('E_USAGE', () => handOutShares(engine, ring, { threshold: 1, holders, deliver }));
    await refusal('E_USAGE', () => handOutShares(engine, ring, { threshold: 6, holders, deliver }));
  });

  it('the commitments are of the shares and hide them', () => {
    const digests = seal.set.commitments.map(({ commitment }) => commitment);
    expect(new Set(digests).size).to.equal(5);
    expect(digests).to.not.include(sm3(custodian(0).share).toString('hex'));
  });
});
