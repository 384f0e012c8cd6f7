import { createSign, generateKeyPairSync, sign } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { signMessage } from '../../src/crypto/algorithms.ts';
import type { KeyAlgorithmName } from '../../src/crypto/algorithms.ts';
import { contextImplicit, integer, octetString, oid, sequence, set, utf8String } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { signSm2 } from '../../src/crypto/gm/sm2-sign.ts';
import { sm2SigningKey } from '../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../src/crypto/private-key.ts';
import { parseSpki } from '../../src/crypto/spki.ts';
import { KmcError } from '../../src/errors.ts';
import { assembleCsr, encodeCertificationRequestInfo, parseCsr, verifyProofOfPossession } from '../../src/x509/csr.ts';
import type { CertificationRequestPlan } from '../../src/x509/csr.ts';
import { encodeExtensions, extensionOf, EXTENSIONS, readExtension } from '../../src/x509/extensions.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { refusal } from '../crypto/refusal.ts';
import { derOf, GM_REQUESTS } from './gm-certificates.ts';
import { KEYS, SIGNATURE_OF, SUBJECT_NAME, withFields } from './sample-plans.ts';

const SM2 = KEYS.subject.SM2;
const EXTENSION_LIST = [
  extensionOf(EXTENSIONS.keyUsage, ['digitalSignature', 'nonRepudiation']),
  extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'gw-001.example.gov.cn' }]),
];

function request(plan: Partial<CertificationRequestPlan> = {}, key: PrivateKey = SM2): Buffer {
  const info = encodeCertificationRequestInfo({ subject: SUBJECT_NAME, spki: key.spki, ...plan });
  const algorithm = SIGNATURE_OF[key.algorithm];
  return assembleCsr(info, algorithm, signMessage(algorithm, key, info));
}

/** A request whose CertificationRequestInfo has other fields (0 version, 1 subject, 2 key, 3 attributes), signed by SM2. */
function requestWith(fields: Readonly<Record<number, Buffer | undefined>>): Buffer {
  const info = withFields(encodeCertificationRequestInfo({ subject: SUBJECT_NAME, spki: SM2.spki }), fields);
  return assembleCsr(info, 'SM2-SM3', signMessage('SM2-SM3', SM2, info));
}

const attribute = (type: string, ...values: Buffer[]): Buffer => sequence(oid(type), set(...values));
const attributes = (...list: Buffer[]): Buffer => contextImplicit(0, sequence(...list));
const extensionRequest = attribute(OID.extensionRequest, encodeExtensions(EXTENSION_LIST));

describe('a certification request', () => {
  const aliyun = GM_REQUESTS.find(({ source }) => source.includes('Aliyun'));
  for (const [at, vector] of GM_REQUESTS.filter((one) => one !== aliyun).entries()) {
    const isGood = vector.verifies_with_id.includes('1234567812345678');
    it(`${isGood ? 'verifies' : 'does not verify'}: ${vector.source} (${at})`, async () => {
      const parsed = parseCsr(derOf(vector));
      expect(parsed.keyAlgorithm).to.equal('SM2');
      if (isGood) verifyProofOfPossession(parsed);
      else await refusal('E_POP', () => verifyProofOfPossession(parsed));
    });
  }

  it('with two extensionRequest attributes, as Aliyun made one, is refused', async () => {
    const error = await refusal('E_CSR', () => parseCsr(Buffer.from(aliyun?.b64 ?? '', 'base64')));
    expect(error.message).to.include('extensionRequest occurs twice');
  });

  for (const algorithm of ['SM2', 'EC-P256', 'RSA'] as const satisfies readonly KeyAlgorithmName[]) {
    it(`for a key of kind ${algorithm} is written so that openssl reads and verifies it`, () => {
      const der = request({ extensions: EXTENSION_LIST, challengePassword: 'binding' }, KEYS.subject[algorithm]);
      verifyProofOfPossession(parseCsr(der));
      withOpenssl((folder) => {
        folder.write('r.der', der);
        const id = algorithm === 'SM2' ? ['-vfyopt', 'distid:1234567812345678'] : [];
        const text = folder
          .run('req', '-inform', 'DER', '-in', 'r.der', '-verify', ...id, '-noout', '-text')
          .toString();
        expect(text).to.include('DNS:gw-001.example.gov.cn').and.to.include('X509v3 Key Usage: critical');
        expect(text).to.match(/challengePassword\s*:binding/);
      });
    });

    it(`of openssl for a key of kind ${algorithm} is read and verified`, () => {
      withOpenssl((folder) => {
        folder.write('k.der', KEYS.subject[algorithm].pkcs8);
        folder.run('pkcs8', '-inform', 'DER', '-in', 'k.der', '-nocrypt', '-out', 'k.pem');
        const digest = algorithm === 'SM2' ? ['-sm3', '-sigopt', 'distid:1234567812345678'] : ['-sha256'];
        folder.run(
          'req',
          '-new',
          '-key',
          'k.pem',
          ...digest,
          '-utf8',
          '-subj',
          '/C=CN/O=政务/CN=gw',
          '-addext',
          'subjectAltName=DNS:gw,IP:10.0.0.1',
          '-outform',
          'DER',
          '-out',
          'r.der',
        );
        const parsed = parseCsr(folder.read('r.der'));
        verifyProofOfPossession(parsed);
        expect(parsed.subject.text).to.equal('CN=gw,O=政务,C=CN');
        expect(readExtension(parsed.requestedExtensions, EXTENSIONS.subjectAltName)).to.deep.equal([
          { type: 'dNSName', value: 'gw' },
          { type: 'iPAddress', value: '10.0.0.1' },
        ]);
      });
    });
  }

  it('is read back as it was planned', () => {
    const parsed = parseCsr(request({ extensions: EXTENSION_LIST, challengePassword: 'tls-unique' }));
    expect(parsed.subject.der.equals(SUBJECT_NAME)).to.equal(true);
    expect(parsed.spki.equals(SM2.spki)).to.equal(true);
    expect(parsed.requestedExtensions).to.deep.equal(EXTENSION_LIST);
    expect(parsed.challengePassword).to.equal('tls-unique');
    expect(parsed.attributeTypes).to.have.members([OID.extensionRequest, OID.challengePassword]);
  });

  it('without wishes has none', () => {
    const parsed = parseCsr(request());
    expect(parsed.requestedExtensions).to.deep.equal([]);
    expect(parsed.challengePassword).to.equal(undefined);
  });
});

describe('verifyProofOfPossession', () => {
  const info = encodeCertificationRequestInfo({ subject: SUBJECT_NAME, spki: SM2.spki });

  /** A key pair straight from generateKeyPairSync signs by ECDSA, whatever its curve. */
  function ecdsaOnSm2(): Buffer {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const ecdsaInfo = encodeCertificationRequestInfo({ subject: SUBJECT_NAME, spki });
    return assembleCsr(ecdsaInfo, 'SM2-SM3', createSign('sm3').update(ecdsaInfo).sign(privateKey));
  }

  const REFUSED: readonly (readonly [string, () => Buffer])[] = [
    ['a signature of another key', () => assembleCsr(info, 'SM2-SM3', signMessage('SM2-SM3', KEYS.encryption, info))],
    [
      'a signature over another request',
      () => assembleCsr(info, 'SM2-SM3', signMessage('SM2-SM3', SM2, Buffer.from('other'))),
    ],
    [
      'an SM2 signature with an empty ID',
      () => assembleCsr(info, 'SM2-SM3', signSm2(sm2SigningKey(SM2), info, Buffer.alloc(0))),
    ],
    [
      'an SM2 signature with another ID',
      () => assembleCsr(info, 'SM2-SM3', signSm2(sm2SigningKey(SM2), info, Buffer.from('TLSv1.3+GM+Cipher+Suite'))),
    ],
    ['ECDSA on the SM2 curve', ecdsaOnSm2],
    [
      'an algorithm of another kind of key',
      () => assembleCsr(info, 'RSA-SHA256', signMessage('RSA-SHA256', KEYS.subject.RSA, info)),
    ],
    ['no signature', () => assembleCsr(info, 'SM2-SM3', Buffer.alloc(0))],
  ];
  for (const [what, make] of REFUSED) {
    it(`refuses ${what} with E_POP`, async () => {
      const error = await refusal('E_POP', () => verifyProofOfPossession(parseCsr(make())));
      expect(error.message).not.to.include(SM2.spki.toString('hex'));
    });
  }

  it('refuses a request that was changed after it was signed', async () => {
    const changed = Buffer.from(request());
    const at = changed.indexOf('gw-001');
    changed[at + 5] = 0x32;
    await refusal('E_POP', () => verifyProofOfPossession(parseCsr(changed)));
  });

  it('refuses SHA-1', () => {
    const rsa = KEYS.subject.RSA;
    const rsaInfo = encodeCertificationRequestInfo({ subject: SUBJECT_NAME, spki: rsa.spki });
    const signature = sign('sha1', rsaInfo, rsa.keyObject);
    return refusal('E_POP', () => verifyProofOfPossession(parseCsr(assembleCsr(rsaInfo, 'RSA-SHA1', signature))));
  });
});

describe('parseCsr', () => {
  const REFUSED: readonly (readonly [string, Buffer])[] = [
    ['another version', requestWith({ 0: integer(1) })],
    ['an empty subject', requestWith({ 1: sequence() })],
    [
      'a control character in the subject',
      requestWith({ 1: sequence(set(sequence(oid(OID.commonName), utf8String('a\nb')))) }),
    ],
    ['two extensionRequest attributes', requestWith({ 3: attributes(extensionRequest, extensionRequest) })],
    [
      'two challengePassword attributes',
      requestWith({
        3: attributes(
          attribute(OID.challengePassword, utf8String('a')),
          attribute(OID.challengePassword, utf8String('b')),
        ),
      }),
    ],
    [
      'two values in extensionRequest',
      requestWith({
        3: attributes(
          attribute(OID.extensionRequest, encodeExtensions(EXTENSION_LIST), encodeExtensions(EXTENSION_LIST.slice(1))),
        ),
      }),
    ],
    ['no value in an attribute', requestWith({ 3: attributes(attribute(OID.extensionRequest)) })],
    [
      'a requested extension twice',
      requestWith({
        3: attributes(attribute(OID.extensionRequest, encodeExtensions([...EXTENSION_LIST, ...EXTENSION_LIST]))),
      }),
    ],
    [
      '17 attributes',
      requestWith({
        3: attributes(...Array.from({ length: 17 }, (_unused, arc) => attribute(`1.2.3.${arc}`, utf8String('a')))),
      }),
    ],
    [
      'a control character in challengePassword',
      requestWith({ 3: attributes(attribute(OID.challengePassword, utf8String('a\u0000'))) }),
    ],
    [
      'a very long challengePassword',
      requestWith({ 3: attributes(attribute(OID.challengePassword, utf8String('a'.repeat(256)))) }),
    ],
  ];
  for (const [what, der] of REFUSED) {
    it(`refuses ${what} with E_CSR`, () => refusal('E_CSR', () => parseCsr(der)));
  }

  const NOT_DER: readonly (readonly [string, Buffer])[] = [
    ['octets behind the request', Buffer.concat([request(), Buffer.from([0])])],
    ['attributes that are missing', requestWith({ 3: undefined })],
    [
      'attributes that are not sorted',
      requestWith({
        3: attributes(
          attribute(OID.extensionRequest, encodeExtensions(EXTENSION_LIST)),
          attribute(OID.challengePassword, utf8String('a')),
        ),
      }),
    ],
    [
      'an attribute without a SET',
      requestWith({ 3: attributes(sequence(oid(OID.extensionRequest), encodeExtensions(EXTENSION_LIST))) }),
    ],
    ['an attribute that is no SEQUENCE', requestWith({ 3: attributes(octetString(Buffer.alloc(1))) })],
    [
      'an extensionRequest that is no list',
      requestWith({ 3: attributes(attribute(OID.extensionRequest, integer(1))) }),
    ],
  ];
  for (const [what, der] of NOT_DER) {
    it(`refuses ${what} with E_DER`, () => refusal('E_DER', () => parseCsr(der)));
  }

  it('refuses points that are compressed, hybrid, at infinity or off the curve (A15)', async () => {
    const point = parseSpki(SM2.spki).keyBits;
    const algorithm = SM2.spki.subarray(2, 23);
    const bits = (content: Buffer): Buffer => Buffer.concat([Buffer.from([0x03, content.length + 1, 0]), content]);
    const compressed = Buffer.concat([Buffer.from([2 + ((point.at(-1) ?? 0) & 1)]), point.subarray(1, 33)]);
    const hybrid = Buffer.concat([Buffer.from([6 + ((point.at(-1) ?? 0) & 1)]), point.subarray(1)]);
    const off = Buffer.from(point);
    off[64] = (off[64] ?? 0) ^ 1;
    for (const bad of [compressed, hybrid, Buffer.from([0]), off]) {
      await refusal('E_POINT', () => parseCsr(requestWith({ 2: sequence(algorithm, bits(bad)) })));
    }
  });

  it('refuses a request above 16 KiB', () =>
    refusal('E_SIZE', () =>
      parseCsr(request({ extensions: [{ oid: '1.2.3', critical: false, value: Buffer.alloc(16_384) }] })),
    ));

  it('refuses each changed octet with a KmcError, or writes back exactly what it read', () => {
    const der = request({ extensions: EXTENSION_LIST, challengePassword: 'binding' });
    fc.assert(
      fc.property(fc.nat({ max: der.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ mask;
        let parsed;
        try {
          parsed = parseCsr(changed);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          return;
        }
        expect(parsed.info.equals(changed.subarray(4, 4 + parsed.info.length))).to.equal(true);
        expect(() => verifyProofOfPossession(parsed)).to.throw(KmcError);
      }),
      { numRuns: 1_000 },
    );
  });
});
