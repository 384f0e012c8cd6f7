/** The characters that may stand in a name: what a reader sees must be what is there, in every screen, log and file. */

interface TextRule {
  readonly broken: (text: string) => boolean;
  readonly fault: string;
}

/** Scripts with letters of the same shape; one text may use one of them, beside Han and anything else. */
const LOOKALIKE_SCRIPTS: readonly RegExp[] = [/\p{Script=Latin}/u, /\p{Script=Greek}/u, /\p{Script=Cyrillic}/u];

const TEXT_RULES: readonly TextRule[] = [
  { broken: (text) => text === '', fault: 'is empty' },
  { broken: (text) => /\p{Cc}/u.test(text), fault: 'holds a control character' },
  {
    broken: (text) => /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(text),
    fault: 'changes the text direction',
  },
  { broken: (text) => /\p{Cf}/u.test(text), fault: 'holds an invisible character' },
  {
    broken: (text) => /[\p{Zl}\p{Zp}]|(?![ \u3000])\p{Zs}/u.test(text),
    fault: 'holds a space other than the usual one',
  },
  {
    broken: (text) => /[\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\ufffd]/u.test(text),
    fault: 'holds a character without a meaning of its own',
  },
  { broken: (text) => text !== text.trim(), fault: 'begins or ends with a space' },
  { broken: (text) => text.normalize('NFC') !== text, fault: 'is not in Unicode normalisation form C' },
  {
    broken: (text) => LOOKALIKE_SCRIPTS.filter((script) => script.test(text)).length > 1,
    fault: 'mixes look-alike letters of Latin, Greek and Cyrillic',
  },
];

/** Visible ASCII and the common Han characters break none of the rules unless a space stands at an end: the usual case. */
const PLAIN_TEXT = /^[!-~\u4e00-\u9fff](?:[ -~\u4e00-\u9fff]*[!-~\u4e00-\u9fff])?$/;

/**
 * What is wrong with `text` as (a part of) a name, as the end of a sentence, or undefined when nothing is: control,
 * invisible and direction characters, odd spaces, private-use characters, text not in NFC, and Latin, Greek or Cyrillic
 * letters mixed with each other are refused; Han with Latin letters and digits is normal.
 */
export function nameTextFault(text: string): string | undefined {
  if (PLAIN_TEXT.test(text)) return undefined;
  return TEXT_RULES.find((rule) => rule.broken(text))?.fault;
}
