/** What a spreadsheet takes for the beginning of a formula, or of one after it has cut white space away. */
const FORMULA = /^[\s\u00a0]*[=+\-@\t\r|%]/u;

/** One field of CSV (RFC 4180): always quoted, and never a formula, whoever chose the text. */
export function csvField(text: string): string {
  const inert = FORMULA.test(text) ? `'${text}` : text;
  return `"${inert.replaceAll('"', '""')}"`;
}
