/** Pieces of schemas that several routes use: every text is bounded. */
import { z } from 'zod';
import { isSignedObject, plainText, readSignedTime, type SignedObject } from '../domain/signed-body.ts';

export const ID = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'an identifier');
export const TIME = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'a time like 2026-12-31T00:00:00Z')
  .refine((text) => readSignedTime(text) !== undefined, 'a time that exists');
export const REGION = z.string().regex(/^[0-9]{6}$/, 'a region code');
/** One line for people, in NFC and without control characters. */
export const LABEL_TEXT = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => plainText(200)(text) === undefined, 'text in NFC without control characters');
/** A few kilobytes of DER as base64. */
export const BASE64 = z
  .string()
  .max(64 * 1024)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, 'base64')
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'canonical base64');

export const DIGEST = z.string().regex(/^sm3:[0-9a-f]{64}$/, 'sm3: and 64 lower-case hex digits');

/** A count or index in a query. */
export const WHOLE_NUMBER = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,14})$/, 'a whole number')
  .transform(Number);

/** JSON of the signed profile (CONTRACT 5): no numbers, no nulls. Its depth is bounded by the parser. */
export const SIGNED_OBJECT = z
  .custom<SignedObject>(isSignedObject, 'an object without numbers and nulls')
  .meta({ type: 'object' });

/** RFC 3339 in whole seconds. */
export function timeText(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** A member with a time, where there is one. */
export function timeMember<Name extends string>(name: Name, at: Date | undefined): Partial<Record<Name, string>> {
  return at === undefined ? {} : ({ [name]: timeText(at) } as Partial<Record<Name, string>>);
}
