import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalizeSigned } from '../../../src/crypto/jcs.ts';
import { faultOf, readDeviceReport, REPORT_SCHEMA } from '../../../src/domain/fleet/device-report.ts';
import { KmcError } from '../../../src/errors.ts';

const DIGEST = `sm3:${'ab'.repeat(32)}`;
const COMMON = { schema: REPORT_SCHEMA, bundle: 'extranet', bundleVersion: '7', bundleDigest: DIGEST, firmware: '4.2' };
const CANARY = {
  nonce: '0a'.repeat(24),
  leafSm3: DIGEST,
  accepted: true,
  decoySm3: DIGEST,
  decoyAccepted: false,
  pathSpki: [DIGEST],
};
const REPORTS = {
  FETCHED: { ...COMMON, level: 'FETCHED' },
  INSTALLED: { ...COMMON, level: 'INSTALLED', anchors: [DIGEST] },
  VERIFIED: { ...COMMON, level: 'VERIFIED', anchors: [DIGEST], canary: CANARY },
  MIGRATED: {
    ...COMMON,
    level: 'MIGRATED',
    anchors: [],
    certificates: { sign: DIGEST, enc: DIGEST, usedAt: '2026-06-01T00:00:00Z' },
  },
} as const;

const read = (value: unknown) => readDeviceReport(Buffer.from(JSON.stringify(value)));
const codeOf = (value: unknown): string => {
  try {
    read(value);
    return 'accepted';
  } catch (error) {
    return error instanceof KmcError ? error.code : 'another error';
  }
};

describe('the report of a device', () => {
  it('is read as it stands, at each level', () => {
    for (const report of Object.values(REPORTS)) expect(read(report)).deep.equal(report);
  });

  it('has the members of its level and no others', () => {
    const { VERIFIED, FETCHED, MIGRATED } = REPORTS;
    const faulty: readonly unknown[] = [
      {},
      [],
      'FETCHED',
      { ...FETCHED, level: 'OFFERED' },
      { ...FETCHED, anchors: [] },
      { ...FETCHED, fault: 'because' },
      { ...VERIFIED, fault: 'expired' },
      { ...VERIFIED, canary: { ...CANARY, accepted: 'true' } },
      { ...VERIFIED, canary: { ...CANARY, nonce: 'short' } },
      { ...VERIFIED, canary: { ...CANARY, more: true } },
      { ...VERIFIED, anchors: [DIGEST, 'sm3:short'] },
      { ...VERIFIED, anchors: Array.from({ length: 17 }, () => DIGEST) },
      { ...VERIFIED, certificates: MIGRATED.certificates },
      { ...MIGRATED, certificates: { ...MIGRATED.certificates, usedAt: 'yesterday' } },
      { ...FETCHED, bundleVersion: '0' },
      { ...FETCHED, bundleVersion: 7 },
      { ...FETCHED, firmware: '' },
      { ...FETCHED, firmware: 'a\nb' },
    ];
    for (const value of faulty) expect(codeOf(value), JSON.stringify(value)).oneOf(['E_SCHEMA', 'E_JSON']);
  });

  it('tells of a refused bundle or a failed canary as a fault', () => {
    expect(faultOf(read(REPORTS.VERIFIED))).equal(undefined);
    expect(faultOf(read({ ...REPORTS.FETCHED, fault: 'link-mismatch' }))).equal('link-mismatch');
    const failed = [{ accepted: false }, { decoyAccepted: true }];
    for (const change of failed) {
      expect(faultOf(read({ ...REPORTS.VERIFIED, canary: { ...CANARY, ...change } }))).equal('canary');
    }
  });

  it('is refused with a code, or is the same when it is written again', () => {
    const member = fc.oneof(fc.string(), fc.boolean(), fc.array(fc.string()), fc.object(), fc.constant(DIGEST));
    const names = Object.keys({ ...REPORTS.VERIFIED, ...REPORTS.MIGRATED, fault: '' });
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(REPORTS)),
        fc.dictionary(fc.constantFrom(...names, 'other'), member, { maxKeys: 2 }),
        (report, change) => {
          const value = { ...report, ...change };
          if (codeOf(value) === 'accepted') expect(read(JSON.parse(canonicalizeSigned(value)))).deep.equal(value);
          else expect(codeOf(value)).oneOf(['E_SCHEMA', 'E_JSON', 'E_SIZE']);
        },
      ),
    );
  });
});
