import { expect } from 'chai';
import { lifeCyclePage, type LifeCycleReport } from '../../../src/domain/audit/life-cycle-report.ts';

const REPORT: LifeCycleReport = {
  subject: 'key key-1',
  events: ['key.generate', 'key.activate', 'key.recover-user', 'key.activate'].map((act, at) => ({
    index: at * 10,
    event: {
      act,
      actor: { t: 'person', id: 'p-1', role: 'recovery-officer' },
      det: { reason: '<script>alert("1")</script>' },
      out: at === 2 ? 'denied' : 'success',
      ...(at === 2 ? { code: 'E_QUORUM' } : {}),
      ts: `2026-11-2${at}T10:00:00.000Z`,
    },
  })),
  approvals: [
    {
      request: 'rq-1',
      what: 'key.recover on key-1',
      approvers: [{ person: 'p-2', role: 'r', unit: 'u' }],
      fault: undefined,
    },
    { request: 'rq-2', what: '-', approvers: [], fault: 'E_SIGNATURE: it does not hold' },
  ],
  log: 'kmc.example.org/audit',
  logKey: `sm3:${'a'.repeat(64)}`,
  checkpoint: { size: 99, root: `sm3:${'b'.repeat(64)}`, time: '2026-11-25T00:00:00.000Z' },
  historyFile: 'key.html.history.json',
  warnings: ['compare the key'],
};

describe('the page of a life cycle', () => {
  it('shows every event in the picture and in the table, and the verdict of every approval', () => {
    const page = lifeCyclePage(REPORT);
    expect(page.match(/<circle /g)).to.have.length(4);
    expect(page.match(/<circle [^>]*fill="#a3162a"/g)).to.have.length(1);
    expect(page.match(/<text x="30"/g), 'a line for each act').to.have.length(3);
    expect(page).to.include('signatures and quorum hold').and.to.include('does not hold: E_SIGNATURE');
    expect(page).to.include('denied (E_QUORUM)').and.to.include('kmc audit verify key.html.history.json');
    for (const part of [REPORT.checkpoint.root, REPORT.logKey, 'compare the key']) expect(page).to.include(part);
  });

  it('holds no script, nothing from outside, and no text that could become either', () => {
    const page = lifeCyclePage(REPORT);
    expect(page).not.to.match(/<script|src=|href=|url\(|onload/i);
    expect(page).to.include('&lt;script&gt;alert(&quot;1&quot;)');
  });

  it('is a page even when there is nothing, or one event alone', () => {
    expect(lifeCyclePage({ ...REPORT, events: [], approvals: [] })).to.include('The log holds nothing about it');
    const one = lifeCyclePage({ ...REPORT, events: REPORT.events.slice(0, 1) });
    expect(one).not.to.include('NaN');
    expect(one.match(/<circle /g)).to.have.length(1);
  });
});
