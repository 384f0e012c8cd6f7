/** The messages of GM/T 0014: a computed request, round trips of everything that can be said, refusals. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  children,
  contextExplicit,
  contextImplicit,
  decodeDer,
  ia5String,
  integer,
  octetString,
  sequence,
  utf8String,
} from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { generateSm2Key, sm2PublicPoint } from '../../../src/crypto/gm/sm2-key.ts';
import { encodeSm2Spki } from '../../../src/crypto/spki.ts';
import { KmcError } from '../../../src/errors.ts';
import { namesKey, type EntityName } from '../../../src/x509/ca-kmc/entity-name.ts';
import { encodeProtocolMessage, verifyProtocolMessage } from '../../../src/x509/ca-kmc/protocol-message.ts';
import {
  encodeKeyServiceRequests,
  parseCaRequest,
  type KeyServiceRequest,
  type KeyServiceRequests,
} from '../../../src/x509/ca-kmc/request.ts';
import {
  encodeKeyServiceResponses,
  parseKmcResponse,
  type KeyServiceResponse,
  type KeyServiceResponses,
} from '../../../src/x509/ca-kmc/response.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';

const VECTOR = (
  JSON.parse(readFileSync(new URL('../../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
    gmt0014: readonly { readonly b64?: string; readonly ca_d?: string }[];
  }
).gmt0014[0]!;
const VECTOR_DER = Buffer.from(VECTOR.b64!, 'base64');
const CA_SPKI = encodeSm2Spki(sm2PublicPoint(Buffer.from(VECTOR.ca_d!, 'hex')));
const USER_SPKI = encodeSm2Spki(generateSm2Key().point);
const NO_SIGNATURE = octetString(Buffer.from('3006020101020101', 'hex')).subarray(2);

const CA_NAME: EntityName = {
  name: { type: 'directoryName', der: encodeName([{ type: 'CN', value: 'a CA' }]) },
  publicKeyHash: sm3(CA_SPKI),
  serialNumber: '01',
};

const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((octets) => {
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 1;
  return Buffer.from(octets).toString('hex');
});
const oidText = fc.constantFrom(OID.sm2Encrypt, OID.sm4, OID.sm4Ecb, OID.sm3, OID.sm2p256v1);
const algorithms = fc.record({ asymmetric: oidText, symmetric: oidText, hash: oidText });
const second = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => new Date(seconds * 1000));
const octets = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const common = { certificateSerial: serial, recipientSpki: fc.constant(USER_SPKI) };
const request: fc.Arbitrary<KeyServiceRequest> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('apply' as const),
      keyType: oidText,
      keyBits: fc.integer({ min: 1, max: 4096 }),
      return: algorithms,
      ...common,
      notBefore: second,
      notAfter: second,
      userName: octets,
      regionCode: octets,
      extendInfo: fc.oneof(octets.map(octetString), fc.constant(ia5String('more'))),
    },
    {
      requiredKeys: [
        'kind',
        'keyType',
        'keyBits',
        'return',
        'certificateSerial',
        'recipientSpki',
        'notBefore',
        'notAfter',
      ],
    },
  ),
  fc.record({ kind: fc.constant('restore' as const), return: algorithms, ...common }),
  fc.record({ kind: fc.constant('revoke' as const), certificateSerial: serial }),
);
const task = fc.bigInt({ min: 0n, max: 2n ** 150n });
const requests: fc.Arbitrary<KeyServiceRequests> = fc.record({
  caName: fc.constant(CA_NAME),
  requests: fc.array(request, { minLength: 1, maxLength: 5 }),
  requestTime: second,
  task,
});
const response: fc.Arbitrary<KeyServiceResponse> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('apply' as const, 'restore' as const),
    certificateSerial: serial,
    spki: fc.constant(USER_SPKI),
    keyPackage: octets.map((bytes) => sequence(octetString(bytes))),
  }),
  fc.record({ kind: fc.constant('revoke' as const), certificateSerial: serial }),
  fc.record(
    { kind: fc.constant('error' as const), number: fc.integer({ min: 1, max: 999 }), description: fc.string() },
    { requiredKeys: ['kind', 'number'] },
  ),
);

const asRequest = (signed: Buffer): Buffer => encodeProtocolMessage(signed, 'SM2-SM3', NO_SIGNATURE);

describe('the messages of GM/T 0014', () => {
  it('read the computed request, and its signature verifies under the key it names', () => {
    const read = parseCaRequest(VECTOR_DER);
    expect(read.task).to.equal(1n);
    expect(read.requestTime.toISOString()).to.equal('2026-01-01T00:00:00.000Z');
    const [apply] = read.requests;
    expect(apply).to.include({ kind: 'apply', keyType: OID.sm2p256v1, keyBits: 256 });
    expect(apply).to.include({ certificateSerial: '0102030405060708' });
    expect(namesKey(read.caName, CA_SPKI)).to.equal(true);
    expect(namesKey(read.caName, USER_SPKI)).to.equal(false);
    expect(verifyProtocolMessage(read.message, CA_SPKI)).to.equal(true);
    expect(verifyProtocolMessage(read.message, USER_SPKI)).to.equal(false);
  });

  it('write the computed request back octet by octet', () => {
    const { message, ...content } = parseCaRequest(VECTOR_DER);
    const signed = encodeKeyServiceRequests(content);
    expect(encodeProtocolMessage(signed, message.signatureAlgorithm, message.signature).equals(VECTOR_DER)).to.equal(
      true,
    );
  });

  it('name a key by the hash of its bits too', () => {
    const bits = { ...CA_NAME, publicKeyHash: sm3(sm2PublicPoint(Buffer.from(VECTOR.ca_d!, 'hex'))) };
    expect(namesKey(bits, CA_SPKI)).to.equal(true);
  });

  it('round trip whatever a CA can ask', () => {
    fc.assert(
      fc.property(requests, (asked) => {
        const { message: _message, ...read } = parseCaRequest(asRequest(encodeKeyServiceRequests(asked)));
        expect(read).to.deep.equal(asked);
      }),
      { numRuns: 60 },
    );
  });

  it('round trip whatever the key management centre can answer', () => {
    const responses: fc.Arbitrary<KeyServiceResponses> = fc.record({
      kmName: fc.constant(CA_NAME),
      responses: fc.array(response, { minLength: 1, maxLength: 5 }),
      respondTime: second,
      task,
    });
    fc.assert(
      fc.property(responses, (answered) => {
        const { message: _message, ...read } = parseKmcResponse(asRequest(encodeKeyServiceResponses(answered)));
        expect(read).to.deep.equal(answered);
      }),
      { numRuns: 60 },
    );
  });

  it('read errDesc in each of the forms that products write', () => {
    const withDescription = (description: Buffer): Buffer =>
      contextImplicit(3, sequence(integer(7), contextExplicit(0, description)));
    const answered = { kmName: CA_NAME, responses: [], respondTime: new Date(0), task: 1n };
    const [version, kmName, , ...rest] = children(decodeDer(encodeKeyServiceResponses(answered))).map(
      ({ encoded }) => encoded,
    );
    for (const form of [octetString(Buffer.from('no')), utf8String('no'), sequence(utf8String('no'))]) {
      const signed = sequence(version!, kmName!, sequence(withDescription(form)), ...rest);
      expect(parseKmcResponse(asRequest(signed)).responses).to.deep.equal([
        { kind: 'error', number: 7, description: 'no' },
      ]);
    }
  });

  it('hold 1 to 100 requests', async () => {
    const revoke = { kind: 'revoke', certificateSerial: '01' } as const;
    const asked = (count: number): KeyServiceRequests => ({
      caName: CA_NAME,
      requests: Array.from({ length: count }, () => revoke),
      requestTime: new Date(0),
      task: 1n,
    });
    expect(parseCaRequest(asRequest(encodeKeyServiceRequests(asked(100)))).requests).to.have.length(100);
    await refusal('E_DER', () => encodeKeyServiceRequests(asked(0)));
    await refusal('E_DER', () => encodeKeyServiceRequests(asked(101)));
  });

  it('are refused with another version, a negative or endless task, an unknown kind, or octets behind', async () => {
    const good = encodeKeyServiceRequests({
      caName: CA_NAME,
      requests: [{ kind: 'revoke', certificateSerial: '0a' }],
      requestTime: new Date(0),
      task: 5n,
    }).toString('hex');
    const altered = (from: string, to: string): Buffer => {
      expect(good.lastIndexOf(from)).to.be.greaterThan(-1);
      const at = good.lastIndexOf(from);
      return asRequest(Buffer.from(good.slice(0, at) + to + good.slice(at + from.length), 'hex'));
    };
    await refusal('E_DER', () => parseCaRequest(altered('020105', '0201ff')));
    await refusal('E_DER', () => parseCaRequest(altered('a20302010a', 'a50302010a')));
    await refusal('E_DER', () => parseCaRequest(asRequest(Buffer.from(good.replace('020101', '020102'), 'hex'))));
    await refusal('E_DER', () => parseCaRequest(Buffer.concat([VECTOR_DER, Buffer.alloc(1)])));
    await refusal('E_SIZE', () => parseCaRequest(Buffer.alloc(300_000)));
    await refusal('E_SIGNATURE', () =>
      parseCaRequest(Buffer.from(VECTOR_DER.toString('hex').replace('2a811ccf55018375', '2a811ccf55018370'), 'hex')),
    );
  });

  it('are refused as KmcError, or say the same again, whatever bit is flipped', () => {
    fc.assert(
      fc.property(fc.nat(VECTOR_DER.length * 8 - 1), (bit) => {
        const der = Buffer.from(VECTOR_DER);
        der[bit >> 3]! ^= 1 << (bit & 7);
        try {
          const { message } = parseCaRequest(der);
          expect(verifyProtocolMessage(message, CA_SPKI)).to.equal(false);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 300 },
    );
    for (const parse of [parseCaRequest, parseKmcResponse]) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
          expect(() => parse(Buffer.from(bytes))).to.throw(KmcError);
        }),
      );
    }
  });
});
