import { expect } from 'chai';
import * as fc from 'fast-check';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import { KmcError } from '../../../src/errors.ts';
import {
  decisionBytes,
  readDecisionBody,
  readDecisionBytes,
  readSignedDecision,
  verifyDecision,
  type DecisionBody,
} from '../../../src/domain/approval/decision.ts';
import { signedBytes } from '../../../src/domain/signed-body.ts';
import { sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { refusalOf } from '../refusal.ts';
import { makeActor, makeAdministratorCa, makeDecision, makeRequest, signDecision, type Actor } from './cast.ts';

describe('a signed decision', () => {
  const request = makeRequest('key.destroy');
  let owner: Actor;
  let other: Actor;
  let body: DecisionBody;

  before(async () => {
    const ca = await makeAdministratorCa();
    owner = await makeActor(ca, 'p-owner', ['ca-owner']);
    other = await makeActor(ca, 'p-other', ['ca-operator']);
    body = makeDecision(owner, request, 'ca-owner');
  });

  it('verifies under the certificate it carries', () => {
    const certificate = verifyDecision(readSignedDecision(signDecision(owner, body)));
    expect(sm3Fingerprint(certificate.der)).to.equal(body.certSm3);
  });

  it('is signed over the prefix, a zero octet and the canonical body', () => {
    expect(decisionBytes(body).subarray(0, 16).toString('latin1')).to.equal('KMC-APPROVAL-V1\0');
    expect(decisionBytes(body).equals(signedBytes('request', body))).to.equal(false);
  });

  for (const member of ['requestDigest', 'requestId', 'decision', 'approver', 'role', 'decidedAt', 'nonce'] as const) {
    it(`does not verify once ${member} is another one`, () => {
      const values: Readonly<Record<string, string>> = {
        requestDigest: `sm3:${'0'.repeat(64)}`,
        requestId: 'rq-2',
        decision: 'REJECT',
        approver: 'p-other',
        role: 'ca-operator',
        decidedAt: '2026-11-25T09:00:00Z',
        nonce: 'f'.repeat(32),
      };
      const changed = readDecisionBody({ ...body, [member]: values[member] });
      const refusal = refusalOf(() => verifyDecision({ ...signDecision(owner, body), body: changed }));
      expect(refusal?.code).to.equal('E_SIGNATURE');
    });
  }

  it('does not verify under the certificate of somebody else', () => {
    const foreign = { ...signDecision(owner, body), certificate: other.certificate.toString('base64') };
    expect(refusalOf(() => verifyDecision(foreign))?.code).to.equal('E_APPROVAL');
    const claimed = { ...body, certSm3: sm3Fingerprint(other.certificate) };
    const signed = { ...signDecision(owner, claimed), certificate: other.certificate.toString('base64') };
    expect(refusalOf(() => verifyDecision(signed))?.code).to.equal('E_SIGNATURE');
  });

  it('does not verify with a signature made for a request, or with an all-zero one', () => {
    const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
    const raw = algorithm.toRaw(algorithm.sign(owner.key, signedBytes('request', body)));
    for (const signature of [raw, Buffer.alloc(64)]) {
      const signed = { ...signDecision(owner, body), signature: signature.toString('base64') };
      expect(refusalOf(() => verifyDecision(signed))?.code).to.equal('E_SIGNATURE');
    }
  });

  it('is refused with a key that is not SM2', async () => {
    const key = parsePkcs8((await KEY_ALGORITHMS['EC-P256'].generateKeyPair()).pkcs8);
    const ca = await makeAdministratorCa();
    let refusal: KmcError | undefined;
    try {
      await makeActor(ca, 'p-p256', ['ca-owner'], { key });
    } catch (error) {
      if (error instanceof KmcError) refusal = error;
    }
    expect(refusal?.code, 'the administrator profile issues for SM2 keys only').to.equal('E_POLICY');
  });

  const forms: Readonly<Record<string, object>> = {
    'a DER signature': { signature: Buffer.alloc(70).toString('base64') },
    'a signature without padding': { signature: Buffer.alloc(64, 1).toString('base64').replace(/=+$/, '') },
    'a signature in base64url': { signature: `${'-'.repeat(86)}==` },
    'a certificate that is not base64': { certificate: 'not base64!' },
    'an empty certificate': { certificate: '' },
    'an unknown member': { comment: 'hello' },
  };
  for (const [what, overrides] of Object.entries(forms)) {
    it(`is refused with ${what}`, () => {
      expect(refusalOf(() => readSignedDecision({ ...signDecision(owner, body), ...overrides }))?.code).to.equal(
        'E_SCHEMA',
      );
    });
  }

  const bodies: Readonly<Record<string, object>> = {
    'another decision': { decision: 'DELEGATE' },
    'a role that does not exist': { role: 'super-administrator' },
    'a short nonce': { nonce: 'ab' },
    'a time with an offset': { decidedAt: '2026-11-25T08:00:00+00:00' },
    'another schema': { schema: 'kmc.approval/2' },
    'a member too many': { delegate: 'p-other' },
  };
  for (const [what, overrides] of Object.entries(bodies)) {
    it(`has no body with ${what}`, () => {
      expect(refusalOf(() => readDecisionBody({ ...body, ...overrides }))?.code).to.equal('E_SCHEMA');
    });
  }

  it('whatever comes in is read, or refused with a code', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(refusalOf(() => readSignedDecision(value))?.code).to.equal('E_SCHEMA');
      }),
      { numRuns: 200 },
    );
  });

  it('comes back from its octets, and nothing that differs in one octet is another decision unnoticed', () => {
    const bytes = decisionBytes(body);
    expect(readDecisionBytes(bytes)).to.deep.equal(body);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = Buffer.from(bytes);
        altered.writeUInt8(altered.readUInt8(at) ^ flip, at);
        let read: DecisionBody | undefined;
        const error = refusalOf(() => (read = readDecisionBytes(altered)));
        if (read === undefined) expect(error).to.be.instanceOf(KmcError);
        else expect(decisionBytes(read).equals(altered)).to.equal(true);
      }),
    );
  });
});
