/** The names in the folder of a ceremony, from the first approval to the closed bundle (C20). */

export const BUNDLE = {
  file: 'file.yaml',
  plan: 'plan.json',
  transcript: 'transcript.jsonl',
  hashes: 'hashes.txt',
  tool: 'tool-manifest.json',
  deviations: 'deviations.jsonl',
  verify: 'VERIFY.md',
  closing: 'signatures/closing.json',
} as const;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}){0,2}$/;

/** True for a relative name that a bundle may hold. */
export function isBundleName(name: string): boolean {
  return NAME.test(name) && !name.includes('..');
}

export const inputFile = (name: string): string => `inputs/${name}`;
export const outputFile = (name: string): string => `outputs/${name}`;
/** Where shares that a step handed out lie. */
export const shareFile = (step: string, person: string): string => `shares/${step}-${person}.json`;
export const approvalFile = (certificateSm3: string): string => `approvals/${certificateSm3.slice(4, 20)}.json`;
export const signatureFile = (seat: string, certificateSm3: string, ending: string): string =>
  `signatures/${seat}-${certificateSm3.slice(4, 20)}.${ending}`;

/** True for what hashes.txt lists: everything but itself and the signatures over it. */
export function isHashed(name: string): boolean {
  return name !== BUNDLE.hashes && !name.startsWith('signatures/');
}
