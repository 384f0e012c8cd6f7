import { expect } from 'chai';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import {
  children,
  contextExplicit,
  contextImplicit,
  decodeDer,
  nullValue,
  octetString,
  sequence,
  set,
} from '../../src/crypto/asn1/der.ts';
import { encodeCsrResponse, parseCsrResponse } from '../../src/x509/csr-response.ts';
import { refusalCode } from '../crypto/asn1/refusal-code.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
  readonly csr_response: readonly { readonly b64: string; readonly sm2_enveloped_key_b64: string }[];
};
const vector = Buffer.from(vectors.csr_response[0]?.b64 ?? '', 'base64');
const envelope = Buffer.from(vectors.csr_response[0]?.sm2_enveloped_key_b64 ?? '', 'base64');

describe('CSRResponse of GM/T 0092', () => {
  it('reads the vector and writes it back byte for byte', () => {
    const response = parseCsrResponse(vector);
    expect(response.signCertificates).to.have.length(1);
    expect(response.encryption?.envelopedKey).to.deep.equal(envelope);
    expect(response.encryption?.certificates).to.have.length(1);
    expect(encodeCsrResponse(response)).to.deep.equal(vector);
  });

  it('may hold a signing certificate alone', () => {
    const { signCertificates } = parseCsrResponse(vector);
    expect(parseCsrResponse(encodeCsrResponse({ signCertificates }))).to.deep.equal({ signCertificates });
  });

  it('refuses one half of the encryption part, empty and unsorted lists, other elements and trailing ones', () => {
    const [signing = nullValue(), key = nullValue(), encryption = nullValue()] = children(decodeDer(vector)).map(
      (element) => element.encoded,
    );
    const certificate = sequence(octetString(Buffer.alloc(3)));
    const unsorted = Buffer.concat([certificate, sequence(nullValue())]);
    for (const [what, bad] of Object.entries({
      'envelope alone': sequence(signing, key),
      'certificate alone': sequence(signing, encryption),
      'order turned round': sequence(signing, encryption, key),
      'no signing certificate': sequence(set(), key, encryption),
      'no encryption certificate': sequence(signing, key, contextImplicit(1, set())),
      'an unsorted list': sequence(signing, key, contextExplicit(1, unsorted)),
      'something that is no certificate': sequence(set(nullValue()), key, encryption),
      'two envelopes': sequence(signing, contextExplicit(0, Buffer.concat([envelope, envelope])), encryption),
      'trailing element': sequence(signing, key, encryption, nullValue()),
      'not a SEQUENCE': set(signing),
    })) {
      expect(
        refusalCode(() => parseCsrResponse(bad)),
        what,
      ).to.equal('E_DER');
    }
    expect(refusalCode(() => encodeCsrResponse({ signCertificates: [] }))).to.equal('E_DER');
  });

  it('comes back byte for byte or is refused with a KmcError when an octet changes', () => {
    fc.assert(
      fc.property(fc.nat(vector.length - 1), fc.nat(255), (at, octet) => {
        const mutated = Buffer.from(vector);
        mutated[at] = octet;
        const refusal = refusalCode(() => expect(encodeCsrResponse(parseCsrResponse(mutated))).to.deep.equal(mutated));
        expect(refusal).to.be.oneOf(['E_DER', undefined]);
      }),
      { numRuns: 2000 },
    );
  });
});
