import { expect } from 'chai';
import fc from 'fast-check';
import { KmcError } from '../../src/errors.ts';
import { parseInventory, parseInventoryLine, requireInventoryCoversCrl } from '../../src/domain/legacy-inventory.ts';
import { refusal } from '../crypto/refusal.ts';
import { derOf, GM_CERTIFICATES } from '../x509/gm-certificates.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';

const [sample] = GM_CERTIFICATES.filter(({ name }) => name === 'gmssl-sign.pem');
if (sample === undefined) throw new Error('the sample is missing');
const { subject, spki } = parseCertificate(derOf(sample));

const VALID: Readonly<Record<string, string>> = {
  serial: '1a',
  subject: subject.der.toString('base64'),
  spki: spki.toString('base64'),
  notBefore: '2020-01-01T00:00:00Z',
  notAfter: '2030-01-01T00:00:00Z',
  status: 'valid',
};
const REVOKED = { ...VALID, status: 'revoked', revokedAt: '2025-05-05T05:05:05Z', reason: 'superseded' };
const parse = (line: object) => parseInventoryLine(JSON.stringify(line), 7);

function without(name: string): object {
  return Object.fromEntries(Object.entries(VALID).filter(([member]) => member !== name));
}

describe('the inventory of a legacy CA', () => {
  it('is read line by line', () => {
    const [valid, revoked] = parseInventory(
      `${JSON.stringify(VALID)}\n${JSON.stringify({ ...REVOKED, serial: '1b' })}\n`,
    );
    expect(valid?.revoked).to.equal(undefined);
    expect(revoked?.revoked).to.deep.equal({ at: new Date('2025-05-05T05:05:05Z'), reason: 'superseded' });
    expect(revoked?.spki.equals(spki)).to.equal(true);
  });

  it('takes a missing reason as unspecified', () => {
    const { reason, ...unexplained } = REVOKED;
    expect(reason).to.equal('superseded');
    expect(parse(unexplained).revoked?.reason).to.equal('unspecified');
  });

  const WRONG: readonly (readonly [string, object])[] = [
    ...Object.keys(VALID).map((name): [string, object] => [`without ${name}`, without(name)]),
    ['an unknown member', { ...VALID, colour: 'red' }],
    ['a serial in capitals', { ...VALID, serial: 'AB' }],
    ['a serial with a sign octet', { ...VALID, serial: '00ab' }],
    ['a serial of zero', { ...VALID, serial: '00' }],
    ['a serial of 21 octets', { ...VALID, serial: '1a'.repeat(21) }],
    ['base64 with a space', { ...VALID, spki: ` ${VALID['spki']}` }],
    ['an unknown status', { ...VALID, status: 'expired' }],
    ['a valid one with a reason', { ...VALID, reason: 'superseded' }],
    ['a valid one with a date', { ...VALID, revokedAt: '2025-05-05T05:05:05Z' }],
    ['a revoked one without a date', { ...VALID, status: 'revoked' }],
    ['an unknown reason', { ...REVOKED, reason: 'boredom' }],
    ['removeFromCRL as a reason', { ...REVOKED, reason: 'removeFromCRL' }],
    ['a time that is none', { ...VALID, notAfter: '2030-13-01T00:00:00Z' }],
    ['a list', []],
  ];
  for (const [what, line] of WRONG) {
    it(`refuses ${what} and names the line`, async () => {
      const error = await refusal('E_SCHEMA', () => parse(line));
      expect(error.message).to.contain('Line 7');
    });
  }

  it('refuses a serial number that stands twice, and a file without a line', async () => {
    const line = JSON.stringify(VALID);
    await refusal('E_SCHEMA', () => parseInventory(`${line}\n${line}\n`));
    await refusal('E_SCHEMA', () => parseInventory('\n'));
  });

  it('refuses a public key off the curve, and JSON with a member twice', async () => {
    const bad = Buffer.from(spki);
    bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
    await refusal('E_POINT', () => parse({ ...VALID, spki: bad.toString('base64') }));
    await refusal('E_JSON', () => parseInventoryLine('{"serial":"01","serial":"02"}', 1));
  });

  it('never fails with anything but a KmcError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({ serial: fc.string(), spki: fc.base64String(), subject: fc.base64String() })
            .map((line) => JSON.stringify({ ...VALID, ...line })),
        ),
        (text) => {
          try {
            parseInventory(text);
          } catch (error) {
            if (!(error instanceof KmcError)) throw error;
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  describe('covers the last CRL', () => {
    const lines = [parse(REVOKED), parse({ ...VALID, serial: '1b' })];
    const entry = {
      serialNumber: '1a',
      revocationDate: new Date('2025-05-05T05:05:05Z'),
      reason: 'superseded',
    } as const;

    it('when each entry stands there with time and reason', () => {
      requireInventoryCoversCrl(lines, [entry]);
      requireInventoryCoversCrl(lines, []);
    });

    it('and not when one is missing, valid, or revoked at another time or for another reason', async () => {
      const others = [
        { ...entry, serialNumber: '1c' },
        { ...entry, serialNumber: '1b' },
        { ...entry, revocationDate: new Date('2025-05-05T05:05:06Z') },
        { ...entry, reason: 'keyCompromise' as const },
      ];
      for (const other of others) await refusal('E_CRL', () => requireInventoryCoversCrl(lines, [entry, other]));
    });
  });
});
