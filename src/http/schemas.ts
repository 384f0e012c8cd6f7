/** Pieces of schemas that several routes use: every text is bounded. */
import { z } from 'zod';

export const ID = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'an identifier');
export const TIME = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'a time like 2026-12-31T00:00:00Z');
export const REGION = z.string().regex(/^[0-9]{6}$/, 'a region code');
export const LABEL_TEXT = z.string().min(1).max(200);
/** A few kilobytes of DER as base64. */
export const BASE64 = z
  .string()
  .max(64 * 1024)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, 'base64');

/** RFC 3339 in whole seconds. */
export function timeText(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}
