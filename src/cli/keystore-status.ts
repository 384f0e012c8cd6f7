/** What the service answers about its keystore, as the commands show it. */
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table } from './command.ts';

export interface KeystoreSession {
  readonly id: string;
  readonly expiresAt: string;
  /** subjectPublicKeyInfo, DER: shares are encrypted to it. */
  readonly publicKey: Buffer;
  readonly threshold: number;
  /** The people whose shares are in. */
  readonly received: readonly string[];
}

export interface KeystoreStatus {
  readonly state: string;
  readonly session: KeystoreSession | undefined;
}

function textOf(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = object[name];
  if (typeof value === 'string') return value;
  throw new KmcError('E_SCHEMA', 'The answer of the service is not understood: is this program of its version?');
}

function sessionOf(value: Readonly<Record<string, unknown>>): KeystoreSession {
  const { threshold, received } = value;
  return {
    id: textOf(value, 'id'),
    expiresAt: textOf(value, 'expiresAt'),
    publicKey: Buffer.from(textOf(value, 'publicKey'), 'base64'),
    threshold: typeof threshold === 'number' ? threshold : 0,
    received: Array.isArray(received) ? received.filter((person) => typeof person === 'string') : [],
  };
}

/** Reads an answer of the keystore routes. @throws KmcError E_SCHEMA. */
export function readKeystoreStatus(answer: unknown): KeystoreStatus {
  const status = isObject(answer) ? answer : {};
  const { session } = status;
  return { state: textOf(status, 'state'), session: isObject(session) ? sessionOf(session) : undefined };
}

/** The status for people. */
export function keystoreText({ state, session }: KeystoreStatus): string {
  if (session === undefined) return `keystore: ${state}`;
  return [
    `keystore: ${state}`,
    table(
      ['SESSION', 'UNTIL', 'SHARES', 'GIVEN BY'],
      [
        [
          session.id,
          session.expiresAt,
          `${session.received.length} of ${session.threshold}`,
          session.received.join(', '),
        ],
      ],
    ),
  ].join('\n');
}
