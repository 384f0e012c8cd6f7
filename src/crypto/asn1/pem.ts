import { KmcError } from '../../errors.ts';

const MAX_TEXT_LENGTH = 1_048_576;
const LINE_LENGTH = 64;
const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9]+(?: [A-Z0-9]+)*)-----$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function pemError(message: string): KmcError {
  return new KmcError('E_DER', `Not strict PEM: ${message}.`);
}

function decodeBody(lines: readonly string[]): Buffer {
  if (lines.some((line) => line.includes(':'))) throw pemError('header lines are not allowed, remove them');
  const base64 = lines.join('');
  if (!BASE64.test(base64) || base64.length % 4 !== 0) throw pemError('the text between the lines is not base64');
  const der = Buffer.from(base64, 'base64');
  if (der.toString('base64') !== base64) throw pemError('the base64 text is not in its canonical form');
  return der;
}

function boundaryLabel(line: string | undefined, kind: 'BEGIN' | 'END'): string {
  const match = BOUNDARY.exec(line ?? '');
  if (match?.[1] !== kind || match[2] === undefined) {
    throw pemError(`a ${kind} line is expected; only PEM blocks may be in the input`);
  }
  return match[2];
}

function checkLabel(found: string, accepted: readonly string[]): void {
  if (accepted.includes(found)) return;
  const wanted = accepted.join(' or ');
  if (found.endsWith('PRIVATE KEY')) {
    throw pemError(
      `the input holds a private key where ${wanted} is wanted; keep the key secret and send only ${wanted}`,
    );
  }
  throw pemError(`the label is ${found}, wanted is ${wanted}`);
}

/**
 * DER of every PEM block (RFC 7468, strict form) in `text`, which must hold only blocks labelled `label` (or one of
 * several labels), with LF or CRLF line ends and no text or headers around or in them. Throws `E_SIZE` above 1 MiB of text, else `E_DER`; a private
 * key where another label is wanted is refused by name and its body is not decoded.
 */
export function decodePemAll(text: string, label: string | readonly string[]): Buffer[] {
  const accepted = typeof label === 'string' ? [label] : label;
  if (text.length > MAX_TEXT_LENGTH) throw new KmcError('E_SIZE', 'The PEM text is longer than 1 MiB.');
  const lines = text.split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  const blocks: Buffer[] = [];
  for (let at = 0; at < lines.length;) {
    const found = boundaryLabel(lines[at], 'BEGIN');
    checkLabel(found, accepted);
    let end = at + 1;
    while (end < lines.length && lines[end]?.startsWith('-----') !== true) end += 1;
    if (boundaryLabel(lines[end], 'END') !== found) throw pemError('a BEGIN line and its END line differ');
    blocks.push(decodeBody(lines.slice(at + 1, end)));
    at = end + 1;
  }
  if (blocks.length === 0) throw pemError(`the input holds no ${accepted.join(' or ')} block`);
  return blocks;
}

/** DER of the only PEM block in `text`, as `decodePemAll`; throws `E_DER` when there is more than one. */
export function decodePem(text: string, label: string): Buffer {
  const [der, ...others] = decodePemAll(text, label);
  if (der === undefined || others.length > 0) throw pemError(`exactly one ${label} block is wanted`);
  return der;
}

/** PEM text (RFC 7468): 64 characters a line, LF line ends. */
export function encodePem(label: string, der: Buffer): string {
  const base64 = der.toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
