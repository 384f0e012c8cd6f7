/**
 * The table of step kinds: what members a step of each kind has, what it reads and writes, what it does in words for
 * people, and which keystore must be open for it. How it is done stands in src/flows/ceremonies/step-acts.ts, under the
 * same names.
 */
import { ID } from '../id.ts';
import { oneOf, plainText, signedTimeText, textLike, type MemberCheck, isObject } from '../signed-body.ts';
import { stepText, type CeremonyStep } from './ceremony-file.ts';

export type KeystoreName = 'service' | 'ceremony';

/** What a member of a step is for, beyond its form. */
export type MemberUse = 'input' | 'certificate' | 'output';

export interface StepMember {
  readonly check: MemberCheck;
  readonly optional?: true;
  /** `input` names an input, `output` a new file, `certificate` an input or the output of an earlier step. */
  readonly use?: MemberUse;
}

export interface StepKindRule {
  readonly members: Readonly<Record<string, StepMember>>;
  /** The keystore that must be open when the step begins. */
  readonly needs?: KeystoreName | ((step: CeremonyStep) => KeystoreName);
  /** For people: what will be done. */
  readonly text: (step: CeremonyStep) => string;
  /** Names of files that the step writes besides its `output` members; `*` stands for one for each person. */
  readonly writes?: (step: CeremonyStep) => readonly string[];
  /** Events that the service records for it. */
  readonly audits?: readonly string[];
}

const OUTPUT_NAME = /^[a-z0-9][a-z0-9-]{0,63}\.(?:cer|crl|json|keystore)$/;
const INPUT_NAME = /^[a-z0-9][A-Za-z0-9._-]{0,95}$/;

const id: StepMember = { check: textLike(ID, '1 to 64 lower-case letters, digits and hyphens') };
const generation: StepMember = { check: textLike(/^G[1-9][0-9]{0,2}$/, 'a generation such as G2') };
const keystore: StepMember = { check: oneOf(['service', 'ceremony']) };
const number: StepMember = { check: textLike(/^(?:0|[1-9][0-9]{0,17})$/, 'a decimal number in quotation marks') };
const time: StepMember = { check: signedTimeText };
const serial: StepMember = { check: textLike(/^[0-9a-f]{2,40}$/, 'a serial number in lower-case hex') };
const profile: StepMember = { check: textLike(/^[a-z0-9][a-z0-9-]{0,63}$/, 'the name of a certificate profile') };
const input: StepMember = { check: textLike(INPUT_NAME, 'the name of an input'), use: 'input' };
const certificate: StepMember = { check: textLike(INPUT_NAME, 'the name of a certificate'), use: 'certificate' };
const output: StepMember = {
  check: textLike(OUTPUT_NAME, 'a new name that ends in .cer, .crl, .json or .keystore'),
  use: 'output',
};
const subject: StepMember = {
  check: (value) => {
    const members = isObject(value) ? Object.entries(value) : [];
    const fits = members.every(([name, text]) => ['o', 'ou', 'cn'].includes(name) && plainText(64)(text) === undefined);
    return fits && ['o', 'cn'].every((name) => members.some(([member]) => member === name))
      ? undefined
      : 'must have o and cn (and may have ou), each text of 1 to 64 characters';
  },
};
const optional = (member: StepMember): StepMember => ({ ...member, optional: true });

const named = (step: CeremonyStep): KeystoreName => (stepText(step, 'keystore') === 'service' ? 'service' : 'ceremony');
const shareFiles = (step: CeremonyStep): string[] => [`shares/${step.id}-*.json`];

export const STEP_KINDS = {
  selftest: { members: {}, text: () => 'run the known-answer tests of the engine' },
  'create-keystore': {
    members: { keystore },
    text: (step) => `make the ${named(step)} keystore and hand out its shares, each encrypted to its holder`,
    writes: shareFiles,
    audits: ['keystore.create'],
  },
  'open-keystore': {
    members: { keystore },
    text: (step) => `open the ${named(step)} keystore with the shares of its custodians`,
    audits: ['keystore.share', 'keystore.unseal'],
  },
  'close-keystore': {
    members: { keystore },
    needs: named,
    text: (step) => `close the ${named(step)} keystore and wipe its keys`,
    audits: ['keystore.seal'],
  },
  'reshare-keystore': {
    members: { keystore },
    needs: named,
    text: (step) => `give the ${named(step)} keystore a new share set, encrypted to the certificates now in force`,
    writes: shareFiles,
    audits: ['keystore.epoch'],
  },
  'establish-instance': {
    members: {},
    needs: 'service',
    text: () => 'write the id and environment of the instance and pin the policy set',
    audits: ['instance.init', 'policy.pin'],
  },
  'create-authority': {
    members: { authority: id, kind: { check: oneOf(['administrator', 'transport']) }, subject, out: output },
    needs: 'service',
    text: (step) => `make the ${stepText(step, 'kind')} CA ${stepText(step, 'authority')} in the service keystore`,
    audits: ['authority.create'],
  },
  'admit-people': {
    members: { issuer: id },
    needs: 'service',
    text: (step) => `admit the first people: roles, and a certificate of ${stepText(step, 'issuer')} for each`,
    writes: () => ['people/*.cer'],
    audits: ['certificate.issue', 'person.appoint', 'person.role-grant', 'person.certificate-issue'],
  },
  'create-log-key': {
    members: { key: id, issuer: id, subject, out: output },
    needs: 'service',
    text: (step) => `make the key ${stepText(step, 'key')} that signs the audit log, and its certificate`,
    audits: ['key.generate', 'certificate.issue'],
  },
  'make-root-key': {
    members: { key: id, algorithm: { check: oneOf(['SM2', 'RSA']) } },
    needs: 'ceremony',
    text: (step) =>
      `make the ${stepText(step, 'algorithm')} root key ${stepText(step, 'key')} in the ceremony keystore`,
  },
  'self-sign': {
    members: { key: id, generation, profile, subject, out: output },
    needs: 'ceremony',
    text: (step) => `sign the certificate of the root ${stepText(step, 'key')} with its own key`,
    audits: ['authority.import'],
  },
  'sign-request': {
    members: {
      issuer: id,
      'issuer-certificate': certificate,
      request: input,
      authority: id,
      generation,
      profile,
      out: output,
    },
    needs: 'ceremony',
    text: (step) =>
      `sign the certificate of the issuing CA ${stepText(step, 'authority')} by ${stepText(step, 'issuer')}`,
    audits: ['authority.import'],
  },
  'certify-signer': {
    members: { issuer: id, 'issuer-certificate': certificate, request: input, profile, out: output },
    needs: 'ceremony',
    text: (step) =>
      `certify the key of the bundle-signer of ${stepText(step, 'request')} by ${stepText(step, 'issuer')}`,
    audits: ['certificate.import'],
  },
  'cross-sign': {
    members: {
      issuer: id,
      'issuer-certificate': certificate,
      'subject-certificate': certificate,
      profile,
      'not-after': optional(time),
      out: output,
    },
    needs: 'ceremony',
    text: (step) =>
      `sign the link certificate over ${stepText(step, 'subject-certificate')} by ${stepText(step, 'issuer')}`,
    audits: ['certificate.import'],
  },
  'sign-crl': {
    members: { issuer: id, 'issuer-certificate': certificate, number, 'next-update': time, out: output },
    needs: 'ceremony',
    text: (step) => `sign CRL ${stepText(step, 'number')} of ${stepText(step, 'issuer')}, without entries`,
    audits: ['crl.import'],
  },
  'restrict-key': {
    members: { key: id, to: { check: oneOf(['cRLSign']) } },
    needs: 'ceremony',
    text: (step) => `from now on ${stepText(step, 'key')} signs CRLs and no certificate`,
  },
  'import-legacy-root': {
    members: {
      authority: id,
      generation,
      pkcs12: input,
      certificate: input,
      crl: input,
      inventory: input,
      valid: number,
      revoked: number,
      'first-serial': serial,
      'last-serial': serial,
    },
    needs: 'ceremony',
    text: (step) => `bring in the legacy root ${stepText(step, 'authority')}: key, last CRL and inventory`,
    audits: ['authority.import', 'crl.import'],
  },
  'import-legacy-issuing': {
    members: {
      authority: id,
      generation,
      issuer: id,
      pkcs12: input,
      certificate: input,
      crl: input,
      inventory: input,
      valid: number,
      revoked: number,
      'first-serial': serial,
      'last-serial': serial,
    },
    needs: 'service',
    text: (step) => `bring in the legacy issuing CA ${stepText(step, 'authority')}: key, last CRL and inventory`,
    audits: ['authority.import', 'crl.import'],
  },
  'backup-keystore': {
    members: { keystore: { check: oneOf(['ceremony']) }, out: output },
    needs: 'ceremony',
    text: () => 'copy the ceremony keystore, sealed as it is, into one file',
  },
  'restore-keystore': {
    members: { keystore: { check: oneOf(['ceremony']) }, backup: input },
    text: (step) => `put the ceremony keystore of ${stepText(step, 'backup')} into its empty folder`,
  },
  'check-keystore': {
    members: { keystore: { check: oneOf(['ceremony']) } },
    needs: 'ceremony',
    text: () => 'open every root key of the ceremony keystore and sign with it once',
  },
  'destroy-root-key': {
    members: { key: id, reason: { check: plainText(200) }, out: output },
    needs: 'ceremony',
    text: (step) => `destroy the root key ${stepText(step, 'key')}: ${stepText(step, 'reason')}`,
    audits: ['authority.retire'],
  },
  'sign-manifest': {
    members: { body: input, out: output },
    text: (step) => `every bundle signer who is there signs ${stepText(step, 'body')}`,
  },
} as const satisfies Readonly<Record<string, StepKindRule>>;

export type StepKind = keyof typeof STEP_KINDS;

/** True for a name of the table. */
export function isStepKind(name: string): name is StepKind {
  return Object.hasOwn(STEP_KINDS, name);
}

/** The rule of a kind; nothing for a name that is not in the table. */
export function stepKindRule(name: string): StepKindRule | undefined {
  return isStepKind(name) ? STEP_KINDS[name] : undefined;
}

/** The keystore that must be open when the step begins. */
export function neededKeystore(step: CeremonyStep): KeystoreName | undefined {
  const needs = stepKindRule(step.do)?.needs;
  return typeof needs === 'function' ? needs(step) : needs;
}

/** The files that a step names with this use. */
export function filesOf(step: CeremonyStep, use: MemberUse): string[] {
  return Object.entries(stepKindRule(step.do)?.members ?? {}).flatMap(([name, member]) => {
    const file = stepText(step, name);
    return member.use === use && file !== '' ? [file] : [];
  });
}

/** Every name that a step writes below `outputs/`, in patterns where it is one for each person. */
export function outputsOf(step: CeremonyStep): string[] {
  return [...filesOf(step, 'output'), ...(stepKindRule(step.do)?.writes?.(step) ?? [])];
}
