import { expect } from 'chai';
import * as fc from 'fast-check';
import { matchesFilter, filterText, type AuditFilter } from '../../../../src/domain/audit/filter.ts';
import { AUDIT_FORMATS } from '../../../../src/domain/audit/projections/formats.ts';
import type { PlacedEvent } from '../../../../src/domain/audit/projections/placed-event.ts';
import { encodeAuditEvent, type AuditEventInput } from '../../../../src/domain/audit/event.ts';
import { deviceEvent, ORIGIN, START } from '../../../flows/audit/test-log.ts';

function placed(given: Partial<AuditEventInput> = {}): PlacedEvent {
  const event = deviceEvent('dev-1', { id: 'ev-1', ...given });
  const { canon, leaf, record } = encodeAuditEvent(event, { log: ORIGIN, at: START, heads: new Map() });
  return { index: 7, canon, leaf, record };
}

/** RFC 4180, by hand: the cells of the rows. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  for (const row of text.split('\r\n').slice(0, -1)) {
    const cells = [...row.matchAll(/"((?:[^"]|"")*)"(?:,|$)/g)].map((match) => match[1]!.replaceAll('""', '"'));
    rows.push(cells);
  }
  return rows;
}

/** RFC 5424 6, by hand. */
const SYSLOG =
  /^<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) \[(\S+?)((?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] \ufeff(.*)\n$/s;

describe('the forms of exported events', () => {
  it('CSV has a row of quoted cells, and no cell that a spreadsheet computes', () => {
    for (const model of ['=1+1', '+cmd', '-2', '@sum', '="x"', 'harmless']) {
      const text = AUDIT_FORMATS.csv.line(placed({ detail: { model } }));
      const [cells] = parseCsv(text);
      const [names] = parseCsv(AUDIT_FORMATS.csv.header);
      expect(cells).to.have.length(names!.length);
      for (const cell of cells!) expect(cell).not.to.match(/^[=+\-@\t\r]/);
      expect(cells![names!.indexOf('detail')]).to.equal(`model=${model}`);
      expect(cells![0]).to.equal('7');
    }
  });

  it('a cell that begins like a formula gets an apostrophe', () => {
    const event = placed();
    const forged = { ...event, record: { ...event.record, code: '=HYPERLINK("http://x")' } };
    expect(parseCsv(AUDIT_FORMATS.csv.line(forged))[0]).to.include(`'=HYPERLINK("http://x")`);
  });

  it('syslog is RFC 5424 whatever stands in the event, and its text is the event', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        const event = placed();
        const record = { ...event.record, id: `ev"]\\${text.replaceAll('\n', ' ')}` };
        const match = SYSLOG.exec(AUDIT_FORMATS.syslog.line({ ...event, record }));
        expect(match).not.to.equal(null);
        const [, priority, time, host, app, , msgid, element, , message] = match!;
        expect([priority, time, host, app, msgid, element]).to.deep.equal([
          '110',
          START.toISOString(),
          'node-1',
          'kmc',
          'device.update',
          'kmcAudit@32473',
        ]);
        expect(message).to.equal(event.canon.toString());
      }),
    );
    expect(AUDIT_FORMATS.syslog.line(placed({ outcome: 'denied', code: 'E_FORBIDDEN' }))).to.match(/^<108>1 /);
  });

  it('OCSF names class, activity, status, and the event with its hash', () => {
    const object = JSON.parse(
      AUDIT_FORMATS.ocsf.line(
        placed({ action: 'key.destroy', subjects: [{ type: 'key', id: 'key-1' }], detail: { algorithm: 'SM2' } }),
      ),
    ) as Record<string, unknown>;
    expect(object).to.deep.include({
      class_uid: 3004,
      category_uid: 3,
      activity_id: 4,
      type_uid: 300_404,
      status_id: 1,
      time: START.getTime(),
      entity: { type: 'key', uid: 'key-1' },
    });
    expect(object['metadata']).to.deep.include({ version: '1.3.0', sequence: 7, uid: 'ev-1', log_name: ORIGIN });
    const { canon, leaf } = placed({
      action: 'key.destroy',
      subjects: [{ type: 'key', id: 'key-1' }],
      detail: { algorithm: 'SM2' },
    });
    expect(object['raw_data']).to.equal(canon.toString());
    expect(object['raw_data_hash']).to.deep.include({ algorithm: 'SM3', value: leaf.toString('hex') });
    const refused = JSON.parse(
      AUDIT_FORMATS.ocsf.line(placed({ action: 'access.denied', outcome: 'denied', detail: { operation: 'x' } })),
    ) as Record<string, unknown>;
    expect(refused).to.deep.include({ class_uid: 6003, status_id: 2, activity_name: 'access.denied' });
  });

  it('JSON lines hold the exact octets', () => {
    const event = placed();
    const { canon, leaf, index } = JSON.parse(AUDIT_FORMATS.jsonl.line(event)) as Record<string, unknown>;
    expect([canon, leaf, index]).to.deep.equal([event.canon.toString(), event.leaf.toString('base64url'), 7]);
  });

  it('a filter takes an event by each of its members, and only by all of them', () => {
    const { record } = placed();
    const good: AuditFilter[] = [
      {},
      { since: START },
      { until: new Date(START.getTime() + 1) },
      { actor: 'p-operator' },
      { action: 'device.update' },
      { action: 'device.' },
      { subject: 'device:dev-1' },
      { region: 'r-1' },
      { outcome: 'success' },
    ];
    const bad: AuditFilter[] = [
      { since: new Date(START.getTime() + 1) },
      { until: START },
      { actor: 'p-other' },
      { action: 'device.upd' },
      { action: 'key.' },
      { subject: 'device:dev-2' },
      { region: 'r-2' },
      { outcome: 'denied' },
    ];
    for (const filter of good) expect(matchesFilter(record, filter), JSON.stringify(filter)).to.equal(true);
    for (const filter of bad) expect(matchesFilter(record, filter), JSON.stringify(filter)).to.equal(false);
    expect(matchesFilter(record, { actor: 'p-operator', action: 'key.' })).to.equal(false);
    expect(filterText({})).to.equal(undefined);
    expect(filterText({ region: '110000', since: START })).to.equal('region=110000 since=2026-11-23T11:15:40.123Z');
  });
});
