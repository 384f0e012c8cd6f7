import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { bitString, children, decodeDer, integer, nullValue, oid, sequence, set } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { encodeSignedObject, requireSameAlgorithm, splitSignedObject } from '../../src/x509/signed-object.ts';
import { refusalCode } from '../crypto/asn1/refusal-code.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
  readonly certificates: readonly { readonly name: string; readonly b64: string; readonly sig_params: string }[];
};
const der = (name: string): Buffer =>
  Buffer.from(vectors.certificates.find((item) => item.name === name)?.b64 ?? '', 'base64');

const ABSENT = sequence(oid(OID.sm2SignWithSm3));
const NULL = sequence(oid(OID.sm2SignWithSm3), nullValue());

describe('SIGNED{}', () => {
  it('takes a certificate apart and puts it together again byte for byte', () => {
    for (const { b64 } of vectors.certificates) {
      const whole = Buffer.from(b64, 'base64');
      const signed = splitSignedObject(whole, 'certificate');
      expect(signed.signatureAlgorithm).to.equal('SM2-SM3');
      expect(encodeSignedObject(signed.tbs.encoded, signed.algorithmIdentifier, signed.signature)).to.deep.equal(whole);
    }
  });

  it('accepts NULL parameters of SM2 in both places, as some CAs write them', () => {
    const signed = splitSignedObject(der('cfca-test-sm2-oca1'), 'certificate');
    expect(signed.algorithmIdentifier).to.deep.equal(NULL);
    expect(refusalCode(() => requireSameAlgorithm(signed, NULL, 'certificate'))).to.equal(undefined);
    expect(refusalCode(() => parseCertificate(der('cfca-test-sm2-oca1')))).to.equal(undefined);
  });

  it('refuses algorithms that differ in any octet inside and outside (A17)', () => {
    const rsa = SIGNATURE_ALGORITHMS['RSA-SHA256'].identifier;
    const [tbs = sequence()] = children(decodeDer(der('gmssl-ca.pem'))).map(({ encoded }) => encoded);
    const withOuter = (identifier: Buffer): Buffer => encodeSignedObject(tbs, identifier, Buffer.alloc(70, 1));
    for (const outer of [NULL, rsa]) {
      expect(
        refusalCode(() =>
          requireSameAlgorithm(splitSignedObject(withOuter(outer), 'certificate'), ABSENT, 'certificate'),
        ),
      ).to.equal('E_DER');
      expect(refusalCode(() => parseCertificate(withOuter(outer)))).to.equal('E_DER');
    }
  });

  it('refuses other parameters of SM2 than none or NULL, and unknown algorithms', () => {
    for (const identifier of [
      sequence(oid(OID.sm2SignWithSm3), oid(OID.sm2p256v1)),
      sequence(oid(OID.sm2SignWithSm3), sequence()),
      sequence(oid(OID.sm2SignWithSha256)),
      sequence(oid('1.2.3.4')),
    ]) {
      expect(
        refusalCode(() => splitSignedObject(encodeSignedObject(sequence(), identifier, Buffer.alloc(8)), 'thing')),
      ).to.equal('E_SIGNATURE');
    }
  });

  it('refuses every other structure and too long input', () => {
    const signature = bitString(Buffer.alloc(8));
    for (const [what, bad] of Object.entries({
      'no signature': sequence(sequence(), ABSENT),
      'four elements': sequence(sequence(), ABSENT, signature, nullValue()),
      'tbs is no SEQUENCE': sequence(integer(1), ABSENT, signature),
      'signature is no BIT STRING': sequence(sequence(), ABSENT, integer(1)),
      'signature is not whole octets': sequence(sequence(), ABSENT, bitString(Buffer.from([0x80]), 1)),
      'a SET': set(sequence(), ABSENT, signature),
    })) {
      expect(
        refusalCode(() => splitSignedObject(bad, 'thing')),
        what,
      ).to.equal('E_DER');
    }
    const whole = der('gmssl-ca.pem');
    expect(refusalCode(() => splitSignedObject(whole, 'certificate', whole.length - 1))).to.equal('E_SIZE');
    expect(refusalCode(() => splitSignedObject(whole, 'certificate', whole.length))).to.equal(undefined);
  });
});
