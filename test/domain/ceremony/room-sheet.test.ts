import { expect } from 'chai';
import { ceremonyPlan, planHash } from '../../../src/domain/ceremony/plan.ts';
import { roomSheet, sheetHtml, sheetMarkdown } from '../../../src/domain/ceremony/room-sheet.ts';
import { digestWords } from '../../../src/domain/digest-words.ts';

const digest = (octet: string): string => `sm3:${octet.repeat(32)}`;
const PLAN = ceremonyPlan({
  ceremony: 'sheet-1',
  type: 'ca-root',
  environment: 'production',
  instance: 'kmc-1',
  file: {
    quorum: {
      k: '2',
      holders: [digest('01'), digest('02')],
      witness: [digest('03')],
      auditor: digest('04'),
      lead: digest('05'),
    },
    people: [{ name: 'Wang <Wei> | "A"', certificate: digest('01') }],
  },
  fileSm3: digest('0a'),
  policyDigest: digest('0b'),
  tool: {
    bundleSm3: digest('0c'),
    bundleSha256: `sha256:${'0d'.repeat(32)}`,
    node: 'v20',
    nodeSm3: digest('0e'),
    openssl: '3',
    os: 'test',
    commit: 'none',
    lockSm3: digest('0f'),
    engine: 'software',
  },
  inputs: [{ name: 'a.csr', sm3: digest('10'), secret: false }],
  steps: [
    { id: 's1', do: 'open-keystore', text: 'open the keystore', outputs: [], audits: [] },
    { id: 's2', do: 'self-sign', text: 'sign the root', outputs: ['root.cer'], audits: [] },
  ],
  before: { ceremonyEpoch: '1', restrictedKeys: [] },
});

describe('domain/ceremony/room-sheet', () => {
  const sheet = roomSheet(PLAN);
  const table = (heading: RegExp) => sheet.tables.find((one) => heading.test(one.heading))!;

  it('gives every digest that is compared with its words', () => {
    const { rows } = table(/^Read aloud/);
    expect(rows.map(([what]) => what)).to.deep.equal([
      'plan hash',
      'ceremony file',
      'policy',
      'program',
      'node',
      'lock file',
      'input a.csr',
    ]);
    expect(rows[0]).to.deep.equal(['plan hash', planHash(PLAN), digestWords(planHash(PLAN)).join(' '), '']);
  });

  it('names every seat with its duty, and every step with who does it and a place for initials', () => {
    expect(table(/^Seats/).rows.map(([seat]) => seat)).to.deep.equal([
      'lead',
      'custodian',
      'custodian',
      'witness',
      'auditor',
    ]);
    expect(table(/^Steps/).rows).to.deep.equal([
      ['s1', 'open the keystore', '2 custodians', '', '', ''],
      ['s2', 'sign the root', 'lead', 'root.cer', '', ''],
    ]);
  });

  it('every text of the file stays text, in Markdown and in HTML', () => {
    const html = sheetHtml(sheet);
    expect(html).to.include('Wang &lt;Wei&gt; | &quot;A&quot;').and.not.to.include('<Wei>');
    expect(html.match(/<table>/g)).to.have.length(sheet.tables.length);
    const markdown = sheetMarkdown(sheet);
    expect(markdown).to.include('Wang \\<Wei\\> \\| "A"');
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    for (const { columns } of sheet.tables) {
      const cells = columns.length;
      expect(rows.some((row) => row.replaceAll('\\|', '').split('|').length === cells + 2)).to.equal(true);
    }
  });
});
