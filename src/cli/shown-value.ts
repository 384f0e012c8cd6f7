/** Values of a signed body as a person reads them: nothing left out, and nothing that a terminal would act on. */
import { digestWords } from '../domain/digest-words.ts';
import type { SignedValue } from '../domain/signed-body.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { formatName } from '../x509/name.ts';

/** What stands before a value, and the value. */
export type ShownLine = readonly [name: string, value: string];

// Control, format, private, unassigned and line-separating characters: they move the cursor, or hide and reorder text.
const UNFIT = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text with every character that could deceive whoever reads it as `\u{hex}`. */
export function shownText(text: string): string {
  return text.replaceAll(UNFIT, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Shortest base64 that may be a certificate. */
const CERTIFICATE_TEXT = 200;

/** Who a certificate is for, and its fingerprint; undefined for text that is none. */
function certificateShown(text: string): string | undefined {
  if (text.length < CERTIFICATE_TEXT || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  try {
    const der = Buffer.from(text, 'base64');
    const fingerprint = sm3Fingerprint(der);
    const subject = formatName(parseCertificate(der).subject.der);
    return `certificate ${shownText(subject)} ${fingerprint} (${digestWords(fingerprint).join(' ')})`;
  } catch {
    return undefined;
  }
}

/** A line for each text in the value, named by its path; a certificate by its subject and fingerprint. */
export function shownValue(path: string, value: SignedValue): ShownLine[] {
  if (typeof value === 'string') return [[path, certificateShown(value) ?? shownText(JSON.stringify(value))]];
  if (typeof value === 'boolean') return [[path, String(value)]];
  const members: [string, SignedValue][] = Array.isArray(value)
    ? value.map((item: SignedValue, at) => [`${path}[${at}]`, item])
    : Object.entries(value).map(([name, item]) => [`${path}.${shownText(name)}`, item]);
  if (members.length === 0) return [[path, Array.isArray(value) ? 'none' : '{}']];
  return members.flatMap(([name, item]) => shownValue(name, item));
}
