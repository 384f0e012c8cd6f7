/**
 * The life of one thing as a page for people: a picture of what happened when, a table of every event, the approvals with
 * the verdict on their signatures, and where the proofs are. One HTML file without scripts or outside parts; prints as it is.
 */
export interface ReportedEvent {
  readonly index: number;
  readonly event: {
    readonly act: string;
    readonly actor: { readonly id: string; readonly t: string; readonly role?: string };
    readonly code?: string;
    readonly det: Readonly<Record<string, string | number | boolean>>;
    readonly out: string;
    readonly ts: string;
  };
}

/** An approval file that was looked at. */
export interface ReportedApproval {
  readonly request: string;
  /** What was asked for: the act and its target. */
  readonly what: string;
  readonly approvers: readonly { readonly person: string; readonly role: string; readonly unit: string }[];
  /** Why it does not hold; undefined when every signature and the quorum do. */
  readonly fault: string | undefined;
}

export interface LifeCycleReport {
  /** `<type> <id>` */
  readonly subject: string;
  readonly events: readonly ReportedEvent[];
  readonly approvals: readonly ReportedApproval[];
  readonly log: string;
  readonly logKey: string;
  readonly checkpoint: { readonly size: number; readonly root: string; readonly time: string };
  /** Name of the history file beside the page. */
  readonly historyFile: string;
  readonly warnings: readonly string[];
}

const STYLE = `body{font:14px/1.5 "Noto Sans CJK SC","Source Han Sans SC",system-ui,sans-serif;color:#1c2330;max-width:62rem;
margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #d4d9e2}
table{border-collapse:collapse;width:100%;font-size:12px}th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #e4e8ee;
vertical-align:top}th{color:#5a6577;font-weight:600}code{font-size:11px;overflow-wrap:anywhere}.good{color:#0a6b3d}.bad{color:#a3162a;
font-weight:600}.quiet{color:#5a6577}svg{width:100%;height:auto}@media print{body{margin:0;max-width:none}h2{break-after:avoid}
tr{break-inside:avoid}}`;
const WIDTH = 960;
const MARGIN = 30;
const LANE = 26;
const AXIS = 34;

/** Text as HTML shows it. */
function shown(text: string | number): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return String(text).replaceAll(/[&<>"']/g, (character) => names[character] ?? '');
}

/** Each kind of act on a line of its own, each event as a dot at its time. */
function timeline(events: readonly ReportedEvent[]): string {
  const lanes = [...new Set(events.map(({ event }) => event.act))];
  const times = events.map(({ event }) => Date.parse(event.ts));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const labels = 190;
  const place = (time: number): number =>
    MARGIN + labels + ((time - from) / Math.max(1, to - from)) * (WIDTH - labels - 2 * MARGIN);
  const height = lanes.length * LANE + AXIS + 10;
  const lines = lanes.map((act, at) => {
    const y = at * LANE + 18;
    return `<text x="${MARGIN}" y="${y + 4}" font-size="12" fill="#1c2330">${shown(act)}</text>
<line x1="${MARGIN + labels}" y1="${y}" x2="${WIDTH - MARGIN}" y2="${y}" stroke="#e4e8ee"/>`;
  });
  const dots = events.map(({ index, event }) => {
    const y = lanes.indexOf(event.act) * LANE + 18;
    const colour = event.out === 'success' ? '#1f6feb' : '#a3162a';
    const title = `${event.ts} ${event.act} ${event.out}, event ${index}`;
    return `<circle cx="${place(Date.parse(event.ts)).toFixed(1)}" cy="${y}" r="5" fill="${colour}"><title>${shown(title)}</title></circle>`;
  });
  const y = lanes.length * LANE + 22;
  const ends = [from, ...(to > from ? [to] : [])].map((time, at) => {
    const anchor = at === 0 ? 'start' : 'end';
    const day = new Date(time).toISOString().slice(0, 16).replace('T', ' ');
    return `<text x="${place(time).toFixed(1)}" y="${y}" font-size="11" fill="#5a6577" text-anchor="${anchor}">${day} UTC</text>`;
  });
  const label = `Timeline of ${events.length} events`;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">${[...lines, ...dots, ...ends].join('\n')}</svg>`;
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function table(headers: readonly string[], rows: readonly string[]): string {
  return `<table><thead><tr>${headers.map((header) => `<th>${header}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function eventRow({ index, event }: ReportedEvent): string {
  const { act, actor, code, det, out, ts } = event;
  const detail = Object.entries(det).map(([name, value]) => `${name} ${String(value)}`);
  const outcome = code === undefined ? out : `${out} (${code})`;
  const verdict = `<span class="${out === 'success' ? 'good' : 'bad'}">${shown(outcome)}</span>`;
  const who = shown(`${actor.t} ${actor.id}${actor.role === undefined ? '' : `, ${actor.role}`}`);
  return row([shown(index), shown(ts), shown(act), verdict, who, `<code>${shown(detail.join('; '))}</code>`]);
}

function approvalRow({ request, what, approvers, fault }: ReportedApproval): string {
  const people = approvers.map(({ person, role, unit }) => shown(`${person} (${role}, ${unit})`)).join('<br>');
  const verdict =
    fault === undefined
      ? '<span class="good">signatures and quorum hold</span>'
      : `<span class="bad">does not hold: ${shown(fault)}</span>`;
  return row([shown(request), shown(what), people === '' ? '-' : people, verdict]);
}

/** The page, HTML 5 in UTF-8. Every value in it is escaped. */
export function lifeCyclePage(report: LifeCycleReport): string {
  const { approvals, checkpoint, events, historyFile, subject, warnings } = report;
  const title = `Life of ${shown(subject)}`;
  const picture = events.length === 0 ? '<p>The log holds nothing about it.</p>' : timeline(events);
  const sums = [
    `${events.length} events, and the log holds no other up to event ${checkpoint.size}, signed ${checkpoint.time}.`,
    'Each event was found in the signed tree and continues the one before it.',
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title><style>${STYLE}</style></head><body>
<h1>${title}</h1><p class="quiet">生命周期报告 · log ${shown(report.log)}</p>
<p>${sums.map(shown).join(' ')}</p>
<h2>Timeline</h2>${picture}
<h2>Events</h2>${table(['Event', 'Time', 'Act', 'Outcome', 'By', 'Detail'], events.map(eventRow))}
<h2>Approvals</h2>${
    approvals.length === 0
      ? '<p>No event of it went through a request.</p>'
      : table(['Request', 'Act', 'Approved by', 'Verdict'], approvals.map(approvalRow))
  }
<h2>Proofs</h2><p>The history file <code>${shown(historyFile)}</code> holds every event with its proof. It is checked offline:</p>
<p><code>kmc audit verify ${shown(historyFile)} --policy POLICY</code></p>
${table(
  ['Fact', 'Value'],
  [
    row(['Root', `<code>${shown(checkpoint.root)}</code>`]),
    row(['Size', shown(checkpoint.size)]),
    row(['Signed', shown(checkpoint.time)]),
    row(['Key of the log', `<code>${shown(report.logKey)}</code>`]),
  ],
)}
${warnings.map((warning) => `<p class="quiet">${shown(warning)}</p>`).join('\n')}
</body></html>
`;
}
