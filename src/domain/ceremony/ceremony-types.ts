/** The table of ceremony types: which steps each consists of, in their order, and what it needs. */
import type { RoleName } from '../roles.ts';
import type { CeremonyFile } from './ceremony-file.ts';
import { stepText } from './ceremony-file.ts';
import type { StepKind } from './step-kinds.ts';

export interface TypeStep {
  readonly kind: StepKind;
  /** How often in a row; absent means exactly once. */
  readonly times?: 'optional' | 'some' | 'any';
}

export interface CeremonyTypeRule {
  readonly title: string;
  readonly steps: readonly TypeStep[];
  /** The first ceremony: it has no predecessor and brings the first people. */
  readonly first: boolean;
  /** It hands shares out to `quorum.recipients`. */
  readonly recipients?: true;
  /** The role of those in `quorum.holders`; absent for custodians. */
  readonly holders?: RoleName;
  /** It writes into the database and the service keystore, so it runs where the service runs. */
  readonly service: boolean;
}

const OFFLINE = { first: false, service: false } as const;
const once = (...kinds: StepKind[]): TypeStep[] => kinds.map((kind) => ({ kind }));

const CEREMONY_TYPES = {
  'kmc-init': {
    title: 'the first ceremony of an instance: keystores, administrator CA, first people',
    first: true,
    service: true,
    steps: once(
      'selftest',
      'create-keystore',
      'open-keystore',
      'establish-instance',
      'create-authority',
      'admit-people',
      'reshare-keystore',
      'create-keystore',
      'create-authority',
      'create-log-key',
      'close-keystore',
    ),
  },
  'ca-root': {
    title: 'a new root: its key, its certificate, its first CRL',
    ...OFFLINE,
    steps: [
      ...once('selftest', 'open-keystore', 'make-root-key', 'self-sign'),
      { kind: 'sign-crl', times: 'optional' },
      { kind: 'backup-keystore', times: 'optional' },
      ...once('close-keystore'),
    ],
  },
  'ca-issuing': {
    title: 'certificates that a root signs: of issuing CAs, of bundle-signers',
    ...OFFLINE,
    steps: [
      ...once('selftest', 'open-keystore'),
      { kind: 'sign-request', times: 'any' },
      { kind: 'certify-signer', times: 'any' },
      { kind: 'sign-crl', times: 'optional' },
      ...once('close-keystore'),
    ],
  },
  'cross-sign': {
    title: 'the link certificates between two roots',
    ...OFFLINE,
    steps: [
      ...once('selftest', 'open-keystore'),
      { kind: 'cross-sign', times: 'some' },
      { kind: 'sign-crl', times: 'any' },
      { kind: 'restrict-key', times: 'any' },
      ...once('close-keystore'),
    ],
  },
  'legacy-import': {
    title: 'the import of the legacy root and issuing CA',
    first: false,
    service: true,
    steps: once(
      'selftest',
      'open-keystore',
      'open-keystore',
      'import-legacy-root',
      'import-legacy-issuing',
      'close-keystore',
      'close-keystore',
    ),
  },
  reshare: {
    title: 'new shares of a keystore for other custodians; the old ones are void',
    ...OFFLINE,
    recipients: true,
    steps: [
      ...once('selftest'),
      { kind: 'open-keystore', times: 'some' },
      { kind: 'reshare-keystore', times: 'some' },
      { kind: 'close-keystore', times: 'some' },
    ],
  },
  restore: {
    title: 'the ceremony keystore out of its backup, with new shares',
    ...OFFLINE,
    recipients: true,
    steps: once(
      'selftest',
      'restore-keystore',
      'open-keystore',
      'check-keystore',
      'reshare-keystore',
      'close-keystore',
    ),
  },
  destroy: {
    title: 'the destruction of root keys',
    ...OFFLINE,
    steps: [
      ...once('selftest', 'open-keystore'),
      { kind: 'destroy-root-key', times: 'some' },
      ...once('close-keystore'),
    ],
  },
  'bundle-signing': {
    title: 'the signatures of the bundle signers over a manifest of the trust bundle',
    ...OFFLINE,
    holders: 'bundle-signer',
    steps: [...once('selftest'), { kind: 'sign-manifest', times: 'some' }],
  },
} as const satisfies Readonly<Record<string, CeremonyTypeRule>>;

export type CeremonyType = keyof typeof CEREMONY_TYPES;

/** True for a name of the table. */
function isCeremonyType(name: string): name is CeremonyType {
  return Object.hasOwn(CEREMONY_TYPES, name);
}

/** The rule of a type; nothing for a name that is not in the table. */
export function ceremonyTypeRule(name: string): CeremonyTypeRule | undefined {
  return isCeremonyType(name) ? CEREMONY_TYPES[name] : undefined;
}

/** True when the ceremony writes into the database and the service keystore: it is held where the service lies. */
export function needsService({ type, steps }: Pick<CeremonyFile, 'type' | 'steps'>): boolean {
  const isOfService = steps.some((step) => stepText(step, 'keystore') === 'service');
  return ceremonyTypeRule(type)?.service === true || isOfService;
}

/** Position of the first step that does not stand where its type wants it, with what is wanted there; else nothing. */
export function misplacedStep(
  type: CeremonyTypeRule,
  kinds: readonly string[],
): { readonly at: number; readonly wanted: string } | undefined {
  let at = 0;
  for (const { kind, times } of type.steps) {
    const repeats = times === 'some' || times === 'any';
    const mayMiss = times === 'optional' || times === 'any';
    if (kinds[at] !== kind && !mayMiss) return { at, wanted: kind };
    const next = kinds.findIndex((other, position) => position >= at && other !== kind);
    const run = (next === -1 ? kinds.length : next) - at;
    at += repeats ? run : Math.min(run, 1);
  }
  return at < kinds.length ? { at, wanted: 'the end' } : undefined;
}
