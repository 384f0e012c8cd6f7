import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeDer, octetString, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { KmcError } from '../../src/errors.ts';
import {
  encodeExtensions,
  extensionOf,
  EXTENSIONS,
  findExtension,
  parseExtensions,
  readExtension,
} from '../../src/x509/extensions.ts';
import { refusal } from '../crypto/refusal.ts';

interface BadInput {
  readonly bad: readonly { readonly id: string; readonly group: string; readonly hex: string }[];
}

const BAD = JSON.parse(readFileSync(new URL('../vectors/der-bad-input.json', import.meta.url), 'utf8')) as BadInput;
const parse = (der: Buffer): ReturnType<typeof parseExtensions> => parseExtensions(decodeDer(der), 'E_CERT');

describe('parseExtensions', () => {
  for (const { id, hex } of BAD.bad.filter(({ group }) => group === 'x509')) {
    it(`refuses ${id} of the corpus of bad DER`, () => {
      expect(() => parse(Buffer.from(hex, 'hex'))).to.throw(KmcError);
    });
  }

  it('refuses cA FALSE written out (default-encoded of the corpus)', () => {
    const value = Buffer.from(BAD.bad.find(({ id }) => id === 'default-encoded')?.hex ?? '', 'hex');
    return refusal('E_DER', () => EXTENSIONS.basicConstraints.decode(value));
  });

  it('gives the code of the caller for an extension that occurs twice', () => {
    const extension = extensionOf(EXTENSIONS.keyUsage, ['digitalSignature']);
    const list = decodeDer(encodeExtensions([extension, { ...extension, critical: false }]));
    return refusal('E_CSR', () => parseExtensions(list, 'E_CSR'));
  });

  it('does not look into an extension that it does not know', () => {
    const unknown = { oid: '1.2.156.10260.4.1.1', critical: false, value: Buffer.from('anything') };
    expect(parse(encodeExtensions([unknown]))).to.deep.equal([unknown]);
  });

  it('keeps the order and writes back byte for byte', () => {
    const list = [
      extensionOf(EXTENSIONS.keyUsage, ['cRLSign']),
      extensionOf(EXTENSIONS.basicConstraints, { ca: true, pathLength: 1 }),
      { oid: '1.2.3.4', critical: true, value: Buffer.alloc(3) },
      extensionOf(EXTENSIONS.subjectKeyIdentifier, Buffer.alloc(32, 7)),
    ];
    const der = encodeExtensions(list);
    expect(parse(der)).to.deep.equal(list);
    expect(encodeExtensions(parse(der)).equals(der)).to.equal(true);
  });

  it('refuses changed octets with a KmcError, or writes back exactly what it read', () => {
    const der = encodeExtensions([
      extensionOf(EXTENSIONS.keyUsage, ['digitalSignature', 'nonRepudiation']),
      extensionOf(EXTENSIONS.extendedKeyUsage, [OID.serverAuth]),
      { oid: '1.2.3.4', critical: false, value: octetString(Buffer.alloc(3)) },
    ]);
    fc.assert(
      fc.property(fc.nat({ max: der.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ mask;
        let list;
        try {
          list = parse(changed);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          return;
        }
        expect(encodeExtensions(list).equals(changed)).to.equal(true);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses an empty list and one that is no SEQUENCE', async () => {
    await refusal('E_CERT', () => parse(sequence()));
    await refusal('E_DER', () => parse(octetString(Buffer.alloc(1))));
  });
});

describe('readExtension', () => {
  it('gives the value, or undefined when the extension is absent', () => {
    const list = [extensionOf(EXTENSIONS.crlNumber, 7n)];
    expect(readExtension(list, EXTENSIONS.crlNumber)).to.equal(7n);
    expect(readExtension(list, EXTENSIONS.keyUsage)).to.equal(undefined);
    expect(findExtension(list, OID.crlNumber)).to.equal(list[0]);
  });
});
