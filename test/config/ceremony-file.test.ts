/** The lint of ceremony files: the shipped templates are clean, and each of these faults is found by its own rule (C1, C3). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { lintCeremonyFile, loadCeremonyFile, pinSoftware, readCeremonyFile } from '../../src/config/ceremony-file.ts';
import { loadPolicies } from '../../src/config/policies.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { ceremonyFileBody } from '../../src/domain/ceremony/ceremony-file.ts';
import { STEP_KINDS } from '../../src/domain/ceremony/step-kinds.ts';
import { CEREMONY_RULES } from '../../src/domain/ceremony/lint.ts';
import { canonicalizeSigned } from '../../src/crypto/jcs.ts';
import { STEP_ACTS } from '../../src/flows/ceremonies/step-acts.ts';
import { refusalOf } from '../domain/refusal.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TYPES = [
  'kmc-init',
  'ca-root',
  'ca-issuing',
  'signer-certificates',
  'cross-sign',
  'legacy-import',
  'reshare',
  'restore',
  'destroy',
  'bundle-signing',
] as const;
type Template = (typeof TYPES)[number];
const FACTS = {
  policies: loadPolicies(join(ROOT, 'policies'), 'development').set,
  environment: 'development',
} as const;

const digestOf = (text: string): string => `sm3:${sm3(Buffer.from(text)).toString('hex')}`;
const PLACES: Readonly<Record<string, (name: string) => string>> = {
  person: digestOf,
  input: digestOf,
  previous: () => digestOf('previous'),
  from: () => '2026-12-03T01:00:00Z',
  to: () => '2026-12-03T09:00:00Z',
  'next-update': () => '2027-12-03T01:00:00Z',
  valid: () => '1',
  revoked: () => '1',
  'first-serial': () => '1000',
  'last-serial': () => '1001',
  value: () => 'a-value',
};

function filled(template: Template): string {
  return readFileSync(join(ROOT, 'scripts', 'ceremonies', `${template}.template.yaml`), 'utf8').replaceAll(
    /\$\{([a-z-]+)(?::([^}]+))?\}/g,
    (_place, name: string, argument: string | undefined) => PLACES[name]?.(argument ?? '') ?? '',
  );
}

const rulesOf = (text: string | Buffer): string[] => [
  ...new Set(lintCeremonyFile(Buffer.from(text), FACTS).map((finding) => finding.rule)),
];

interface Fault {
  readonly template?: Template;
  readonly from: string | RegExp;
  readonly to: string;
  readonly rule: string;
}

const custodian = (number: number): string => digestOf(`custodian-${number}`);

const FAULTS: Readonly<Record<string, Fault>> = {
  'a misspelt key': { from: 'window:', to: 'windw:', rule: 'schema/unknown-key' },
  'a duplicate key': { from: 'ceremony: v1', to: 'ceremony: v1\nceremony: v1', rule: 'yaml/duplicate-key' },
  'a merge key': { from: 'skip-lints: []', to: 'skip-lints: []\n<<: {a: b}', rule: 'yaml/merge-key' },
  'a tag': { from: 'skip-lints: []', to: 'skip-lints: !!js/function []', rule: 'yaml/tag' },
  'an anchor': { from: 'skip-lints: []', to: 'skip-lints: &a []', rule: 'yaml/anchor' },
  'another schema version': { from: 'ceremony: v1', to: 'ceremony: v2', rule: 'schema/value' },
  'a type that is not known': { from: 'type: ca-root', to: 'type: ca-roots', rule: 'type/unknown' },
  'recipients where no shares are handed out': {
    from: 'k: 3\n',
    to: `k: 3\n  recipients: {k: 3, holders: ["${digestOf('custodian-1')}", "${digestOf('custodian-2')}"]}\n`,
    rule: 'recipients/type',
  },
  'no recipients of new shares': {
    template: 'reshare',
    from: /  recipients:[^]*?inputs:/,
    to: 'inputs:',
    rule: 'recipients/type',
  },
  'a threshold of recipients below that of policy': {
    template: 'reshare',
    from: /recipients:\n    k: 3/,
    to: 'recipients:\n    k: 2',
    rule: 'recipients/threshold',
  },
  'one recipient twice': {
    template: 'reshare',
    from: `      - ${digestOf('custodian-2')}`,
    to: `      - ${digestOf('custodian-1')}`,
    rule: 'recipients/distinct',
  },
  'a recipient whose certificate is not there': {
    template: 'restore',
    from: /  - \{name: recipient-5.*\n/,
    to: '',
    rule: 'recipients/input',
  },
  'an id with a slash': { from: 'id: sm2-root', to: 'id: a/b', rule: 'schema/value' },
  'another environment': { from: 'environment: development', to: 'environment: production', rule: 'environment/other' },
  'no predecessor': { from: /previous: sm3:\w+/, to: 'previous: none', rule: 'previous/chain' },
  'a predecessor of the first ceremony': {
    template: 'kmc-init',
    from: 'previous: none',
    to: `previous: ${digestOf('x')}`,
    rule: 'previous/chain',
  },
  'a window that ends before it begins': { from: '2026-12-03T09', to: '2026-12-02T09', rule: 'window/order' },
  'a window of months': { from: '2026-12-03T09', to: '2027-03-03T09', rule: 'window/length' },
  'a time that is none': { from: '2026-12-03T09:00:00Z', to: '2026-12-03 09:00', rule: 'schema/value' },
  'a threshold of one': { from: 'k: 3', to: 'k: 1', rule: 'quorum/threshold' },
  'a threshold above the holders': { from: 'k: 3', to: 'k: 6', rule: 'quorum/threshold' },
  'a threshold of less than half': { from: 'k: 3', to: 'k: 2', rule: 'quorum/majority' },
  'fewer custodians than policy asks for': { from: 'k: 3', to: 'k: 2', rule: 'quorum/policy' },
  'one certificate in two seats': { from: digestOf('witness-1'), to: custodian(1), rule: 'quorum/distinct' },
  'one holder twice': { from: custodian(2), to: custodian(1), rule: 'quorum/distinct' },
  'no witness': { from: /witness: \[[^\]]+\]/, to: 'witness: []', rule: 'schema/value' },
  'a step kind that is not known': { from: 'do: selftest', to: 'do: self-destruct', rule: 'steps/kind' },
  'a step with a member too many': { from: 'do: selftest', to: 'do: selftest, key: x', rule: 'steps/member' },
  'a step that lacks a member': { from: ', algorithm: SM2', to: '', rule: 'steps/member' },
  'an algorithm that is not allowed': { from: 'algorithm: SM2', to: 'algorithm: DSA', rule: 'steps/member' },
  'two steps with one id': { from: 'id: s4', to: 'id: s3', rule: 'steps/id' },
  'a step left out': { from: /.*make-root-key.*\n/, to: '', rule: 'steps/order' },
  'steps in another order': { from: /(.*make-root-key.*\n)(.*self-sign.*\n)/, to: '$2$1', rule: 'steps/order' },
  'a keystore that is never opened': { from: /.*open-keystore.*\n/, to: '', rule: 'steps/keystore' },
  'a keystore that is never closed': { from: /.*close-keystore.*\n/, to: '', rule: 'steps/keystore' },
  'two steps that write one file': {
    template: 'cross-sign',
    from: 'legacy-root-by-sm2.cer',
    to: 'sm2-root-by-legacy.cer',
    rule: 'outputs/collision',
  },
  'an output with the name of an input': {
    template: 'ca-issuing',
    from: 'out: sm2-issuing.cer',
    to: 'out: sm2-root.cer',
    rule: 'outputs/collision',
  },
  'an output outside of its folder': { from: 'out: sm2-root.cer', to: 'out: ../sm2-root.cer', rule: 'steps/member' },
  'an input that is not listed': {
    template: 'ca-issuing',
    from: 'request: sm2-issuing.csr',
    to: 'request: other.csr',
    rule: 'steps/file',
  },
  'an input that nobody reads': {
    template: 'ca-issuing',
    from: 'inputs:',
    to: `inputs:\n  - {name: extra.bin, sm3: "${digestOf('x')}"}`,
    rule: 'inputs/unused',
  },
  'an input listed twice': {
    template: 'ca-issuing',
    from: 'inputs:',
    to: `inputs:\n  - {name: sm2-root.cer, sm3: "${digestOf('x')}"}`,
    rule: 'inputs/distinct',
  },
  'a lint that is skipped and does not exist': {
    from: 'skip-lints: []',
    to: 'skip-lints: [{lint: e_nothing, reason: because}]',
    rule: 'skip-lints/known',
  },
  'a lint that is skipped without a reason': {
    from: 'skip-lints: []',
    to: 'skip-lints: [{lint: e_access_uri}]',
    rule: 'schema/missing-key',
  },
  'people in a later ceremony': {
    from: 'steps:',
    to: `people: [{id: p, name: P, unit: U, organisation: O, roles: [auditor], certificate: "${digestOf('p')}"}]\nsteps:`,
    rule: 'people/only-first',
  },
  'no people in the first': {
    template: 'kmc-init',
    from: /people:\n(?: {2}- \{id: p-.*\n)+/,
    to: '',
    rule: 'people/only-first',
  },
  'two people with one certificate': {
    template: 'kmc-init',
    from: digestOf('system-2'),
    to: digestOf('system-1'),
    rule: 'people/distinct',
  },
  'one human being under two ids': {
    template: 'kmc-init',
    from: /(p-system-[12], .*)roles:(.*\n.*p-system-2, .*)roles:/,
    to: `$1identity: "sm3:${'1'.repeat(64)}", roles:$2identity: "sm3:${'1'.repeat(64)}", roles:`,
    rule: 'people/distinct',
  },
  'people of production whose identity is not stated': {
    template: 'kmc-init',
    from: 'environment: development',
    to: 'environment: production',
    rule: 'people/identity',
  },
  'roles that exclude each other': {
    template: 'kmc-init',
    from: 'roles: [custodian]',
    to: 'roles: [custodian, bundle-signer]',
    rule: 'people/role-conflict',
  },
  'a region that does not exist': {
    template: 'kmc-init',
    from: 'role: ra-operator, region: "110000"',
    to: 'role: ra-operator, region: "999999"',
    rule: 'people/region',
  },
  'a lead without the role': {
    template: 'kmc-init',
    from: `lead: ${digestOf('security-1')}`,
    to: `lead: ${digestOf('operator-1')}`,
    rule: 'people/seats',
  },
  'a custodian without a share': {
    template: 'kmc-init',
    from: `    - ${custodian(5)}\n`,
    to: '',
    rule: 'people/custodians',
  },
  'too few approvers': {
    template: 'kmc-init',
    from: /.*p-recovery-3.*\n/,
    to: '',
    rule: 'people/eligible',
  },
};

describe('config/ceremony-file', () => {
  for (const type of TYPES) {
    it(`the shipped template of ${type} has no fault once it is filled in`, () => {
      expect(lintCeremonyFile(Buffer.from(filled(type)), FACTS)).to.deep.equal([]);
    });
  }

  for (const [title, { template = 'ca-root', from, to, rule }] of Object.entries(FAULTS)) {
    it(`finds ${title} by the rule ${rule}`, () => {
      const text = filled(template);
      const bad = text.replace(from, to);
      expect(bad).not.to.equal(text);
      expect(rulesOf(bad)).to.include(rule);
      const refusal = refusalOf(() => loadCeremonyFile(Buffer.from(bad), FACTS));
      expect(refusal?.code).to.equal('E_LINT');
      expect(refusal?.pointers[0]?.pointer).to.match(/^\/line:\d+$/);
    });
  }

  it('names the line of a fault', () => {
    const text = filled('ca-root').replace('algorithm: SM2', 'algorithm: DSA');
    const line = text.split('\n').findIndex((one) => one.includes('DSA')) + 1;
    expect(lintCeremonyFile(Buffer.from(text), FACTS)).to.deep.include({
      line,
      rule: 'steps/member',
      message: 'algorithm must be one of SM2, RSA',
    });
  });

  it('refuses a file of more than 64 KiB and one that is not UTF-8', () => {
    expect(rulesOf(`${filled('ca-root')}#${'x'.repeat(65_536)}`)).to.deep.equal(['yaml/size']);
    expect(rulesOf(Buffer.from([0xff, 0xfe]))).to.deep.equal(['yaml/encoding']);
  });

  it('every step kind of the table can be done, and every rule has an id of its own', () => {
    expect(Object.keys(STEP_ACTS).sort()).to.deep.equal(Object.keys(STEP_KINDS).sort());
    const ids = CEREMONY_RULES.map((rule) => rule.id);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it('the order and spacing of a file do not matter to its plan form, a value does', () => {
    const text = filled('ca-root');
    const body = (bytes: string): string => {
      const { file } = readCeremonyFile(Buffer.from(bytes));
      return file === undefined ? '' : canonicalizeSigned(ceremonyFileBody(file));
    };
    expect(body(text.replace('id: sm2-root\n', 'id:   "sm2-root"   # the id\n'))).to.equal(body(text));
    expect(body(text.replace('generation: G2', 'generation: G3'))).not.to.equal(body(text));
  });

  it('pinning writes the digests of the tool, and leaves everything else as it is', () => {
    const text = filled('ca-root');
    const software = { bundle: digestOf('b'), node: digestOf('n'), lock: digestOf('l') };
    const pinned = pinSoftware(Buffer.from(text), software).toString('utf8');
    expect(readCeremonyFile(Buffer.from(pinned)).file?.software).to.deep.equal(software);
    const line = pinned.split('\n').find((one) => one.startsWith('software:')) ?? '';
    expect(pinned.replace(`${line}\n`, '')).to.equal(text);
    // Written again, over several lines, by another tool.
    const spread = pinned.replace(line, `software:\n  bundle: ${digestOf('x')}\n  node: ${digestOf('y')}`);
    expect(pinSoftware(Buffer.from(spread), software).toString('utf8')).to.equal(pinned);
    expect(refusalOf(() => pinSoftware(Buffer.from('a: [b'), software))?.code).to.equal('E_LINT');
  });
});
