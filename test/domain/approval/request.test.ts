import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { canonicalizeSigned, parseStrictJson } from '../../../src/crypto/jcs.ts';
import { KmcError } from '../../../src/errors.ts';
import { readApprovalRequest, regionOf, requestDigest } from '../../../src/domain/approval/request.ts';
import { SIGNED_PREFIXES, signedBytes, signedDigest } from '../../../src/domain/signed-body.ts';
import { refusalOf } from '../refusal.ts';
import { makeRequest } from './cast.ts';

interface Vector {
  readonly prefixHex: string;
  readonly jcs: string;
  readonly jcsUtf8Hex: string;
  readonly keyOrderShuffledInput: string;
  readonly requestDigestHex: string;
  readonly mustDiffer: readonly { readonly id: string; readonly sm3Hex: string }[];
}

const VECTOR = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../vectors/approval-digest-vector.json'), 'utf8'),
) as Vector;

function body(text: string): object {
  const value = parseStrictJson(text);
  if (typeof value !== 'object' || value === null) throw new Error('the vector is no object');
  return value;
}

describe('the digest of a request (approval-digest-vector.json)', () => {
  it('is that of the vector, whatever the order of the members', () => {
    for (const text of [VECTOR.jcs, VECTOR.keyOrderShuffledInput]) {
      expect(canonicalizeSigned(body(text))).to.equal(VECTOR.jcs);
      expect(signedBytes('request', body(text)).toString('hex')).to.equal(VECTOR.prefixHex + VECTOR.jcsUtf8Hex);
      expect(signedDigest('request', body(text))).to.equal(`sm3:${VECTOR.requestDigestHex}`);
    }
  });

  const changed = (name: string, value: string): object => ({ ...body(VECTOR.jcs), [name]: value });
  const variants: Readonly<Record<string, () => string>> = {
    'prefix-decision': () => signedDigest('approval', body(VECTOR.jcs)),
    'no-prefix': () => `sm3:${sm3(Buffer.from(VECTOR.jcs, 'utf8')).toString('hex')}`,
    'no-nul': () => `sm3:${sm3(Buffer.from(SIGNED_PREFIXES.request + VECTOR.jcs, 'utf8')).toString('hex')}`,
    'param-changed': () =>
      signedDigest('request', { ...body(VECTOR.jcs), params: { bundleVersion: '44', generation: 'G2' } }),
    'target-version-changed': () => signedDigest('request', changed('targetVersion', '18')),
  };
  for (const { id, sm3Hex } of VECTOR.mustDiffer) {
    it(`differs for ${id} exactly as the vector says`, () => {
      expect(variants[id]?.()).to.equal(`sm3:${sm3Hex}`);
      expect(sm3Hex).not.to.equal(VECTOR.requestDigestHex);
    });
  }
});

describe('an approval request', () => {
  const request = makeRequest('root.activate');

  it('is read back as it was made', () => {
    expect(readApprovalRequest(parseStrictJson(canonicalizeSigned(request)))).to.deep.equal(request);
  });

  it('has another digest when any one member changes', () => {
    const digest = requestDigest(request);
    const others = [
      makeRequest('root.activate', { targetVersion: '18' }),
      makeRequest('root.activate', { preState: 'ACTIVE' }),
      makeRequest('root.activate', { params: { generation: 'G3' } }),
      makeRequest('root.activate', { environment: 'development/kmc-2' }),
      makeRequest('root.activate', { environment: 'production/kmc-test' }),
      makeRequest('root.activate', { policyDigest: `sm3:${'0'.repeat(64)}` }),
      makeRequest('root.activate', { attachments: [{ name: 'evidence.json', sm3: `sm3:${'1'.repeat(64)}` }] }),
    ].map((other) => requestDigest(other));
    expect(new Set([digest, ...others]).size).to.equal(others.length + 1);
  });

  it('names the region of a regional act, and none otherwise', () => {
    expect(regionOf(makeRequest('device.issue-token'))).to.equal('110000');
    expect(regionOf(makeRequest('policy.change', { params: { region: '110000' } }))).to.equal(undefined);
  });

  const faults: Readonly<Record<string, readonly [object, string]>> = {
    'an unknown member': [{ extra: 'x' }, '/extra'],
    'another schema': [{ schema: 'kmc.approval-request/2' }, '/schema'],
    'an unknown act': [{ op: 'root.destroy' }, '/op'],
    'an act of Object.prototype': [{ op: 'constructor' }, '/op'],
    'an id with capitals': [{ id: '01J0RQ' }, '/id'],
    'a target of another kind': [{ target: 'device/t-1' }, '/target'],
    'a target without a kind': [{ target: 't-1' }, '/target'],
    'a version that is no decimal number': [{ targetVersion: '017' }, '/targetVersion'],
    'a version that is a number': [{ targetVersion: 17 }, '/targetVersion'],
    'a time with fractions': [{ createdAt: '2026-11-25T08:00:00.000Z' }, '/createdAt'],
    'a time that does not exist': [{ expiresAt: '2026-02-30T00:00:00Z' }, '/expiresAt'],
    'an expiry before its making': [{ expiresAt: '2026-11-24T08:00:00Z' }, '/expiresAt'],
    'a reason with a control character': [{ reason: 'a\u0007b' }, '/reason'],
    'a reason that turns the text around': [{ reason: 'a\u202eb' }, '/reason'],
    'a reason that is not NFC': [{ reason: 'e\u0301' }, '/reason'],
    'an empty reason': [{ reason: '' }, '/reason'],
    'a policy digest in capitals': [{ policyDigest: `sm3:${'A'.repeat(64)}` }, '/policyDigest'],
    'an attachment without digest': [{ attachments: [{ name: 'x' }] }, '/attachments'],
    'attachments that are no list': [{ attachments: {} }, '/attachments'],
    'parameters that are a list': [{ params: [] }, '/params'],
    'a proposer with a path': [{ proposer: 'device/x' }, '/proposer'],
    'an environment without instance': [{ environment: 'development' }, '/environment'],
  };
  for (const [what, [overrides, pointer]] of Object.entries(faults)) {
    it(`is refused with ${what}`, () => {
      const refusal = refusalOf(() => readApprovalRequest({ ...request, ...overrides }));
      expect(refusal?.code).to.equal('E_SCHEMA');
      expect(refusal?.pointers.map((one) => one.pointer)).to.deep.equal([pointer]);
    });
  }

  for (const member of Object.keys(request)) {
    it(`is refused without ${member}`, () => {
      const rest = Object.fromEntries(Object.entries(request).filter(([name]) => name !== member));
      expect(refusalOf(() => readApprovalRequest(rest))?.pointers[0]).to.deep.equal({
        pointer: `/${member}`,
        detail: 'is missing',
      });
    });
  }

  it('is refused when a parameter is a number, null or not NFC', () => {
    for (const value of [1, null, 'e\u0301', { deep: [1] }]) {
      const refusal = refusalOf(() => readApprovalRequest({ ...request, params: { value } }));
      expect(refusal?.code).to.equal('E_JSON');
    }
  });

  it('must state the region of a regional act', () => {
    const regional = makeRequest('device.issue-token');
    for (const params of [{}, { region: 'Beijing' }, { region: '010000' }]) {
      const refusal = refusalOf(() => readApprovalRequest({ ...regional, params }));
      expect(refusal?.pointers[0]?.pointer).to.equal('/params/region');
    }
  });

  it('must state the count of a bulk revocation, up to 500', () => {
    const bulk = makeRequest('certificate.revoke-bulk');
    expect(refusalOf(() => readApprovalRequest({ ...bulk, params: { count: '500' } }))).to.equal(undefined);
    for (const params of [{}, { count: '0' }, { count: '501' }, { count: '1e2' }]) {
      const refusal = refusalOf(() => readApprovalRequest({ ...bulk, params }));
      expect(refusal?.pointers[0]?.pointer).to.equal('/params/count');
    }
  });

  it('whatever comes in is read, or refused with a code', () => {
    const near = fc.record(
      Object.fromEntries(
        Object.entries(request).map(([name, value]) => [
          name,
          fc.oneof({ weight: 9, arbitrary: fc.constant(value as unknown) }, { weight: 1, arbitrary: fc.jsonValue() }),
        ]),
      ),
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.jsonValue()), (value) => {
        try {
          expect(readApprovalRequest(value)).to.deep.equal(value);
        } catch (error) {
          if (!(error instanceof KmcError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});
