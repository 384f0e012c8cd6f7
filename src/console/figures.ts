/** The figures as the service answers them. */

export interface Sums {
  readonly certificates: Readonly<Record<'valid' | 'held' | 'expiring' | 'issued' | 'imported' | 'revoked', number>>;
  readonly devices: Readonly<Record<string, number>>;
  readonly enrolments: Readonly<Record<'completed' | 'renewed' | 'refused' | 'expired' | 'waiting', number>>;
  readonly requests: Readonly<Record<'created' | 'waiting', number>>;
  readonly keys: Readonly<Record<string, number>>;
}

export interface Part {
  readonly name: string;
  readonly sums: Sums;
}

export interface Region {
  readonly code: string;
  readonly kind: string;
  readonly en: string;
  readonly zh: string;
}

export interface FiguresAnswer {
  readonly at: string;
  readonly events: number;
  readonly regions: readonly Region[];
  readonly targets: { readonly certificates: number; readonly perRegistrationAuthority: number };
  readonly figures: {
    readonly period: { readonly from: string; readonly to: string };
    readonly total: Sums;
    readonly regions: readonly Part[];
    readonly registrationAuthorities: readonly Part[];
    readonly profiles: readonly Part[];
    readonly algorithms: readonly Part[];
    readonly models: readonly Part[];
    readonly days: readonly Part[];
  };
}

/** A measure that map and table show. */
export interface Shown {
  readonly word: 'certificatesValid' | 'expiring' | 'issued30' | 'revoked30' | 'devicesInService' | 'waiting';
  readonly of: (sums: Sums) => number;
}

export const SHOWN: readonly Shown[] = [
  { word: 'certificatesValid', of: ({ certificates }) => certificates.valid },
  { word: 'expiring', of: ({ certificates }) => certificates.expiring },
  { word: 'issued30', of: ({ certificates }) => certificates.issued },
  { word: 'revoked30', of: ({ certificates }) => certificates.revoked },
  { word: 'devicesInService', of: ({ devices }) => devices['in-service'] ?? 0 },
  { word: 'waiting', of: ({ enrolments, requests }) => enrolments.waiting + requests.waiting },
];

/** A number with thin spaces between thousands. */
export function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, '\u2009');
}

/** A number in as few characters as a tile has room for. */
export function short(value: number): string {
  if (value < 1_000) return String(value);
  return value < 10_000 ? `${(value / 1_000).toFixed(1)}k` : `${Math.round(value / 1_000)}k`;
}
