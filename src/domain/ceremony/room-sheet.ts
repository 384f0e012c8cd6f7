/**
 * The sheet for the room: what is read aloud and compared, who sits where, the steps in their order with who acts and who
 * initials, and room for the time, deviations and signatures. It is printed from the plan, and holds no secret.
 */
import { digestWords } from '../digest-words.ts';
import { planQuorum } from './planned-file.ts';
import { planHash, type CeremonyPlan } from './plan.ts';
import { seatsOf, type SeatName } from './seats.ts';

export interface SheetTable {
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface RoomSheet {
  readonly title: string;
  readonly tables: readonly SheetTable[];
}

/** A place to write in. */
const BLANK = '';
const DEVIATION_LINES = 4;

/** Steps that the custodians do; the lead does every other one. */
const BY_CUSTODIANS: readonly string[] = ['open-keystore'];

const SEAT_DUTY: Readonly<Record<SeatName, string>> = {
  lead: 'leads, types the commands, signs the close',
  custodian: 'compares the plan hash, gives a share, signs the close',
  witness: 'types the time, initials each step, signs the close',
  auditor: 'watches, checks the digests, signs the close',
  recipient: 'gets a share and gives it back once',
};

/** The sheet of a plan. @throws KmcError E_SCHEMA when the plan states no quorum. */
export function roomSheet(plan: CeremonyPlan): RoomSheet {
  return {
    title: `Ceremony ${plan.ceremony} (${plan.type}, ${plan.environment}, instance ${plan.instance})`,
    tables: [digestTable(plan), seatTable(plan), stepTable(plan), DEVIATIONS, CLOSE],
  };
}

function digestTable(plan: CeremonyPlan): SheetTable {
  const { tool } = plan;
  return {
    heading: 'Read aloud and compare before the first step',
    columns: ['what', 'digest', 'words', 'compared by'],
    rows: [
      digestRow('plan hash', planHash(plan)),
      digestRow('ceremony file', plan.fileSm3),
      digestRow('policy', plan.policyDigest),
      digestRow('program', tool.bundleSm3),
      digestRow('node', tool.nodeSm3),
      digestRow('lock file', tool.lockSm3),
      ...plan.inputs.map(({ name, sm3 }) => digestRow(`input ${name}`, sm3)),
    ],
  };
}

function seatTable(plan: CeremonyPlan): SheetTable {
  const quorum = planQuorum(plan);
  const people = new Map(peopleOf(plan));
  return {
    heading: `Seats (${quorum.k} of ${quorum.holders.length} custodians)`,
    columns: ['seat', 'person', 'certificate in words', 'does', 'signature'],
    rows: seatsOf(quorum).map(({ seat, certificate }) => [
      seat,
      people.get(certificate) ?? BLANK,
      digestWords(certificate).join(' '),
      SEAT_DUTY[seat],
      BLANK,
    ]),
  };
}

function stepTable(plan: CeremonyPlan): SheetTable {
  const { k } = planQuorum(plan);
  return {
    heading: 'Steps',
    columns: ['step', 'what is done', 'by', 'writes', 'time', 'initials of the witness'],
    rows: plan.steps.map(({ id, text, do: kind, outputs }) => {
      const by = BY_CUSTODIANS.includes(kind) ? `${k} custodians` : 'lead';
      return [id, text, by, outputs.join(', '), BLANK, BLANK];
    }),
  };
}

const DEVIATIONS: SheetTable = {
  heading: 'Deviations',
  columns: ['step', 'time', 'what was done otherwise, and why', 'lead', 'witness'],
  rows: Array.from({ length: DEVIATION_LINES }, () => [BLANK, BLANK, BLANK, BLANK, BLANK]),
};

const CLOSE: SheetTable = {
  heading: 'Close',
  columns: ['what', 'to be written down'],
  rows: [
    ['head of the transcript', BLANK],
    ['digest of the bundle, in words', BLANK],
    ['remaining files on this machine', BLANK],
    ['closed at', BLANK],
  ],
};

function digestRow(what: string, digest: string): string[] {
  return [what, digest, digestWords(digest).join(' '), BLANK];
}

/** Names of the first people, by their certificates. */
function peopleOf({ file }: CeremonyPlan): (readonly [string, string])[] {
  const people = file['people'];
  return (Array.isArray(people) ? people : []).flatMap((person: unknown) => {
    const { certificate, name } = Object(person) as Record<string, unknown>;
    return typeof certificate === 'string' && typeof name === 'string' ? [[certificate, name] as const] : [];
  });
}

/** The sheet as Markdown. */
export function sheetMarkdown({ title, tables }: RoomSheet): string {
  const cell = (text: string): string => (text === BLANK ? '\u00a0' : text.replace(/[\\|*_`<>[\]]/g, '\\$&'));
  const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const lines = tables.flatMap(({ heading, columns, rows }) => [
    `## ${heading}`,
    '',
    row(columns),
    `|${columns.map(() => '---|').join('')}`,
    ...rows.map(row),
    '',
  ]);
  return [`# ${title}`, '', ...lines].join('\n');
}

const STYLE =
  '@page{size:A4 landscape;margin:12mm}body{font:10pt/1.35 sans-serif}h1{font-size:14pt}h2{font-size:11pt;margin:6mm 0 2mm}' +
  'table{border-collapse:collapse;width:100%}th,td{border:1px solid #000;padding:1.5mm;text-align:left;vertical-align:top;' +
  'overflow-wrap:anywhere}td{height:7mm}tr{break-inside:avoid}';

/** The sheet as one HTML page to print, without anything from elsewhere. */
export function sheetHtml({ title, tables }: RoomSheet): string {
  const row = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>`;
  const parts = tables.map(
    ({ heading, columns, rows }) =>
      `<h2>${escaped(heading)}</h2>\n<table>\n${row('th', columns)}\n${rows.map((cells) => row('td', cells)).join('\n')}\n</table>`,
  );
  return [
    '<!DOCTYPE html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head>`,
    `<body><h1>${escaped(title)}</h1>`,
    ...parts,
    '</body></html>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
