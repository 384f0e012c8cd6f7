/** What a device reported last, beside its trust state: so that it says a thing when it changes, and again in good time. */
import { join } from 'node:path';
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import type { DeviceReport } from '../domain/fleet/device-report.ts';
import { isObject, readSignedTime, signedTime } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { readIfPresent, writeAtomically } from './atomic-file.ts';

const FILE = 'reported.json';
const HOUR_MS = 3_600_000;
/** How long a report stands before it is made again: on the way every day, at the end within the 14 days of A.5. */
const FRESH_MS = { way: 20 * HOUR_MS, end: 120 * HOUR_MS } as const;

export class ReportMemory {
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, FILE);
  }

  /** True when `name` was noted with this content, and not too long ago. */
  isFresh(name: string, content: object, now: Date, life: keyof typeof FRESH_MS): boolean {
    const noted = this.#read()[name];
    if (!isObject(noted) || noted['content'] !== canonicalizeSigned(content)) return false;
    const at = readSignedTime(String(noted['at']));
    return at !== undefined && now.getTime() - at.getTime() < FRESH_MS[life];
  }

  note(name: string, content: object, now: Date): void {
    const noted = { ...this.#read(), [name]: { content: canonicalizeSigned(content), at: signedTime(now) } };
    writeAtomically(this.#path, `${canonicalizeSigned(noted)}\n`);
  }

  /** A file that cannot be read counts for nothing: the reports are made again. */
  #read(): Readonly<Record<string, unknown>> {
    const text = readIfPresent(this.#path);
    if (text === undefined) return {};
    try {
      const value: unknown = parseStrictJson(text);
      return isObject(value) ? value : {};
    } catch (error) {
      if (error instanceof KmcError) return {};
      throw error;
    }
  }
}

/** What of a report must be said anew when it changes: all but the times and nonces of one occasion. */
export function lastingPart({ canary: _canary, certificates, ...report }: DeviceReport): object {
  return certificates === undefined ? report : { ...report, sign: certificates.sign };
}
