import { cpSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { lintPolicies, loadPolicies, type Finding, type InstanceKind } from '../../src/config/policies.ts';
import { policyDigest } from '../../src/domain/policy.ts';
import { EXCLUDED_PAIRS } from '../../src/domain/roles.ts';
import { STANDARD_QUORUMS } from '../../src/domain/quorum.ts';
import { refusalOf } from '../domain/refusal.ts';

const SHIPPED = join(import.meta.dirname, '../../policies');

describe('the policy files', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-policies-'));
    cpSync(SHIPPED, folder, { recursive: true });
    // What an organisation puts in before it goes into production.
    const addresses = readFileSync(join(folder, 'addresses.yaml'), 'utf8')
      .replaceAll('http://127.0.0.1:8440', 'http://pki.kmc.gov.cn')
      .replaceAll('1.3.6.1.4.1.32473.1', '1.2.156.3088.9');
    writeFileSync(join(folder, 'addresses.yaml'), addresses);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Puts `to` in the place of the first `from` of a file, and returns the line on which it then stands. */
  function edit(file: string, from: string | RegExp, to: string): number {
    const text = readFileSync(join(folder, file), 'utf8');
    const at = typeof from === 'string' ? text.indexOf(from) : text.search(from);
    if (at < 0) throw new Error(`${file} holds nothing like ${String(from)}`);
    writeFileSync(
      join(folder, file),
      text.replace(from, () => to),
    );
    return text.slice(0, at).split('\n').length + (to.match(/^\n*/)?.[0].length ?? 0);
  }

  function findings(kind: InstanceKind = 'production'): Finding[] {
    return lintPolicies(folder, kind);
  }

  it('as shipped are without fault once the organisation’s own addresses stand in them', () => {
    expect(findings()).to.deep.equal([]);
    const { set } = loadPolicies(folder, 'production');
    expect(set.quorums).to.deep.equal(STANDARD_QUORUMS);
    expect(set.exclusions).to.have.deep.members([...EXCLUDED_PAIRS]);
  });

  it('as shipped start a development instance, and no other', () => {
    expect(loadPolicies(SHIPPED, 'development').findings.map((finding) => finding.severity)).to.deep.equal(
      Array.from({ length: 6 }, () => 'warning'),
    );
    const refusal = refusalOf(() => loadPolicies(SHIPPED, 'production'));
    expect(refusal?.code).to.equal('E_CONFIG');
    expect(refusal?.pointers.map((one) => one.detail.split(':')[0])).to.deep.equal([
      ...Array.from({ length: 4 }, () => 'addresses/local-host'),
      ...Array.from({ length: 2 }, () => 'addresses/example-arc'),
    ]);
  });

  it('give a set that nobody can change', () => {
    const { set } = loadPolicies(folder, 'production');
    expect(Object.isFrozen(set.quorums.L3)).to.equal(true);
    expect(Object.isFrozen(set.profiles['root']?.keyUsage)).to.equal(true);
  });

  it('have one digest whatever their layout, and another for any other value', () => {
    const before = policyDigest(loadPolicies(folder, 'production').set);
    edit('quorums.yaml', '  L1:\n', '  # a remark\n  L1:\n\n');
    edit('profiles.yaml', 'key-usage: [keyCertSign, cRLSign]', 'key-usage:\n      - keyCertSign\n      - cRLSign');
    expect(policyDigest(loadPolicies(folder, 'production').set)).to.equal(before);
    edit('limits.yaml', 'crl-validity: 7d', 'crl-validity: 6d');
    expect(policyDigest(loadPolicies(folder, 'production').set)).not.to.equal(before);
  });

  /** One fault each: file, what stands there, what is put there, the rule that finds it. */
  const FAULTS: readonly (readonly [string, string | RegExp, string, string])[] = [
    ['quorums.yaml', 'approvals: 2', 'approvals: &two 2', 'yaml/anchor'],
    ['quorums.yaml', 'approvals: 3', 'approvals: 3\n    approvals: 4', 'yaml/duplicate-key'],
    ['roles.yaml', '  - [ca-operator, custodian]', '  - !!seq [ca-operator, custodian]', 'yaml/tag'],
    ['limits.yaml', 'token-tries: 5', '<<: {token-tries: 5}', 'yaml/merge-key'],
    ['limits.yaml', '{low: 500,', '{low: 500, middle: 5,', 'schema/unknown-key'],
    ['quorums.yaml', 'version: "1"', 'version: 1', 'schema/value'],
    ['quorums.yaml', 'approvals: 2', 'approvals: two', 'schema/value'],
    ['quorums.yaml', 'approvals: 2', 'approvals: 2.5', 'schema/value'],
    ['quorums.yaml', 'expiry: 7d', 'expiry: 7 days', 'schema/value'],
    ['quorums.yaml', 'expiry: 72h', 'expiry: 72h\n    longest-window: 3d', 'schema/value'],
    ['quorums.yaml', '  # every use of a root key', '  L5: {}\n  # every use of a root key', 'schema/unknown-key'],
    ['quorums.yaml', 'schema: kmc.policy/quorums/1', 'schema: kmc.policy/quorums/2', 'schema/value'],
    ['roles.yaml', '[ca-operator, custodian]', '[ca-operator, keeper]', 'schema/value'],
    ['profiles.yaml', 'keyEncipherment, dataEncipherment', 'keyEncryption, dataEncipherment', 'schema/value'],
    ['profiles.yaml', 'validity: 90d', 'validity: three months', 'schema/value'],
    ['addresses.yaml', 'http://pki.kmc.gov.cn/ocsp', 'https://pki.kmc.gov.cn/ocsp', 'schema/value'],
    ['addresses.yaml', 'http://pki.kmc.gov.cn/crl', 'http://pki.kmc.gov.cn/crl/', 'schema/value'],
    ['addresses.yaml', 'certificate-policy: 1.2.156.3088.9.1', 'certificate-policy: 1.2.156.03088.9.1', 'schema/value'],
    ['regions.yaml', '"120000"', '120000', 'schema/value'],
    ['crypto-periods.yaml', 'ocsp-signing', 'oscp-signing', 'schema/unknown-key'],
    ['quorums.yaml', 'distinct-units: 2', 'distinct-units: 1', 'quorum/below-standard'],
    ['quorums.yaml', 'beyond-one-province: true', 'beyond-one-province: false', 'quorum/below-standard'],
    ['quorums.yaml', 'distinct-organisations: 2', 'distinct-organisations: 3', 'quorum/impossible'],
    ['quorums.yaml', 'longest-window: 90d', 'expiry: 90d', 'quorum/expiry'],
    ['quorums.yaml', 'expiry: 7d', 'expiry: 1h', 'quorum/expiry'],
    ['roles.yaml', /custodian, bundle-signer/, 'custodian, custodian', 'roles/exclusion-self'],
    ['profiles.yaml', '  canary:\n    kind', '  canaries:\n    kind', 'profiles/required'],
    ['profiles.yaml', 'enc: gateway-enc, marked: true', 'enc: gateway-encryption, marked: true', 'profiles/device'],
    ['profiles.yaml', '  hub-gateway: {', '  simpleenroll: {', 'profiles/label'],
    ['profiles.yaml', 'successor: gateway', 'successor: legacy-gateway', 'profiles/successor'],
    [
      'profiles.yaml',
      'gateway: {sign: gateway-sign, enc: gateway-enc',
      'gateway: {sign: gateway-sign, enc: application',
      'profiles/pair',
    ],
    ['profiles.yaml', 'kind: issuing', 'kind: application', 'profiles/ca'],
    ['profiles.yaml', 'subject-keys: [EC-P256]', 'subject-keys: [SM2]', 'profiles/subject-keys'],
    [
      'profiles.yaml',
      'key-usage: [digitalSignature, keyEncipherment]',
      'key-usage: [digitalSignature, keyCertSign]',
      'profiles/key-usage',
    ],
    ['profiles.yaml', 'key-purposes: [ocspSigning]', 'key-purposes: [serverAuth]', 'profiles/key-purposes'],
    ['profiles.yaml', 'key-purposes-critical: true', 'key-purposes-critical: false', 'profiles/key-purposes'],
    [
      'profiles.yaml',
      'validity: 90d\n    key-usage: [digitalSignature]',
      'validity: 91d\n    key-usage: [digitalSignature]',
      'profiles/validity',
    ],
    [
      'profiles.yaml',
      'extensions: [subjectKeyIdentifier, subjectInfoAccess]',
      'extensions: [subjectKeyIdentifier]',
      'profiles/extensions',
    ],
    [
      'profiles.yaml',
      /extensions: .*ocspNoCheck\]/,
      'extensions: [subjectKeyIdentifier, authorityKeyIdentifier]',
      'profiles/extensions',
    ],
    ['crypto-periods.yaml', 'kek: {protect: 365d', 'kek: {protect: 0d', 'periods/zero'],
    ['regions.yaml', 'code: "120000"', 'code: "110000"', 'regions/duplicate'],
    ['regions.yaml', 'code: "660000", kind: corps', 'code: "660000", kind: province', 'regions/count'],
    ['regions.yaml', 'id: ra-120000', 'id: ra-110000', 'regions/authority-duplicate'],
    ['regions.yaml', 'region: "660000"', 'region: "100000"', 'regions/authority-region'],
    ['regions.yaml', 'certificates: 150000', 'certificates: 0', 'regions/target'],
    ['addresses.yaml', 'ocsp: http://pki.kmc.gov.cn', 'ocsp: http://localhost', 'addresses/local-host'],
    ['addresses.yaml', 'crl: http://pki.kmc.gov.cn', 'crl: http://pki.example', 'addresses/local-host'],
    ['addresses.yaml', '1.2.156.3088.9.2', '1.3.6.1.4.1.32473.1.2', 'addresses/example-arc'],
    ['limits.yaml', 'token-in-person: 72h', 'token-in-person: 73h', 'limits/token'],
    ['limits.yaml', 'token-remote: 24h', 'token-remote: 25h', 'limits/token'],
    ['limits.yaml', 'token-tries: 5', 'token-tries: 6', 'limits/token'],
    ['limits.yaml', 'token-lock: 15m', 'token-lock: 14m', 'limits/token'],
    ['limits.yaml', 'redelivery: 72h', 'redelivery: 71h', 'limits/redelivery'],
    ['limits.yaml', 'crl-validity: 7d', 'crl-validity: 24h', 'limits/crl'],
    ['limits.yaml', 'destroy-window: 7d', 'destroy-window: 6d', 'limits/destroy-window'],
    ['limits.yaml', 'destroy-window: 7d', 'destroy-window: 31d', 'limits/destroy-window'],
    ['limits.yaml', 'low: 500', 'low: 2000', 'limits/pool'],
    ['limits.yaml', 'needs-backup: false', 'needs-backup: true', 'limits/pool'],
    ['limits.yaml', 'sample-one-in: 50', 'sample-one-in: 10001', 'limits/sample'],
    ['limits.yaml', 'retention: 400d', 'retention: 179d', 'limits/audit-retention'],
  ];
  /** The rules that speak about something absent point at the head of what lacks it. */
  const POINTS_ABOVE: Readonly<Record<string, string>> = {
    'profiles/required': 'certificates:',
    'regions/count': 'regions:',
  };

  for (const [file, from, to, rule] of FAULTS) {
    it(`with "${to.trim().split('\n').pop()}" in ${file} break ${rule}, naming the line`, () => {
      let line = edit(file, from, to);
      const text = readFileSync(join(folder, file), 'utf8').split('\n');
      const above = POINTS_ABOVE[rule];
      if (above !== undefined) line = text.indexOf(above) + 1;
      const found = findings();
      expect(found.map((one) => one.rule)).to.include(rule);
      const lines = found.filter((one) => one.rule === rule).map((one) => one.line);
      expect(found.filter((one) => one.file !== file)).to.deep.equal([]);
      expect(
        lines.some((one) => Math.abs(one - line) <= to.split('\n').length),
        `${lines.join()} near ${line}`,
      ).to.equal(true);
    });
  }

  it('name the exact line of a fault', () => {
    edit('quorums.yaml', '  L3:\n    approvals: 3', '  L3:\n    approvals: 2');
    const line = readFileSync(join(folder, 'quorums.yaml'), 'utf8').split('\n').indexOf('  L3:') + 2;
    expect(findings()).to.deep.equal([
      {
        file: 'quorums.yaml',
        line,
        rule: 'quorum/below-standard',
        severity: 'error',
        message: 'class L3 asks for at least 3 here',
      },
    ]);
  });

  for (const pair of EXCLUDED_PAIRS) {
    it(`without the pair ${pair.join(' and ')} break roles/exclusion-missing`, () => {
      edit('roles.yaml', new RegExp(`  - \\[(?:${pair.join(', ')}|${[...pair].reverse().join(', ')})\\]\n`), '');
      expect(findings().map((one) => one.rule)).to.deep.equal(['roles/exclusion-missing']);
    });
  }

  it('with a quorum of one stop a production instance and warn a development instance', () => {
    for (const approvalClass of ['L2', 'L3', 'judicial', 'L4']) {
      edit(
        'quorums.yaml',
        new RegExp(`  ${approvalClass}:\n    approvals: [0-9]`),
        `  ${approvalClass}:\n    approvals: 1`,
      );
    }
    for (const count of ['distinct-roles', 'distinct-units', 'distinct-organisations']) {
      const text = readFileSync(join(folder, 'quorums.yaml'), 'utf8');
      writeFileSync(join(folder, 'quorums.yaml'), text.replaceAll(new RegExp(`${count}: [0-9]`, 'g'), `${count}: 1`));
    }
    const rules = (kind: InstanceKind): string[] =>
      findings(kind)
        .filter((one) => one.rule === 'quorum/below-two')
        .map((one) => one.severity);
    expect(rules('production')).to.deep.equal(['error', 'error', 'error', 'error']);
    expect(rules('development')).to.deep.equal(['warning', 'warning', 'warning', 'warning']);
    expect(refusalOf(() => loadPolicies(folder, 'production'))?.code).to.equal('E_CONFIG');
    expect(loadPolicies(folder, 'development').set.quorums.L2.approvals).to.equal(1);
  });

  for (const key of ['crl', 'ocsp', 'ca-issuers', 'ca-repository', 'certificate-policy', 'bundle-signer']) {
    it(`without ${key} stop a production instance; a development instance has one of its own`, () => {
      edit('addresses.yaml', new RegExp(`\n${key}: .*`), '');
      expect(findings().map((one) => one.rule)).to.deep.equal(['addresses/missing']);
      expect(refusalOf(() => loadPolicies(folder, 'production'))?.code).to.equal('E_CONFIG');
      const { publication } = loadPolicies(folder, 'development').set;
      expect(Object.values<string>({ ...publication }).every((value) => value !== '')).to.equal(true);
    });
  }

  it('with a validity above 3650 days only earn a warning, because GmSSL is not everywhere', () => {
    edit('profiles.yaml', 'validity: 3650d', 'validity: 7300d');
    expect(findings().map((one) => `${one.severity} ${one.rule}`)).to.deep.equal([
      'warning profiles/validity-above-3650d',
    ]);
    expect(loadPolicies(folder, 'production').findings).to.have.length(1);
  });

  it('are refused when one is missing, unknown, too large or not UTF-8', () => {
    unlinkSync(join(folder, 'roles.yaml'));
    writeFileSync(join(folder, 'extra.yaml'), 'a: 1\n');
    writeFileSync(join(folder, 'limits.yaml'), `# ${'x'.repeat(65_536)}\n`);
    writeFileSync(join(folder, 'regions.yaml'), Buffer.from([0xff, 0xfe]));
    expect(findings().map((one) => `${one.file} ${one.rule}`)).to.have.members([
      'extra.yaml files/unknown',
      'roles.yaml files/missing',
      'limits.yaml yaml/size',
      'regions.yaml yaml/encoding',
    ]);
  });

  it('are refused when the folder is not there, without saying where it would be', () => {
    const refusal = refusalOf(() => loadPolicies(join(folder, 'nowhere'), 'production'));
    expect(refusal?.code).to.equal('E_CONFIG');
    expect(refusal?.message).not.to.include(folder);
  });
});
