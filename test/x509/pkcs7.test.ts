import { expect } from 'chai';
import * as fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  contextExplicit,
  contextImplicit,
  integer,
  nullValue,
  oid,
  octetString,
  sequence,
  set,
} from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { encodeCertsOnly, parseCertsOnly } from '../../src/x509/pkcs7.ts';
import { refusalCode } from '../crypto/asn1/refusal-code.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
  readonly certificates: readonly { readonly name: string; readonly b64: string }[];
  readonly crl: readonly { readonly b64: string }[];
  readonly gm_cms: readonly { readonly what: string; readonly b64: string }[];
};

const certificates = vectors.certificates.slice(0, 3).map((item) => Buffer.from(item.b64, 'base64'));

/** SignedData with the given fields in place of those of a certs-only message. */
function message(fields: { version?: Buffer; content?: Buffer; lists?: readonly Buffer[]; signers?: Buffer }): Buffer {
  const signedData = sequence(
    fields.version ?? integer(1),
    set(),
    fields.content ?? sequence(oid(OID.data)),
    ...(fields.lists ?? [contextImplicit(0, set(...certificates))]),
    fields.signers ?? set(),
  );
  return sequence(oid(OID.signedData), contextExplicit(0, signedData));
}

describe('certs-only SignedData', () => {
  it('reads the vector of another implementation', () => {
    const vector = vectors.gm_cms.find((item) => item.what.includes('certificates only'));
    const { certificates: found, crls } = parseCertsOnly(Buffer.from(vector?.b64 ?? '', 'base64'));
    expect(found).to.have.length(2);
    expect(crls).to.deep.equal([]);
  });

  it('brings certificates and CRLs through, whatever their order', () => {
    const crl = Buffer.from(vectors.crl[0]?.b64 ?? '', 'base64');
    const encoded = encodeCertsOnly(certificates, [crl]);
    expect(encoded).to.deep.equal(encodeCertsOnly(certificates.toReversed(), [crl]));
    const found = parseCertsOnly(encoded);
    expect(found.certificates).to.have.deep.members(certificates);
    expect(found.crls).to.deep.equal([crl]);
    expect(encodeCertsOnly(found.certificates, found.crls)).to.deep.equal(encoded);
  });

  it('is read by the openssl program', () => {
    const text = execFileSync('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], {
      input: encodeCertsOnly(certificates),
      encoding: 'utf8',
    });
    expect(text.match(/BEGIN CERTIFICATE/g)).to.have.length(3);
  });

  it('refuses signed content, signers, other versions, other kinds of item and an empty message', () => {
    expect(refusalCode(() => encodeCertsOnly([]))).to.equal('E_DER');
    for (const [what, bad] of Object.entries({
      'no certificates': message({ lists: [] }),
      'no SignedData': sequence(oid(OID.data), contextExplicit(0, octetString(Buffer.alloc(1)))),
      'version 3': message({ version: integer(3) }),
      content: message({ content: sequence(oid(OID.data), contextExplicit(0, octetString(Buffer.alloc(1)))) }),
      'other content type': message({ content: sequence(oid(OID.gmData)) }),
      signers: message({ signers: set(sequence(integer(1))) }),
      'an attribute certificate': message({ lists: [contextImplicit(0, set(contextImplicit(1, sequence())))] }),
      'too many': message({ lists: [contextImplicit(0, set(...Array.from({ length: 257 }, () => sequence())))] }),
      NULL: nullValue(),
    })) {
      expect(
        refusalCode(() => parseCertsOnly(bad)),
        what,
      ).to.equal('E_DER');
    }
  });

  it('comes back byte for byte or is refused with a KmcError when an octet changes', () => {
    const encoded = encodeCertsOnly(certificates.slice(0, 1));
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.nat(255), (at, octet) => {
        const mutated = Buffer.from(encoded);
        mutated[at] = octet;
        const refusal = refusalCode(() => {
          const found = parseCertsOnly(mutated);
          expect(encodeCertsOnly(found.certificates, found.crls)).to.deep.equal(mutated);
        });
        expect(refusal).to.be.oneOf(['E_DER', undefined]);
      }),
      { numRuns: 2000 },
    );
  });
});
