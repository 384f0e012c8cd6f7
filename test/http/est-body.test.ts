import { expect } from 'chai';
import { assert as assertProperty, property, uint8Array } from 'fast-check';
import { decodeEstBody, wrappedBase64 } from '../../src/http/est-body.ts';
import { readCredential } from '../../src/http/est-credential.ts';
import { refusalOf } from '../domain/refusal.ts';

describe('bodies of EST', () => {
  it('come back from their base64, in lines of 76 with CRLF and nothing else', () => {
    assertProperty(
      property(uint8Array({ minLength: 1, maxLength: 400 }), (octets) => {
        const der = Buffer.from(octets);
        const text = wrappedBase64(der);
        expect(text).to.match(/^(?:[A-Za-z0-9+/=]{76}\r\n)*[A-Za-z0-9+/=]{1,76}\r\n$/);
        expect(decodeEstBody(Buffer.from(text)).equals(der)).to.equal(true);
        expect(decodeEstBody(Buffer.from(text.replaceAll('\r\n', ' \t\n'))).equals(der)).to.equal(true);
      }),
    );
  });

  it('are refused when they are no canonical base64', () => {
    for (const text of ['', ' ', 'A', 'AA=A', 'AB==', '-----BEGIN CERTIFICATE REQUEST-----', 'MA A=!', 'MAA']) {
      expect(refusalOf(() => decodeEstBody(Buffer.from(text)))?.code, text).to.equal('E_DER');
    }
  });
});

describe('the token in Authorization', () => {
  it('is read from Basic with the serial number, and from Bearer', () => {
    const pair = Buffer.from('SN-1:TOKEN').toString('base64');
    expect(readCredential(`Basic ${pair}`)).to.deep.equal({ serial: 'SN-1', token: Buffer.from('TOKEN') });
    expect(readCredential('bearer TOKEN')).to.deep.equal({ serial: undefined, token: Buffer.from('TOKEN') });
    expect(readCredential(undefined)).to.equal(undefined);
  });

  it('is refused in another scheme or form', () => {
    for (const field of ['', 'Basic', 'Basic *', 'Basic OnRva2Vu', 'Digest a="b"', `Bearer ${'A'.repeat(201)}`]) {
      expect(refusalOf(() => readCredential(field))?.code, field).to.equal('E_UNAUTHENTICATED');
    }
  });
});
