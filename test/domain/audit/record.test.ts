import { expect } from 'chai';
import * as fc from 'fast-check';
import { canonicalize, parseStrictJson } from '../../../src/crypto/jcs.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { AUDIT_ACTIONS, type AuditAction } from '../../../src/domain/audit/actions.ts';
import { commitmentOf } from '../../../src/domain/audit/commitment.ts';
import { auditText, DETAIL_KINDS, type DetailKindName } from '../../../src/domain/audit/detail.ts';
import { encodeAuditEvent, type AuditEventInput } from '../../../src/domain/audit/event.ts';
import { parseAuditRecord } from '../../../src/domain/audit/record.ts';
import { leafHash } from '../../../src/domain/audit/tree.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusalOf } from '../refusal.ts';

const at = new Date('2026-11-23T11:15:40.123Z');
const digest = `sm3:${'ab'.repeat(32)}`;

const whole: AuditEventInput = {
  id: 'ev-1',
  action: 'certificate.issue',
  phase: 'result',
  ref: 'ev-0',
  outcome: 'success',
  code: 'done',
  subjects: [
    { type: 'device', id: 'dev-1' },
    { type: 'certificate', id: 'cert-1', version: 2 },
  ],
  terms: [
    { type: 'profile', id: 'gateway' },
    { type: 'authority', id: 'issuing-1' },
  ],
  actor: { type: 'person', id: 'p-1', role: 'ca-operator', cert: digest },
  source: { node: 'node-1', request: 'req-1', address: '10.0.0.1' },
  approvals: [{ id: 'p-2', role: 'ca-owner', at, signature: Buffer.alloc(64, 7).toString('base64') }],
  detail: { serial: '0a', kid: digest, notAfter: '2027-01-01T00:00:00Z', subject: 'CN=网关 1, O=部' },
};
const context = {
  log: 'kmc.example.org/audit/2026',
  at,
  checkpoint: { size: 12, root: sm3(Buffer.from('root')) },
  heads: new Map([['certificate cert-1', { nextN: 3, lastLeaf: sm3(Buffer.from('last')) }]]),
};

/** A fit value of each kind. */
const FIT: Record<DetailKindName, fc.Arbitrary<string | number | boolean>> = {
  name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:+/-]{0,20}$/),
  id: fc.stringMatching(/^[a-z0-9][a-z0-9:./_-]{0,20}$/),
  digest: fc.constant(digest),
  hex: fc.stringMatching(/^[0-9a-f]{1,40}$/),
  code: fc.constant('E_FORBIDDEN'),
  time: fc.constant('2026-02-28T23:59:59Z'),
  count: fc.nat(),
  integer: fc.integer(),
  flag: fc.boolean(),
  text: fc.string({ unit: 'grapheme', maxLength: 60 }).map(auditText),
  commitment: fc.constant('a'.repeat(43)),
};

const anyEvent = fc
  .constantFrom(...(Object.keys(AUDIT_ACTIONS) as AuditAction[]))
  .chain((action) =>
    fc
      .record(
        Object.fromEntries(Object.entries(AUDIT_ACTIONS[action].detail).map(([name, kind]) => [name, FIT[kind]])),
        { requiredKeys: [] },
      )
      .map((detail): AuditEventInput => ({ ...whole, action, detail: detail as AuditEventInput['detail'] })),
  );

describe('audit records', () => {
  it('stand in the form of audit-log 3.2', () => {
    const { canon, leaf, record, openings } = encodeAuditEvent(whole, context);
    expect(JSON.parse(canon.toString())).to.deep.equal({
      act: 'certificate.issue',
      actor: { cred: digest, id: 'p-1', role: 'ca-operator', t: 'person' },
      appr: [{ at: at.toISOString(), id: 'p-2', role: 'ca-owner', sig: Buffer.alloc(64, 7).toString('base64') }],
      cls: 'certificate',
      code: 'done',
      cp: { n: 12, r: sm3(Buffer.from('root')).toString('base64url') },
      det: { kid: digest, notAfter: '2027-01-01T00:00:00Z', serial: '0a', subject: 'CN=网关 1, O=部' },
      id: 'ev-1',
      log: 'kmc.example.org/audit/2026',
      out: 'success',
      ph: 'result',
      ref: 'ev-0',
      src: { ip_c: commitmentOf(openings[0]!), node: 'node-1', req: 'req-1' },
      subj: [
        { n: 3, p: sm3(Buffer.from('last')).toString('base64url'), t: 'certificate', tag: 'cert-1', ver: 2 },
        { n: 0, p: null, t: 'device', tag: 'dev-1' },
      ],
      terms: [
        { t: 'authority', tag: 'issuing-1' },
        { t: 'profile', tag: 'gateway' },
      ],
      ts: '2026-11-23T11:15:40.123Z',
      v: 1,
    });
    expect(leaf).to.deep.equal(leafHash(sm3, canon));
    expect(openings[0]).to.deep.include({ field: 'src.ip_c', value: '10.0.0.1' });
    expect(parseAuditRecord(canon)).to.deep.equal(record);
  });

  it('are RFC 8785 for every action and every fit detail, and are read back to the same bytes', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const { canon } = encodeAuditEvent(event, context);
        expect(canon.toString()).to.equal(canonicalize(parseStrictJson(canon)));
        expect(Buffer.from(JSON.stringify(parseAuditRecord(canon)))).to.deep.equal(canon);
      }),
      { numRuns: 300 },
    );
  });

  it('have one accepted encoding: whatever is changed in the bytes is refused or says something else', () => {
    const { canon } = encodeAuditEvent(whole, context);
    fc.assert(
      fc.property(fc.nat(canon.length - 1), fc.nat(255), (place, octet) => {
        const altered = Buffer.from(canon);
        altered[place] = octet;
        try {
          expect(JSON.stringify(parseAuditRecord(altered))).to.equal(altered.toString());
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('no JSON whatever makes the reader fail otherwise than with a KmcError', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(refusalOf(() => parseAuditRecord(Buffer.from(json)))).to.be.instanceOf(KmcError);
      }),
    );
  });

  const refused: [string, string, Partial<AuditEventInput>][] = [
    ['an unknown action', '/act', { action: 'key.steal' as AuditAction }],
    ['an unknown detail', '/det/password', { detail: { password: 'x' } }],
    ['a detail of another kind', '/det/serial', { detail: { serial: 12 } }],
    ['a float', '/det/generation', { detail: { generation: 1.5 } }],
    ['an integer above 2^53', '/det/generation', { detail: { generation: 2 ** 53 } }],
    ['a time that does not exist', '/det/notAfter', { detail: { notAfter: '2026-02-30T00:00:00Z' } }],
    ['a line break in text', '/det/subject', { detail: { subject: 'CN=a\nFAKE' } }],
    ['text that reorders what is shown', '/det/subject', { detail: { subject: 'CN=\u202Ea' } }],
    ['text that is not NFC', '/det/subject', { detail: { subject: 'e\u0301' } }],
    ['half of a surrogate pair', '/det/subject', { detail: { subject: '\ud800' } }],
    ['long text', '/det/subject', { detail: { subject: 'a'.repeat(257) } }],
    ['an actor id with a blank', '/actor/id', { actor: { type: 'person', id: 'p 1' } }],
    ['an unknown actor', '/actor/t', { actor: { type: 'ghost' as 'person', id: 'p-1' } }],
    ['a result without its intent', '/ref', { ref: undefined as unknown as string }],
    ['a reference that is no result', '/ref', { phase: 'single' }],
    [
      'nine subjects',
      '/subj',
      { subjects: Array.from({ length: 9 }, (_, n) => ({ type: 'key' as const, id: `k-${n}` })) },
    ],
    ['a subject with an upper-case id', '/subj/0/tag', { subjects: [{ type: 'key', id: 'K' }] }],
    [
      'the same term twice',
      '/terms/1',
      {
        terms: [
          { type: 'a', id: 'b' },
          { type: 'a', id: 'b' },
        ],
      },
    ],
    [
      'an approval with a broken signature',
      '/appr/0/sig',
      { approvals: [{ id: 'p-2', role: 'auditor', at, signature: 'xx' }] },
    ],
    ['an outcome of its own', '/out', { outcome: 'fine' as 'success' }],
  ];
  for (const [what, pointer, given] of refused) {
    it(`${what} is refused at ${pointer}`, () => {
      const error = refusalOf(() => encodeAuditEvent({ ...whole, ...given }, context));
      expect(error).to.include({ code: 'E_SCHEMA' });
      expect(error!.pointers[0]?.pointer).to.equal(pointer);
    });
  }

  it('stay below 16 KiB', () => {
    const approvals = Array.from({ length: 32 }, () => ({
      ...whole.approvals![0]!,
      id: 'p'.repeat(64),
      role: 'r'.repeat(64),
    }));
    expect(encodeAuditEvent({ ...whole, approvals }, context).canon.length).to.be.lessThan(16_384);
    expect(refusalOf(() => parseAuditRecord(Buffer.alloc(16_385, 0x20)))?.code).to.equal('E_SIZE');
  });

  it('text from outside is made fit, and what comes out is fit', () => {
    expect(auditText('CN=a\r\nfake\u0000 \u202Ex')).to.equal('CN=a fake   x');
    expect(auditText('')).to.equal('-');
    expect(auditText(`${'a'.repeat(255)}😀`)).to.equal('a'.repeat(255));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (given) => {
        expect(DETAIL_KINDS.text.check(auditText(given))).to.equal(true);
      }),
      { numRuns: 500 },
    );
  });

  it('every name of the registry is a class, a dot and a verb, and fits the schema', () => {
    for (const [action, rule] of Object.entries(AUDIT_ACTIONS)) {
      expect(action).to.match(/^[a-z]+\.[a-z-]+$/);
      expect(rule.class).to.match(/^[a-z]+(\.[a-z]+)?$/);
      const event = { ...whole, action: action as AuditAction, detail: {} };
      expect(refusalOf(() => encodeAuditEvent(event, context))).to.equal(undefined);
    }
  });
});
