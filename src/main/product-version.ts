import { readFileSync } from 'node:fs';

/** The version of this build, from package.json beside src and dist. */
export const PRODUCT_VERSION: string = versionOf(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

function versionOf(text: string): string {
  const value: unknown = JSON.parse(text);
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  return typeof version === 'string' ? version : '0.0.0';
}
