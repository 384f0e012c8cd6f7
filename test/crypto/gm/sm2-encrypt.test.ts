import { performance } from 'node:perf_hooks';
import { expect } from 'chai';
import * as fc from 'fast-check';
import smCrypto from 'sm-crypto';
import { fromBigInt } from '../../../src/crypto/bytes.ts';
import { encodeSm2Pkcs8 } from '../../../src/crypto/pkcs8.ts';
import { encodeSm2Spki } from '../../../src/crypto/spki.ts';
import {
  decodeSm2Ciphertext,
  encodeSm2Ciphertext,
  SM2_CIPHERTEXT_FORMS,
  SM2_LONGEST_MESSAGE,
} from '../../../src/crypto/gm/sm2-ciphertext.ts';
import type { Sm2Ciphertext, Sm2CiphertextForm } from '../../../src/crypto/gm/sm2-ciphertext.ts';
import { decryptSm2, encryptSm2, encryptSm2WithNonce } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import { SM2_BASE_POINT } from '../../../src/crypto/gm/sm2-curve.ts';
import { sm2Kdf } from '../../../src/crypto/gm/sm2-kdf.ts';
import { Sm2Point } from '../../../src/crypto/gm/sm2-noble.ts';
import { sm2MultiplyBase } from '../../../src/crypto/gm/sm2-point.ts';
import { createRandomSource, randomBytes } from '../../../src/crypto/random.ts';
import { withOpenssl } from '../openssl.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { refusal } from '../refusal.ts';
import { GM, hex, SM2_BAD } from '../vectors.ts';

const FORMS = Object.keys(SM2_CIPHERTEXT_FORMS) as Sm2CiphertextForm[];
const CASES = GM.sm2_encrypt.filter((vector) => vector.kdf_only !== true);
const ONE = fromBigInt(1n, 32);

function messageOf({ msg, msg_hex: msgHex }: (typeof CASES)[number]): Buffer {
  return msg === undefined ? hex(msgHex ?? '') : Buffer.from(msg);
}

/** Ciphertext parts under a new key, with its scalar. */
function sample(message: Buffer): { scalar: Buffer; parts: Sm2Ciphertext } {
  const { scalar, point } = generateSm2Key();
  return { scalar, parts: decodeSm2Ciphertext(encryptSm2(point, message)) };
}

/** Nonces whose kG has a coordinate with a leading zero octet, found by adding G again and again. */
function noncesOfShortPoints(count: number): Buffer[] {
  const found: Buffer[] = [];
  let point = Sm2Point.BASE;
  for (let k = 1n; found.length < count; k += 1n, point = point.add(Sm2Point.BASE)) {
    const octets = point.toBytes(false);
    if (octets[1] === 0 || octets[33] === 0) found.push(fromBigInt(k, 32));
  }
  return found;
}

describeForEachSm2Engine('sm2 encryption', () => {
  it('derives the published keys', () => {
    const vector = GM.sm2_encrypt.find(({ kdf_only: kdfOnly }) => kdfOnly === true);
    expect(sm2Kdf(hex(vector!.z), vector!.len).toString('hex')).to.equal(vector!.out);
  });

  for (const vector of CASES) {
    it(`gives the ciphertext of the vector in every form: ${vector.source}`, () => {
      const parts = encryptSm2WithNonce(hex(vector.P), messageOf(vector), hex(vector.k));
      expect(parts).to.deep.equal({ c1: hex(vector.C1), c2: hex(vector.C2), c3: hex(vector.C3) });
      expect(encodeSm2Ciphertext(parts!).toString('hex')).to.equal(vector.der);
      if (vector.raw_c1c3c2 !== undefined) {
        expect(encodeSm2Ciphertext(parts!, 'C1C3C2').toString('hex')).to.equal(vector.raw_c1c3c2);
        expect(encodeSm2Ciphertext(parts!, 'C1C2C3').toString('hex')).to.equal(vector.raw_c1c2c3);
        expect(encodeSm2Ciphertext(parts!, 'C1C3C2-bare').toString('hex')).to.equal(vector.raw_c1c3c2.slice(2));
      }
      for (const form of FORMS) {
        const ciphertext = encodeSm2Ciphertext(parts!, form);
        expect(decryptSm2(hex(vector.d), ciphertext, form).equals(messageOf(vector)), form).to.equal(true);
      }
    });
  }

  it('comes back at random lengths and in every form', () => {
    const { scalar, point } = generateSm2Key();
    for (const length of [1, 2, 31, 32, 33, 64, 100, 1000, SM2_LONGEST_MESSAGE]) {
      const message = randomBytes(length);
      const form = FORMS[length % FORMS.length]!;
      expect(decryptSm2(scalar, encryptSm2(point, message, form), form).equals(message)).to.equal(true);
    }
  });

  it('decrypts when coordinates of C1 and of the shared point begin with zeros (B15)', () => {
    // With d = 1 the shared point is C1 itself, so that both are short at once.
    for (const nonce of noncesOfShortPoints(24)) {
      const message = randomBytes(33);
      const parts = encryptSm2WithNonce(SM2_BASE_POINT, message, nonce);
      const ciphertext = encodeSm2Ciphertext(parts!);
      expect(decryptSm2(ONE, ciphertext).equals(message)).to.equal(true);
    }
  });

  it('takes another nonce when the key stream is all zero, and refuses such a ciphertext', async () => {
    let k = 1n;
    while (encryptSm2WithNonce(SM2_BASE_POINT, Buffer.from('x'), fromBigInt(k, 32)) !== undefined) k += 1n;
    const nonces = [fromBigInt(k, 32), fromBigInt(k + 1n, 32)];
    let turn = 0;
    const random = createRandomSource((target) => {
      nonces[turn]!.copy(target);
      turn += 1;
    });
    const ciphertext = encryptSm2(SM2_BASE_POINT, Buffer.from('x'), 'der', random);
    expect(turn).to.equal(2);
    expect(decryptSm2(ONE, ciphertext).toString()).to.equal('x');
    const [x, y] = [sm2MultiplyBase(nonces[0]!).subarray(1, 33), sm2MultiplyBase(nonces[0]!).subarray(33)];
    const { sm3 } = await import('../../../src/crypto/gm/sm3.ts');
    const zeroStream = { c1: sm2MultiplyBase(nonces[0]!), c2: Buffer.from('x'), c3: sm3(x, Buffer.from('x'), y) };
    await refusal('E_DECRYPT', () => decryptSm2(ONE, encodeSm2Ciphertext(zeroStream)));
  });

  it('refuses empty and overlong messages and bad points', async () => {
    await refusal('E_USAGE', () => encryptSm2(SM2_BASE_POINT, Buffer.alloc(0)));
    await refusal('E_SIZE', () => encryptSm2(SM2_BASE_POINT, Buffer.alloc(SM2_LONGEST_MESSAGE + 1)));
    for (const { hex: point } of SM2_BAD.badPublicKeys) {
      await refusal('E_POINT', () => encryptSm2(hex(point), Buffer.from('x')));
    }
  });

  it('goes both ways with sm-crypto', () => {
    const { scalar, point } = generateSm2Key();
    const message = randomBytes(40);
    for (const [mode, form] of [[1, 'C1C3C2-bare'] as const, [0, 'C1C2C3-bare'] as const]) {
      const ours = encryptSm2(point, message, form).toString('hex');
      const opened = smCrypto.sm2.doDecrypt(ours, scalar.toString('hex'), mode, { output: 'array' });
      expect(Buffer.from(opened).equals(message)).to.equal(true);
      const theirs = smCrypto.sm2.doEncrypt([...message], point.toString('hex'), mode);
      expect(decryptSm2(scalar, hex(theirs), form).equals(message)).to.equal(true);
    }
  });

  it('goes both ways with the openssl program', () => {
    withOpenssl((folder) => {
      for (let round = 0; round < 4; round += 1) {
        const { scalar, point } = generateSm2Key();
        const message = randomBytes(16 + round);
        const key = folder.write('key.der', encodeSm2Pkcs8(scalar, point));
        const spki = folder.write('spki.der', encodeSm2Spki(point));
        const plain = folder.write('plain', message);
        const ours = folder.write('ours', encryptSm2(point, message));
        const opened = folder.run('pkeyutl', '-decrypt', '-keyform', 'DER', '-inkey', key, '-in', ours);
        expect(opened.equals(message)).to.equal(true);
        const theirs = folder.run('pkeyutl', '-encrypt', '-pubin', '-keyform', 'DER', '-inkey', spki, '-in', plain);
        expect(decryptSm2(scalar, theirs).equals(message)).to.equal(true);
      }
    });
  });
});

describeForEachSm2Engine('sm2 decryption', () => {
  it('gives one error for every fault, and no part of the message (B9)', async () => {
    const { scalar, parts } = sample(randomBytes(48));
    const changed = (octets: Buffer): Buffer => {
      const copy = Buffer.from(octets);
      copy[copy.length - 1]! ^= 1;
      return copy;
    };
    const faults: readonly [Buffer, Sm2CiphertextForm][] = [
      [encodeSm2Ciphertext({ ...parts, c3: changed(parts.c3) }), 'der'],
      [encodeSm2Ciphertext({ ...parts, c2: changed(parts.c2) }), 'der'],
      [encodeSm2Ciphertext({ ...parts, c2: Buffer.alloc(0) }), 'der'],
      [encodeSm2Ciphertext({ ...parts, c2: Buffer.alloc(1_048_576) }), 'der'],
      [encodeSm2Ciphertext({ ...parts, c2: Buffer.alloc(1_048_576) }, 'C1C3C2'), 'C1C3C2'],
      [encodeSm2Ciphertext({ ...parts, c1: changed(parts.c1) }), 'der'],
      [encodeSm2Ciphertext({ ...parts, c3: parts.c3.subarray(1) }), 'der'],
      [encodeSm2Ciphertext(parts, 'C1C3C2'), 'C1C2C3'],
      [encodeSm2Ciphertext(parts, 'C1C3C2'), 'der'],
      [encodeSm2Ciphertext(parts, 'C1C3C2'), 'C1C3C2-bare'],
      [encodeSm2Ciphertext(parts, 'C1C3C2').subarray(0, 90), 'C1C3C2'],
      [Buffer.alloc(0), 'der'],
    ];
    const texts = new Set<string>();
    for (const [ciphertext, form] of faults) {
      texts.add((await refusal('E_DECRYPT', () => decryptSm2(scalar, ciphertext, form))).message);
    }
    texts.add((await refusal('E_DECRYPT', () => decryptSm2(ONE, encodeSm2Ciphertext(parts)))).message);
    expect(texts.size).to.equal(1);
  });

  it('answers points of small order on other curves as it answers a wrong C3, in the same time class (B8)', async () => {
    const { scalar, parts } = sample(randomBytes(16));
    const timed = async (ciphertext: Buffer): Promise<number> => {
      const start = performance.now();
      await refusal('E_DECRYPT', () => decryptSm2(scalar, ciphertext));
      return performance.now() - start;
    };
    const fastest = { offCurve: Infinity, wrongC3: Infinity };
    for (const { point } of SM2_BAD.invalidCurvePoints.points) {
      const offCurve = await timed(encodeSm2Ciphertext({ ...parts, c1: hex(point) }));
      const wrongC3 = await timed(encodeSm2Ciphertext({ ...parts, c3: randomBytes(32) }));
      fastest.offCurve = Math.min(fastest.offCurve, offCurve);
      fastest.wrongC3 = Math.min(fastest.wrongC3, wrongC3);
    }
    expect(fastest.offCurve / fastest.wrongC3).to.be.within(0.5, 2);
  });

  it('refuses scalars out of range before anything else (B11)', async () => {
    const { parts } = sample(randomBytes(16));
    for (const { hex: scalar } of SM2_BAD.badPrivateKeys) {
      await refusal('E_KEY', () => decryptSm2(hex(scalar), encodeSm2Ciphertext(parts)));
    }
  });
});

describeForEachSm2Engine('sm2 ciphertext forms', () => {
  it('are written as they were read, or refused with a KmcError', async () => {
    const { parts } = sample(randomBytes(20));
    const good = encodeSm2Ciphertext(parts);
    const mutation = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(mutation, async ([at, octet]) => {
        const changed = Buffer.from(good);
        changed[at] = octet;
        try {
          expect(encodeSm2Ciphertext(decodeSm2Ciphertext(changed)).equals(changed)).to.equal(true);
        } catch (error) {
          await refusal('E_DER', () => {
            throw error;
          });
        }
      }),
    );
  });
});
