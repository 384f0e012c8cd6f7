import { createCipheriv, createPrivateKey, pbkdf2Sync } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { integer, nullValue, octetString, oid, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { decryptPkcs8, encryptPkcs8 } from '../../src/crypto/encrypted-pkcs8.ts';
import { generateSm2Key } from '../../src/crypto/gm/sm2-key.ts';
import { ecScalar, encodeSm2Pkcs8, parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import { KmcError } from '../../src/errors.ts';
import { withOpenssl } from './openssl.ts';
import { refusal } from './refusal.ts';
import { GM } from './vectors.ts';

const PASSPHRASE = Buffer.from('correct horse');
const ENCRYPTED = GM.pkcs8.filter(({ password }) => password !== undefined);

function newPlain(): Buffer {
  const { scalar, point } = generateSm2Key();
  return encodeSm2Pkcs8(scalar, point);
}

interface Changes {
  readonly scheme?: string;
  readonly derivation?: string;
  readonly iterations?: Buffer;
  readonly keyLength?: Buffer;
  readonly prf?: Buffer;
  readonly cipher?: string;
  readonly iv?: Buffer;
  readonly salt?: Buffer;
}

const SALT = Buffer.alloc(16, 1);
const IV = Buffer.alloc(16, 2);

/** A file of few iterations with SM4-CBC, in any shape, right or wrong. */
function file(plain: Buffer, changes: Changes = {}): Buffer {
  const key = pbkdf2Sync(PASSPHRASE, SALT, 2, 16, 'sm3');
  const cipher = createCipheriv('sm4-cbc', key, IV);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  const parameters = [
    octetString(changes.salt ?? SALT),
    changes.iterations ?? integer(2),
    changes.keyLength ?? Buffer.alloc(0),
    changes.prf ?? sequence(oid(OID.hmacSm3)),
  ];
  const derivation = sequence(oid(changes.derivation ?? OID.pbkdf2), sequence(...parameters));
  const scheme = sequence(oid(changes.cipher ?? OID.sm4Cbc), octetString(changes.iv ?? IV));
  return sequence(sequence(oid(changes.scheme ?? OID.pbes2), sequence(derivation, scheme)), octetString(ciphertext));
}

describe('encrypted pkcs8', () => {
  for (const { source, name, password, d, plain_b64: plain, b64 } of ENCRYPTED) {
    it(`opens ${name ?? source}`, async () => {
      const opened = await decryptPkcs8(Buffer.from(b64, 'base64'), Buffer.from(password!));
      if (plain !== undefined) expect(opened.toString('base64')).to.equal(plain);
      expect(ecScalar(parsePkcs8(opened)).toString('hex')).to.equal(d);
    });
  }

  it('writes exactly the shape of GmSSL', async () => {
    const plain = newPlain();
    const encrypted = await encryptPkcs8(plain, PASSPHRASE);
    const sample = Buffer.from(ENCRYPTED.find(({ name }) => name === 'k1.pem')!.b64, 'base64');
    // Everything but salt, initialization vector and ciphertext.
    const fixed = (der: Buffer): string =>
      Buffer.concat([der.subarray(0, 35), der.subarray(51, 86), der.subarray(102, 105)]).toString('hex');
    expect(encrypted.length).to.equal(sample.length);
    expect(fixed(encrypted)).to.equal(fixed(sample));
    expect((await decryptPkcs8(encrypted, PASSPHRASE)).equals(plain)).to.equal(true);
  });

  it('writes a shape that node:crypto and the openssl program open, and opens theirs', async () => {
    const plain = newPlain();
    const encrypted = await encryptPkcs8(plain, PASSPHRASE, 'openssl');
    const opened = createPrivateKey({ key: encrypted, format: 'der', type: 'pkcs8', passphrase: PASSPHRASE });
    expect(opened.export({ format: 'der', type: 'pkcs8' }).equals(plain)).to.equal(true);
    const theirs = withOpenssl((folder) => {
      const passphrase = ['-passin', `file:${folder.write('passphrase', PASSPHRASE)}`];
      const ours = folder.write('ours', encrypted);
      const opens = ['pkcs8', '-topk8', '-nocrypt', '-inform', 'DER', '-in', ours, '-outform', 'DER'];
      const reopened = folder.run(...opens, ...passphrase);
      expect(reopened.equals(plain)).to.equal(true);
      const input = ['pkcs8', '-topk8', '-inform', 'DER', '-in', folder.write('plain', plain), '-outform', 'DER'];
      const output = ['-passout', `file:${folder.path('passphrase')}`];
      return [
        ['-v2', 'sm4-cbc'],
        ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA512'],
        ['-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA1'],
      ].map((options) => folder.run(...input, ...output, ...options));
    });
    for (const encryptedByOpenssl of theirs) {
      expect((await decryptPkcs8(encryptedByOpenssl, PASSPHRASE)).equals(plain)).to.equal(true);
    }
  });

  it('never gives the same file twice', async () => {
    const plain = newPlain();
    const [first, second] = await Promise.all([encryptPkcs8(plain, PASSPHRASE), encryptPkcs8(plain, PASSPHRASE)]);
    expect(first.equals(second)).to.equal(false);
  });

  it('refuses a wrong passphrase and a changed ciphertext alike', async () => {
    const good = file(newPlain());
    const texts = new Set<string>();
    for (let round = 0; round < 300; round += 1) {
      // Now and then wrong padding happens to be right, and what comes out must still be refused.
      const error = await refusal('E_PASSPHRASE', () => decryptPkcs8(good, Buffer.from(`wrong ${round}`)));
      texts.add(error.message);
    }
    const changed = Buffer.from(good);
    changed[changed.length - 1]! ^= 1;
    texts.add((await refusal('E_PASSPHRASE', () => decryptPkcs8(changed, PASSPHRASE))).message);
    expect(texts.size).to.equal(1);
  });

  it('accepts the GM OIDs of PBES and PBKDF, NULL in prf, and a key length that fits', async () => {
    const plain = newPlain();
    const accepted: Changes[] = [
      { scheme: OID.gmPbes, derivation: OID.gmPbkdf },
      { prf: sequence(oid(OID.hmacSm3), nullValue()) },
      { prf: sequence(oid(OID.hmacWithSm3)) },
      { keyLength: integer(16) },
    ];
    for (const changes of accepted) {
      expect((await decryptPkcs8(file(plain, changes), PASSPHRASE)).equals(plain)).to.equal(true);
    }
  });

  it('refuses iteration counts out of bounds, other schemes and lengths that do not fit', async () => {
    const refused: Changes[] = [
      { iterations: integer(0) },
      { iterations: integer(-1) },
      { iterations: integer(10_000_001) },
      { iterations: integer(2n ** 64n) },
      { keyLength: integer(32) },
      { scheme: '1.2.840.113549.1.5.13.1' },
      { derivation: OID.mgf1 },
      { prf: sequence(oid(OID.sm3)) },
      { prf: sequence(oid(OID.hmacWithSha1), nullValue()) },
      { cipher: OID.sm4Ecb },
      { iv: Buffer.alloc(8) },
      { salt: Buffer.alloc(0) },
      { salt: Buffer.alloc(1025) },
    ];
    for (const changes of refused) await refusal('E_DER', () => decryptPkcs8(file(newPlain(), changes), PASSPHRASE));
  });

  it('refuses empty and overlong passphrases', async () => {
    for (const passphrase of [Buffer.alloc(0), Buffer.alloc(1025)]) {
      await refusal('E_PASSPHRASE', () => encryptPkcs8(newPlain(), passphrase));
      await refusal('E_PASSPHRASE', () => decryptPkcs8(file(newPlain()), passphrase));
    }
  });

  it('of any changed octet opens to the same key or is refused with a KmcError', async () => {
    const plain = newPlain();
    const good = file(plain);
    // The iteration count stays, lest a change of it ask for minutes of work.
    const iterations = good.indexOf(Buffer.from('020102', 'hex'));
    const position = fc.nat(good.length - 1).filter((at) => at < iterations || at > iterations + 2);
    await fc.assert(
      fc.asyncProperty(position, fc.integer({ min: 0, max: 255 }), async (at, octet) => {
        const changed = Buffer.from(good);
        changed[at] = octet;
        try {
          parsePkcs8(await decryptPkcs8(changed, PASSPHRASE));
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
