import { expect } from 'chai';
import fc from 'fast-check';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { canonicalizeSigned } from '../../src/crypto/jcs.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { encodeAuditEvent, type AuditActor, type AuditEventInput } from '../../src/domain/audit/event.ts';
import { openingBytes, type OpeningStatement, type SealedAccountId } from '../../src/domain/break-glass.ts';
import {
  readBreakGlassReport,
  REPORT_SCHEMA,
  reportText,
  verifyBreakGlassReport,
  type BreakGlassReport,
} from '../../src/domain/break-glass-report.ts';
import { draftOpening } from '../../src/flows/break-glass/draft-opening.ts';
import { makePersonalCertificate } from '../../src/flows/ceremonies/make-personal-certificate.ts';
import { KmcError } from '../../src/errors.ts';
import { refusalOf } from './refusal.ts';

const OPENED = new Date('2026-11-25T08:00:00Z');
const ENVIRONMENT = 'production/kmc-1';
const REASON = 'forged registrations';

async function statement(account: SealedAccountId, bag: string): Promise<OpeningStatement> {
  const engine = createSoftwareEngine();
  const key = await engine.generateKeyPair('SM2');
  const person = { id: account, name: account, unit: 'safe', organisation: 'kmc' };
  const certificate = await makePersonalCertificate(engine, key, person, OPENED);
  const declaration = { id: 'bg-1', environment: ENVIRONMENT, reason: REASON, declaredAt: '2026-11-25T07:50:00Z' };
  const body = draftOpening({ account, bag, certificate, at: OPENED, declaration });
  const signature = await engine.sign(key, 'SM2-SM3', openingBytes(body));
  return {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: certificate.toString('base64'),
  };
}

type Told = Pick<AuditEventInput, 'action' | 'detail'> & { readonly actor?: AuditActor };

/** Events in the chain of the session, a minute apart. */
function chained(told: readonly Told[]): string[] {
  let head = { nextN: 0, lastLeaf: undefined as Buffer | undefined };
  return told.map(({ action, detail, actor = { type: 'sealed-account', id: 'sealed-1' } }, minute) => {
    const event: AuditEventInput = {
      id: `ev-${minute}`,
      action,
      outcome: 'success',
      subjects: [{ type: 'break-glass', id: 'bg-1' }],
      actor,
      source: { node: 'node-1', request: `req-${minute}` },
      detail,
    };
    const at = new Date(OPENED.getTime() + minute * 60_000);
    const { canon, leaf } = encodeAuditEvent(event, {
      log: 'kmc.test/audit',
      at,
      heads: new Map([['break-glass bg-1', head]]),
    });
    head = { nextN: head.nextN + 1, lastLeaf: leaf };
    return canon.toString('utf8');
  });
}

describe('the report of a break-glass session', () => {
  let statements: readonly [OpeningStatement, OpeningStatement];
  let opening: Told;
  const ACT: Told = {
    action: 'breakglass.act',
    detail: { account: 'sealed-1', operation: 'suspendPerson', target: 'x' },
  };
  const end = (acts: number): Told => ({
    action: 'breakglass.end',
    detail: { acts, ended: '2026-11-25T12:00:00Z', reason: 'time' },
  });

  before(async () => {
    statements = [await statement('sealed-1', 'A-1'), await statement('sealed-2', 'A-2')];
    const digest = `sm3:${sm3(Buffer.from(canonicalizeSigned(statements), 'utf8')).toString('hex')}`;
    opening = { action: 'breakglass.open', detail: { digest } };
  });

  function report(change: Partial<BreakGlassReport> = {}): string {
    return reportText({
      schema: REPORT_SCHEMA,
      session: 'bg-1',
      environment: ENVIRONMENT,
      reason: REASON,
      openedAt: '2026-11-25T08:00:00Z',
      endedAt: '2026-11-25T12:00:00Z',
      statements,
      events: chained([opening, ACT, end(1)]),
      effects: [],
      ...change,
    });
  }
  const codeOf = (text: string, log?: ReadonlySet<string>) => refusalOf(() => verifyBreakGlassReport(text, log))?.code;

  it('proves itself, and against a copy of the log', () => {
    const text = report();
    expect(verifyBreakGlassReport(text).acts).to.have.length(1);
    const lines = new Set(readBreakGlassReport(text).events);
    expect(codeOf(text, lines)).to.equal(undefined);
    lines.delete(readBreakGlassReport(text).events[1] ?? '');
    expect(codeOf(text, lines)).to.equal('E_AUDIT');
  });

  const faults: Readonly<Record<string, readonly [() => Partial<BreakGlassReport>, string]>> = {
    'an act left out': [
      () => ({ events: chained([opening, ACT, ACT, end(2)]).filter((_, at) => at !== 1) }),
      'E_AUDIT',
    ],
    'no end': [() => ({ events: chained([opening, ACT]) }), 'E_AUDIT'],
    'an end that counts otherwise': [() => ({ events: chained([opening, ACT, end(2)]) }), 'E_AUDIT'],
    'an act of an account that did not open it': [
      () => ({ events: chained([opening, { ...ACT, actor: { type: 'sealed-account', id: 'sealed-3' } }, end(1)]) }),
      'E_AUDIT',
    ],
    'an act that break-glass does not have': [
      () => ({ events: chained([opening, { ...ACT, detail: { operation: 'createRequest' } }, end(1)]) }),
      'E_AUDIT',
    ],
    'other statements than the log names': [
      () => ({ events: chained([{ action: 'breakglass.open', detail: { digest: `sm3:${'0'.repeat(64)}` } }, end(0)]) }),
      'E_AUDIT',
    ],
    'another end than the log has': [() => ({ endedAt: '2026-11-25T10:00:00Z' }), 'E_AUDIT'],
    'more than four hours': [
      () => {
        const long = { acts: 0, ended: '2026-11-25T12:00:01Z', reason: 'time' };
        return { endedAt: long.ended, events: chained([opening, { action: 'breakglass.end', detail: long }]) };
      },
      'E_AUDIT',
    ],
    'another session': [() => ({ session: 'bg-2' }), 'E_AUDIT'],
    'another reason': [() => ({ reason: 'none' }), 'E_AUDIT'],
    'another instance': [() => ({ environment: 'production/kmc-2' }), 'E_APPROVAL'],
    'one account only': [() => ({ statements: statements.slice(0, 1) }), 'E_QUORUM'],
    'one account twice': [() => ({ statements: [statements[0], statements[0]] }), 'E_SAME_PERSON'],
    'an effect of nothing': [
      () => ({ effects: chained([{ ...ACT, actor: { type: 'person', id: 'p-1' } }]) }),
      'E_AUDIT',
    ],
  };
  for (const [what, [change, code]] of Object.entries(faults)) {
    it(`does not hold with ${what}`, () => {
      expect(codeOf(report(change()))).to.equal(code);
    });
  }

  // The chain binds every event but its last, and nothing binds what the acts caused: for these it takes a copy of the log.
  it('does not hold beside the lines of the log once one character is another one', () => {
    const text = report();
    const { events, effects } = JSON.parse(text) as { events: string[]; effects: string[] };
    const log = new Set([...events, ...effects]);
    expect(refusalOf(() => verifyBreakGlassReport(text, log))).to.equal(undefined);
    fc.assert(
      fc.property(fc.nat(text.length - 2), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const altered = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        if (altered === text) return;
        const error = refusalOf(() => verifyBreakGlassReport(altered, log));
        expect(error, altered.slice(Math.max(0, at - 20), at + 20)).to.be.instanceOf(KmcError);
      }),
      { numRuns: 60 },
    );
  });
});
