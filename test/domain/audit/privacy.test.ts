/** No secret that is put anywhere into an event comes out of the log in any form. */
import { expect } from 'chai';
import { AUDIT_ACTIONS, type AuditAction } from '../../../src/domain/audit/actions.ts';
import { commitmentOf } from '../../../src/domain/audit/commitment.ts';
import { encodeAuditEvent, type AuditEventInput } from '../../../src/domain/audit/event.ts';
import { lifeCyclePage } from '../../../src/domain/audit/life-cycle-report.ts';
import { AUDIT_FORMATS } from '../../../src/domain/audit/projections/formats.ts';
import { KmcError } from '../../../src/errors.ts';
import { deviceEvent, ORIGIN, START } from '../../flows/audit/test-log.ts';

const SECRET = 'Planted-Secret-1f9c';
const NAMES = ['pin', 'password', 'passphrase', 'privateKey', 'secret', 'tokenValue', 'keyBytes', 'share', 'body', 'd'];
const ACTIONS = Object.keys(AUDIT_ACTIONS) as AuditAction[];

function encode(given: Partial<AuditEventInput>): ReturnType<typeof encodeAuditEvent> {
  return encodeAuditEvent(deviceEvent('dev-1', { id: 'ev-1', ...given }), { log: ORIGIN, at: START, heads: new Map() });
}

/** What the log says of the attempt: its error, or everything that could leave it. */
function everythingSaid(given: Partial<AuditEventInput>): string {
  try {
    const { canon, leaf, record } = encode(given);
    const event = { index: 0, canon, leaf, record };
    const page = lifeCyclePage({
      subject: 'device dev-1',
      events: [event].map(({ index, record: told }) => ({ index, event: told })),
      approvals: [],
      log: ORIGIN,
      logKey: '-',
      checkpoint: { size: 1, root: '-', time: '-' },
      historyFile: '-',
      warnings: [],
    });
    return [canon.toString(), ...Object.values(AUDIT_FORMATS).map(({ line }) => line(event)), page].join('\n');
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    return `${error.code} ${error.message} ${JSON.stringify(error.pointers)}`;
  }
}

describe('secrets planted in audit events', () => {
  it('get into no event under a name that no registry has, whatever the action', () => {
    for (const action of ACTIONS) {
      for (const name of NAMES) {
        if (Object.hasOwn(AUDIT_ACTIONS[action].detail, name)) continue;
        for (const value of [SECRET, { inner: SECRET } as never, [SECRET] as never]) {
          const said = everythingSaid({ action, detail: { [name]: value } });
          expect(said, `${action} ${name}`).to.match(/^E_SCHEMA /);
          expect(said, `${action} ${name}`).not.to.include(SECRET);
        }
      }
    }
  });

  it('no field of any action takes free octets: base64 of a key fits nowhere but as a text or a name', () => {
    const key = Buffer.alloc(600, 0x5a).toString('base64');
    for (const action of ACTIONS) {
      for (const name of Object.keys(AUDIT_ACTIONS[action].detail)) {
        expect(everythingSaid({ action, detail: { [name]: key } }), `${action} ${name}`).to.match(/^E_SCHEMA /);
      }
    }
  });

  it('a committed value and an address stay outside, and open the commitment that stands in their place', () => {
    const event: Partial<AuditEventInput> = {
      action: 'access.refused',
      detail: {},
      committed: { from: SECRET },
      source: { node: 'node-1', address: `10.0.0.1 ${SECRET}` },
    };
    expect(everythingSaid(event)).not.to.include(SECRET).and.not.to.match(/^E_/);
    const { openings, record } = encode(event);
    expect(openings.map(({ field }) => field).sort()).to.deep.equal(['det.from', 'src.ip_c']);
    for (const opening of openings) {
      const stands = opening.field === 'det.from' ? record.det['from'] : record.src.ip_c;
      expect(commitmentOf(opening)).to.equal(stands);
      expect(commitmentOf({ ...opening, value: `${opening.value} ` }), 'an altered value').not.to.equal(stands);
      expect(commitmentOf({ ...opening, salt: Buffer.alloc(16) }), 'an altered salt').not.to.equal(stands);
    }
  });

  it('two commitments to one value are two: nobody finds a value by trying', () => {
    const from = (): unknown =>
      encode({ action: 'access.refused', detail: {}, committed: { from: SECRET } }).record.det['from'];
    expect(from()).not.to.equal(from());
  });
});
