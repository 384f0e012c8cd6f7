import { expect } from 'chai';
import { encodeSm2Spki } from '../../src/crypto/spki.ts';
import { requireRegisteredNames, retryAfterSeconds, tokenMacInput } from '../../src/domain/enrolment.ts';
import type { CertificationRequest } from '../../src/x509/csr.ts';
import { assembleCsr, encodeCertificationRequestInfo, parseCsr } from '../../src/x509/csr.ts';
import { EXTENSIONS, extensionOf, type Extension } from '../../src/x509/extensions.ts';
import type { GeneralName } from '../../src/x509/extensions/general-name.ts';
import { encodeName } from '../../src/x509/name.ts';
import { printableString, sequence, set, oid } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { KmcError } from '../../src/errors.ts';

// The base point of the curve: any point on it will do as a public key here.
const POINT = Buffer.from(
  '0432c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0',
  'hex',
);
const SUBJECT = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'CN', value: 'gw 1' },
]);
const NAMES: readonly GeneralName[] = [
  { type: 'dNSName', value: 'gw-1.example.cn' },
  { type: 'iPAddress', value: '192.0.2.10' },
];

function request(subject: Buffer, extensions: readonly Extension[]): CertificationRequest {
  const info = encodeCertificationRequestInfo({
    subject,
    spki: encodeSm2Spki(POINT),
    ...(extensions.length === 0 ? {} : { extensions }),
  });
  return parseCsr(assembleCsr(info, 'SM2-SM3', Buffer.from('3006020101020101', 'hex')));
}

function codeOf(work: () => void): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof KmcError) return error.code;
    throw error;
  }
}

describe('the rules of an enrolment', () => {
  it('the proof covers the prefix, one zero octet and the request', () => {
    expect(tokenMacInput(Buffer.from([1, 2])).toString('hex')).to.equal('4b4d432d454e524f4c2d5631000102');
  });

  it('a request asks for exactly the registered names, in whichever order and string type', () => {
    const printable = sequence(
      set(sequence(oid(OID.countryName), printableString('CN'))),
      set(sequence(oid(OID.commonName), printableString('gw 1'))),
    );
    const registered = { subject: SUBJECT, alternativeNames: NAMES };
    const san = (names: readonly GeneralName[]): Extension[] => [extensionOf(EXTENSIONS.subjectAltName, names)];
    for (const subject of [SUBJECT, printable]) {
      expect(codeOf(() => requireRegisteredNames(request(subject, san(NAMES.toReversed())), registered))).to.equal(
        'accepted',
      );
    }
    const other = encodeName([{ type: 'CN', value: 'gw 2' }]);
    expect(codeOf(() => requireRegisteredNames(request(other, san(NAMES)), registered))).to.equal('E_POLICY');
    for (const names of [[], NAMES.slice(0, 1), [...NAMES, { type: 'dNSName' as const, value: 'x.example.cn' }]]) {
      const asked = request(SUBJECT, names.length === 0 ? [] : san(names));
      expect(codeOf(() => requireRegisteredNames(asked, registered))).to.equal('E_POLICY');
    }
  });

  it('a device asks again after 5 minutes, after the first hour hourly, after the first day every 6 hours', () => {
    const since = new Date('2026-12-01T00:00:00Z');
    const after = (seconds: number): number => retryAfterSeconds(since, new Date(since.getTime() + seconds * 1000));
    expect([0, 3_599, 3_600, 86_399, 86_400, 2_000_000].map(after)).to.deep.equal([
      300, 300, 3_600, 3_600, 21_600, 21_600,
    ]);
  });
});
