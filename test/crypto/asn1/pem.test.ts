import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodePem, decodePemAll, encodePem } from '../../../src/crypto/asn1/pem.ts';
import { KmcError } from '../../../src/errors.ts';
import { processorTime } from './processor-time.ts';

const DER = Buffer.from('3003020105', 'hex');
const CERTIFICATE = encodePem('CERTIFICATE', DER);

function refusal(text: string, label = 'CERTIFICATE'): KmcError {
  try {
    decodePem(text, label);
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('strict PEM', () => {
  it('brings any octets through', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        const der = Buffer.from(bytes);
        expect(decodePem(encodePem('X509 CRL', der), 'X509 CRL')).to.deep.equal(der);
      }),
    );
  });

  it('reads several blocks only where several are wanted', () => {
    expect(decodePemAll(CERTIFICATE + CERTIFICATE, 'CERTIFICATE')).to.deep.equal([DER, DER]);
    expect(refusal(CERTIFICATE + CERTIFICATE).code).to.equal('E_DER');
  });

  it('accepts CRLF line ends', () => {
    expect(decodePem(CERTIFICATE.replaceAll('\n', '\r\n'), 'CERTIFICATE')).to.deep.equal(DER);
  });

  it('refuses a wrong label, headers, text around the block, other alphabets and missing lines', () => {
    const body = DER.toString('base64');
    for (const text of [
      '',
      'no block here',
      CERTIFICATE.replaceAll('CERTIFICATE', 'X509 CRL'),
      CERTIFICATE.replace('END CERTIFICATE', 'END X509 CRL'),
      CERTIFICATE.replace(body, `Proc-Type: 4,ENCRYPTED\n\n${body}`),
      `Subject: somebody\n${CERTIFICATE}`,
      `${CERTIFICATE}trailing`,
      CERTIFICATE.replace(body, body.replace('M', '-')),
      CERTIFICATE.replace(body, body.replace(/=+$/, '')),
      CERTIFICATE.replace('MAMCAQU=', 'MAMCAQV='),
      CERTIFICATE.replace(/-----END.*\n/, ''),
      CERTIFICATE.replace(body, ''),
      CERTIFICATE.replace('-----BEGIN', '----BEGIN'),
      ` ${CERTIFICATE}`,
    ]) {
      expect(refusal(text).code, text).to.equal('E_DER');
    }
  });

  it('refuses a private key where a certificate is wanted, and does not repeat its body', () => {
    for (const label of [
      'PRIVATE KEY',
      'ENCRYPTED PRIVATE KEY',
      'EC PRIVATE KEY',
      'RSA PRIVATE KEY',
      'SM2 PRIVATE KEY',
    ]) {
      for (const text of [encodePem(label, DER), CERTIFICATE + encodePem(label, DER)]) {
        const error = refusal(text);
        expect(error.code).to.equal('E_DER');
        expect(error.message)
          .to.match(/private key/)
          .and.not.include(DER.toString('base64'));
      }
    }
  });

  it('refuses more than 1 MiB with E_SIZE and stays fast on many small blocks', () => {
    expect(refusal(encodePem('CERTIFICATE', Buffer.alloc(800_000))).code).to.equal('E_SIZE');
    const many = CERTIFICATE.repeat(Math.floor(1_000_000 / CERTIFICATE.length));
    const started = processorTime();
    expect(decodePemAll(many, 'CERTIFICATE').length).to.be.above(10_000);
    expect(started()).to.be.below(500);
  });
});
