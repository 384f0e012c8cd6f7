import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { KmcError, type ErrorCode } from '../../../src/errors.ts';
import {
  boolean,
  contextExplicit,
  contextImplicit,
  decodeDer,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
} from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { readPkcs12 } from '../../../src/crypto/legacy/pkcs12.ts';
import { PKCS12_ID, pkcs12Kdf, pkcs12Password } from '../../../src/crypto/legacy/pkcs12-kdf.ts';
import { refusal } from '../refusal.ts';

interface Pkcs12Vectors {
  readonly key: string;
  readonly items: readonly {
    readonly name: string;
    readonly source: string;
    readonly passphrase: string;
    readonly b64: string;
    readonly certificates?: number;
    readonly code?: ErrorCode;
  }[];
}

const VECTORS = JSON.parse(
  readFileSync(new URL('../../vectors/pkcs12.json', import.meta.url), 'utf8'),
) as Pkcs12Vectors;
const KEY = Buffer.from(VECTORS.key, 'base64');
const PASSPHRASE = Buffer.from('legacy-Passw0rd');

function fileOf(name: string): Buffer {
  const item = VECTORS.items.find((candidate) => candidate.name === name);
  if (item === undefined) throw new Error(`No vector ${name}.`);
  return Buffer.from(item.b64, 'base64');
}

const data = (content: Buffer): Buffer => sequence(oid(OID.data), contextExplicit(0, octetString(content)));
const keyBag = (pkcs8: Buffer): Buffer => sequence(oid(OID.keyBag), contextExplicit(0, pkcs8));

/** MacData over `authSafe` that is right under PASSPHRASE. */
function macData(
  authSafe: Buffer,
  iterations: number | undefined,
  algorithm = sequence(oid(OID.sha1), nullValue()),
): Buffer {
  const [password, salt] = [pkcs12Password(PASSPHRASE), Buffer.from('saltsalt')];
  const key = pkcs12Kdf('sha1', password, salt, Math.min(iterations ?? 1, 10), PKCS12_ID.mac, 20);
  const digestInfo = sequence(algorithm, octetString(createHmac('sha1', key).update(authSafe).digest()));
  return sequence(digestInfo, octetString(salt), ...(iterations === undefined ? [] : [integer(iterations)]));
}

/** A PFX of these ContentInfos with a right MAC. */
function pfxOf(parts: Buffer[], iterations: number | undefined = 10): Buffer {
  const authSafe = sequence(...parts);
  return sequence(integer(3), data(authSafe), macData(authSafe, iterations));
}

describe('PKCS#12 key derivation', () => {
  it('gives the known answers of the literature', () => {
    // The circulating vectors of PKCS#12 implementations (Bouncy Castle's tests have them); the files below were made by
    // OpenSSL and confirm the same function.
    const cases = [
      {
        password: 'smeg',
        id: 1,
        salt: '0a58cf64530d823f',
        iterations: 1,
        expected: '8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3',
      },
      { password: 'smeg', id: 2, salt: '0a58cf64530d823f', iterations: 1, expected: '79993dfe048d3b76' },
      {
        password: 'smeg',
        id: 3,
        salt: '3d83c0e4546ac140',
        iterations: 1,
        expected: '8d967d88f6caa9d714800ab3d48051d63f73a312',
      },
      {
        password: 'queeg',
        id: 1,
        salt: '05dec959acff72f7',
        iterations: 1000,
        expected: 'ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4',
      },
      { password: 'queeg', id: 2, salt: '05dec959acff72f7', iterations: 1000, expected: '11dedad7758d4860' },
      {
        password: 'queeg',
        id: 3,
        salt: '263216fcc2fab31c',
        iterations: 1000,
        expected: '5ec4c7a80df652294c3925b6489a7ab857c83476',
      },
    ];
    for (const { password, id, salt, iterations, expected } of cases) {
      const octets = pkcs12Kdf(
        'sha1',
        pkcs12Password(Buffer.from(password)),
        Buffer.from(salt, 'hex'),
        iterations,
        id,
        expected.length / 2,
      );
      expect(octets.toString('hex')).to.equal(expected);
    }
  });

  it('hashes a password as a BMPString with a zero character at its end', async () => {
    expect(pkcs12Password(Buffer.from('Beavis')).toString('hex')).to.equal('0042006500610076006900730000');
    expect(pkcs12Password(Buffer.from('密')).toString('hex')).to.equal('5bc60000');
    await refusal('E_PASSPHRASE', () => pkcs12Password(Buffer.alloc(0)));
    await refusal('E_PASSPHRASE', () => pkcs12Password(Buffer.from([0xff, 0xfe])));
  });
});

describe('PKCS#12 files', () => {
  for (const { name, source, passphrase, b64, certificates, code } of VECTORS.items) {
    const pfx = Buffer.from(b64, 'base64');
    if (code !== undefined) {
      it(`refuses "${name}" with ${code}: ${source}`, async () => {
        await refusal(code, () => readPkcs12(pfx, Buffer.from(passphrase)));
      });
      continue;
    }
    it(`opens "${name}": ${source}`, async () => {
      const content = await readPkcs12(pfx, Buffer.from(passphrase));
      expect(content.pkcs8.equals(KEY)).to.equal(true);
      expect(content.certificates).to.have.length(certificates ?? 0);
      for (const certificate of content.certificates)
        expect(decodeDer(certificate).encoded.equals(certificate)).to.equal(true);
    });
    it(`refuses "${name}" under another passphrase with E_PASSPHRASE`, async () => {
      await refusal('E_PASSPHRASE', () => readPkcs12(pfx, Buffer.from(`${passphrase}x`)));
    });
  }

  it('opens one built by the test, and one whose MAC leaves the iterations at their default', async () => {
    for (const iterations of [10, undefined]) {
      const pfx = pfxOf([data(sequence(keyBag(KEY)))], iterations);
      expect((await readPkcs12(pfx, PASSPHRASE)).pkcs8.equals(KEY)).to.equal(true);
    }
  });

  it('refuses a file without macData even when all else is right (CVE-2025-12816)', async () => {
    const authSafe = sequence(data(sequence(keyBag(KEY))));
    const error = await refusal('E_DER', () => readPkcs12(sequence(integer(3), data(authSafe)), PASSPHRASE));
    expect(error.message).to.include('no MAC');
  });

  it('refuses reordered and additional fields', async () => {
    const authSafe = sequence(data(sequence(keyBag(KEY))));
    const [version, content, mac] = [integer(3), data(authSafe), macData(authSafe, 10)];
    const reordered = [
      sequence(version, mac, content),
      sequence(content, version, mac),
      sequence(version, content, mac, mac),
      sequence(version, content, nullValue()),
      sequence(integer(4), content, mac),
      sequence(version, sequence(oid(OID.signedData), contextExplicit(0, octetString(authSafe))), mac),
      sequence(version, data(authSafe), macData(authSafe, 10, sequence(oid(OID.sm3)))),
    ];
    for (const pfx of reordered) await refusal('E_DER', () => readPkcs12(pfx, PASSPHRASE));
  });

  it('refuses iteration counts of 0, below 0 and above 100,000 without running them', async () => {
    const started = performance.now();
    for (const iterations of [0, -1, 100_001, 2_147_483_647]) {
      await refusal('E_DER', () => readPkcs12(pfxOf([data(sequence(keyBag(KEY)))], iterations), PASSPHRASE));
    }
    expect(performance.now() - started).to.be.lessThan(500);
  });

  it('refuses BER, trailing octets and lenient encodings in every layer, under a right MAC too', async () => {
    const berBags = [
      Buffer.concat([sequence(keyBag(KEY)), Buffer.alloc(1)]),
      Buffer.concat([Buffer.from([0x30, 0x80]), keyBag(KEY), Buffer.alloc(2)]),
      contextImplicit(16, sequence(keyBag(KEY))),
      sequence(boolean(true)),
    ];
    for (const bags of berBags) await refusal('E_DER', () => readPkcs12(pfxOf([data(bags)]), PASSPHRASE));
    const file = fileOf('3des');
    await refusal('E_DER', () => readPkcs12(Buffer.concat([file, Buffer.alloc(1)]), PASSPHRASE));
    const otherTag = Buffer.from(file);
    otherTag[0] = 0x70;
    await refusal('E_DER', () => readPkcs12(otherTag, PASSPHRASE));
  });

  it('refuses several keys, foreign bags and too many parts or bags', async () => {
    const pfx = (bags: Buffer[]) => () => readPkcs12(pfxOf([data(sequence(...bags))]), PASSPHRASE);
    await refusal('E_KEY', pfx([keyBag(KEY), keyBag(KEY)]));
    await refusal('E_KEY', pfx([]));
    const secretBag = sequence(oid('1.2.840.113549.1.12.10.1.5'), contextExplicit(0, sequence()));
    await refusal('E_DER', pfx([keyBag(KEY), secretBag]));
    await refusal('E_DER', pfx(Array.from({ length: 65 }, () => secretBag)));
    const parts = Array.from({ length: 17 }, () => data(sequence()));
    await refusal('E_DER', () => readPkcs12(pfxOf(parts), PASSPHRASE));
    await refusal('E_SIZE', () => readPkcs12(Buffer.alloc(300_000), PASSPHRASE));
  });

  it('refuses an encrypted part under a scheme that is not accepted, and one that does not decrypt', async () => {
    const part = (scheme: string, ciphertext: Buffer): Buffer =>
      sequence(
        oid(OID.encryptedData),
        contextExplicit(
          0,
          sequence(
            integer(0),
            sequence(
              oid(OID.data),
              sequence(oid(scheme), sequence(octetString(Buffer.from('saltsalt')), integer(10))),
              contextImplicit(0, octetString(ciphertext)),
            ),
          ),
        ),
      );
    const rc4 = '1.2.840.113549.1.12.1.1';
    await refusal('E_DER', () => readPkcs12(pfxOf([part(rc4, Buffer.alloc(16))]), PASSPHRASE));
    for (const scheme of [OID.pbeWithSha1And3KeyTripleDesCbc, OID.pbeWithSha1And40BitRc2Cbc]) {
      for (const length of [0, 7, 15]) {
        await refusal('E_PASSPHRASE', () => readPkcs12(pfxOf([part(scheme, Buffer.alloc(length))]), PASSPHRASE));
      }
    }
  });

  it('refuses every altered file with a KmcError and never with another exception', async () => {
    const file = fileOf('rc2-128');
    const refusedFor = async (pfx: Buffer): Promise<void> => {
      try {
        await readPkcs12(pfx, PASSPHRASE);
      } catch (error) {
        expect(error).to.be.instanceOf(KmcError);
        return;
      }
      throw new Error('An altered file opened.');
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length * 8 - 1), async (bit) => {
        const flipped = Buffer.from(file);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        await refusedFor(flipped);
      }),
      { numRuns: 60 },
    );
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (octets) => refusedFor(Buffer.from(octets))));
  });

  it('tells only through KmcErrors what is wrong with the inner layers of a file with a right MAC', async () => {
    const bags = sequence(keyBag(KEY));
    await fc.assert(
      fc.asyncProperty(fc.nat(bags.length * 8 - 1), async (bit) => {
        const flipped = Buffer.from(bags);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        try {
          await readPkcs12(pfxOf([data(flipped)]), PASSPHRASE);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
