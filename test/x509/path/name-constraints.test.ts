/** The rfc5280::nc cases of x509-limbo (C2SP/x509-limbo), rebuilt with SM2 keys. */
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  integer,
  nullValue,
  oid,
  sequence,
} from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import { encodeGeneralName } from '../../../src/x509/extensions/general-name.ts';
import type { GeneralName } from '../../../src/x509/extensions/general-name.ts';
import { parseNameConstraints } from '../../../src/x509/path/name-constraints.ts';
import { validatePath } from '../../../src/x509/path.ts';
import type { PathRule } from '../../../src/x509/path.ts';
import { refusalCode } from '../../crypto/asn1/refusal-code.ts';
import { makeCa, makeLeaf, nameOf, NOW } from './test-authority.ts';
import type { CertificateTraits, Holder } from './test-authority.ts';
import { processorTime } from '../../crypto/asn1/processor-time.ts';

const dns = (value: string): Buffer => contextPrimitive(2, Buffer.from(value, 'latin1'));
const ip = (hex: string): Buffer => contextPrimitive(7, Buffer.from(hex, 'hex'));
const email = (value: string): Buffer => contextPrimitive(1, Buffer.from(value, 'latin1'));
const directory = (commonName: string): Buffer => contextExplicit(4, nameOf(commonName));
const other = (): Buffer =>
  contextImplicit(0, sequence(oid('1.3.6.1.4.1.55738.666.3'), contextExplicit(0, nullValue())));

interface Subtrees {
  readonly permitted?: readonly Buffer[];
  readonly excluded?: readonly Buffer[];
}

function constraintsValue({ permitted, excluded }: Subtrees): Buffer {
  const subtrees = (tag: number, bases: readonly Buffer[] | undefined): Buffer[] =>
    bases === undefined ? [] : [contextImplicit(tag, sequence(...bases.map((base) => sequence(base))))];
  return sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
}

function constraints(subtrees: Subtrees, critical = true): Extension {
  return { oid: OID.nameConstraints, critical, value: constraintsValue(subtrees) };
}

function alternatives(...names: readonly Buffer[]): Extension {
  return { oid: OID.subjectAltName, critical: false, value: sequence(...names) };
}

function rulesOf(holders: readonly Holder[]): PathRule[] {
  const [root, ...rest] = holders.map(({ certificate }) => certificate);
  const leaf = rest.at(-1);
  if (root === undefined || leaf === undefined) throw new Error('a chain needs two certificates');
  const verdict = validatePath({ leaf, anchors: [root], intermediates: rest.slice(0, -1), at: NOW, purpose: 'any' });
  return verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule);
}

/** Rules broken by a chain of certificates with these traits, the first a root, the last a leaf. */
async function rules(...traits: readonly CertificateTraits[]): Promise<PathRule[]> {
  const holders: Holder[] = [];
  for (const [index, one] of traits.entries()) {
    const signer = holders.at(-1);
    const isLeaf = index === traits.length - 1 && signer !== undefined;
    holders.push(isLeaf ? await makeLeaf(signer, one) : await makeCa(signer, one));
  }
  return rulesOf(holders);
}

/** Rules broken by a leaf with these names under a root with these constraints. */
function underRoot(subtrees: Subtrees, names: readonly Buffer[], traits: CertificateTraits = {}): Promise<PathRule[]> {
  const extensions = names.length === 0 ? [] : [alternatives(...names)];
  return rules({ extensions: [constraints(subtrees)] }, { ...traits, extensions });
}

const BROKEN: readonly PathRule[] = ['name-constraints'];
const EXAMPLE = { permitted: [dns('example.com')] };
const NETWORK = 'c0000200ffffff00';

describe('name constraints', () => {
  const leafCases: readonly [string, Subtrees, readonly Buffer[], readonly PathRule[]][] = [
    ['permitted-dns-match', EXAMPLE, [dns('example.com')], []],
    ['permitted-dns-match-more', EXAMPLE, [dns('foo.bar.EXAMPLE.com')], []],
    ['permitted-dns-mismatch', EXAMPLE, [dns('not-example.com')], BROKEN],
    ['excluded-dns-match', { excluded: [dns('example.com')] }, [dns('example.com')], BROKEN],
    [
      'excluded-dns-match-second',
      { excluded: [dns('x.example.com')] },
      [dns('example.com'), dns('x.example.com')],
      BROKEN,
    ],
    ['an empty dNSName base excludes every dNSName', { excluded: [dns('')] }, [dns('example.com')], BROKEN],
    ['permitted-ip-match', { permitted: [ip(NETWORK)] }, [ip('c0000201')], []],
    ['permitted-ip-mismatch', { permitted: [ip(NETWORK)] }, [ip('c0000301')], BROKEN],
    ['excluded-ipv4-match', { excluded: [ip(NETWORK)] }, [ip('c0000201')], BROKEN],
    ['an IPv6 name is not in an IPv4 network', { permitted: [ip(NETWORK)] }, [ip('0'.repeat(31) + '1')], BROKEN],
    [
      'permitted-ipv6-match',
      { permitted: [ip('0'.repeat(31) + '1' + 'f'.repeat(32))] },
      [ip('0'.repeat(31) + '1')],
      [],
    ],
    [
      'excluded-match-permitted-and-excluded',
      { ...EXAMPLE, excluded: [dns('example.com')] },
      [dns('example.com')],
      BROKEN,
    ],
    ['permitted-different-constraint-type', { permitted: [ip(NETWORK)] }, [dns('example.com')], []],
    ['excluded-different-constraint-type', { excluded: [ip(NETWORK)] }, [dns('example.com')], []],
    ['nc-permits-invalid-dns-san', EXAMPLE, [dns('.example.com'), dns('foo.example.com')], BROKEN],
    ['an unconstrained form is free', EXAMPLE, [], []],
    [
      'invalid-dnsname-wildcard',
      { permitted: [dns('*.example.com')] },
      [dns('foo.example.com')],
      ['name-constraints-unsupported'],
    ],
    [
      'invalid-dnsname-leading-period',
      { permitted: [dns('.example.com')] },
      [dns('foo.example.com')],
      ['name-constraints-unsupported'],
    ],
    ['invalid-ipv4-address', { permitted: [ip('7f000001')] }, [ip('7f000001')], ['name-constraints-unsupported']],
    [
      'invalid-ipv6-address',
      { permitted: [ip('0'.repeat(31) + '1')] },
      [ip('0'.repeat(31) + '1')],
      ['name-constraints-unsupported'],
    ],
    [
      'a constraint on rfc822Name, which is not processed',
      { permitted: [email('example.com')] },
      [email('a@example.com')],
      BROKEN,
    ],
    ['a constraint on rfc822Name without such a name', { permitted: [email('example.com')] }, [dns('example.com')], []],
    ['nc-forbids-othername', { ...EXAMPLE, excluded: [other()] }, [dns('example.com'), other()], BROKEN],
    ['nc-forbids-othername-noop', { ...EXAMPLE, excluded: [other()] }, [dns('example.com')], []],
    ['cve-2025-61727', { ...EXAMPLE, excluded: [dns('bar.example.com')] }, [dns('*.example.com')], BROKEN],
    ['cve-2025-61727-nc-permits-variant', { permitted: [dns('foo.example.com')] }, [dns('*.example.com')], BROKEN],
    ['a wildcard inside the permitted subtree', EXAMPLE, [dns('*.foo.example.com')], []],
  ];
  for (const [id, subtrees, names, broken] of leafCases) {
    it(`${id}: ${broken.join(', ') || 'valid'}`, async () => {
      expect(await underRoot(subtrees, names)).to.deep.equal([...broken]);
    });
  }

  it('apply directoryName constraints to the subject and to the alternatives', async () => {
    const permitted = { permitted: [directory('foo')] };
    const excluded = { excluded: [directory('foo')] };
    expect(await underRoot(permitted, [directory('foo')], { name: 'foo' })).to.deep.equal([]);
    expect(await underRoot(permitted, [directory('not-foo')], { name: 'not-foo' })).to.deep.equal(BROKEN);
    expect(await underRoot(permitted, [directory('foo')], { name: 'not-foo' })).to.deep.equal(BROKEN);
    expect(await underRoot(permitted, [directory('not-foo')], { name: 'foo' })).to.deep.equal(BROKEN);
    expect(await underRoot(excluded, [directory('not-foo')], { name: 'foo' })).to.deep.equal(BROKEN);
    expect(await underRoot(excluded, [directory('foo')], { name: 'not-foo' })).to.deep.equal(BROKEN);
    expect(await underRoot(excluded, [], { name: 'not-foo' })).to.deep.equal([]);
  });

  it('spare a self-issued CA and hold for a self-issued leaf', async () => {
    const outside = alternatives(dns('not-example.com'));
    const root: CertificateTraits = { name: 'Self', extensions: [constraints(EXAMPLE)] };
    expect(await rules(root, { name: 'Self', extensions: [outside] }, {})).to.deep.equal([]);
    expect(await rules(root, { name: 'Self', extensions: [outside] })).to.deep.equal(BROKEN);
  });

  it('hold for CAs in between, whether they come from the root or from a CA', async () => {
    const both = constraints({ permitted: [dns('ok.test')], excluded: [dns('bad.test')] });
    const bad = { extensions: [alternatives(dns('bad.test'))] };
    const good = { extensions: [alternatives(dns('ok.test'))] };
    expect(await rules({}, { extensions: [both] }, bad, good)).to.deep.equal(BROKEN);
    expect(await rules({ extensions: [both] }, {}, bad, good)).to.deep.equal(BROKEN);
    expect(await rules({ extensions: [both] }, {}, {}, good)).to.deep.equal([]);
  });

  it('can only narrow down a chain', async () => {
    const foo = { extensions: [alternatives(dns('foo.test'))] };
    const one = { extensions: [constraints({ permitted: [dns('bar.test')] })] };
    const two = { extensions: [constraints({ permitted: [dns('foo.test'), dns('bar.test')] })] };
    expect(await rules({}, two, one, foo)).to.deep.equal(BROKEN);
    expect(await rules({}, one, two, foo)).to.deep.equal(BROKEN);
    expect(await rules({}, two, two, foo)).to.deep.equal([]);
  });

  it('must be critical, but hold when they are not and the profile is legacy', async () => {
    const root = await makeCa(undefined, { extensions: [constraints(EXAMPLE, false)] });
    const inside = await makeLeaf(root, { extensions: [alternatives(dns('example.com'))] });
    const outside = await makeLeaf(root, { extensions: [alternatives(dns('other.test'))] });
    expect(rulesOf([root, inside])).to.deep.equal(['wrong-criticality']);
    const legacy = {
      anchors: [root.certificate],
      intermediates: [],
      at: NOW,
      purpose: 'any',
      profile: 'legacy',
    } as const;
    expect(validatePath({ ...legacy, leaf: inside.certificate }).valid).to.equal(true);
    expect(validatePath({ ...legacy, leaf: outside.certificate }).valid).to.equal(false);
  });

  it('lead to the chain without them when there is one (nc-forbids-alternate-chain-ica)', async () => {
    const constrained = await makeCa(undefined, { extensions: [constraints({ excluded: [dns('bad.test')] })] });
    const free = await makeCa();
    const first = await makeCa(constrained, { extensions: [alternatives(dns('bad.test'))] });
    const second = await makeCa(free, { key: first.key, subject: first.certificate.subject.der });
    const leaf = await makeLeaf(first, { extensions: [alternatives(dns('ok.test'))] });
    const verdict = validatePath({
      leaf: leaf.certificate,
      anchors: [constrained.certificate, free.certificate],
      intermediates: [first.certificate, second.certificate],
      at: NOW,
      purpose: 'any',
    });
    expect(verdict.valid && verdict.path).to.deep.equal([leaf, second, free].map(({ certificate }) => certificate));
  });

  it('refuse too many names for too many constraints in little time', async () => {
    const many = Array.from({ length: 128 }, (_unused, index) => dns(`t${index}.test`));
    const started = processorTime();
    expect(await underRoot({ permitted: many, excluded: many.map(() => dns('x.test')) }, many)).to.deep.equal(BROKEN);
    expect(started()).to.be.below(200);
    const tooMany = constraints({ permitted: [...many, dns('test')] });
    expect(await rules({ extensions: [tooMany] }, {})).to.deep.equal(['name-constraints-unsupported']);
  });

  it('are read strictly: no minimum or maximum, no empty list, nothing else', () => {
    const base = dns('example.com');
    for (const bad of [
      sequence(),
      sequence(contextImplicit(0, sequence())),
      sequence(contextImplicit(0, sequence(sequence(base, contextImplicit(0, integer(1)))))),
      sequence(contextImplicit(0, sequence(sequence(base))), nullValue()),
      sequence(contextImplicit(1, sequence(sequence(base))), contextImplicit(0, sequence(sequence(base)))),
      contextImplicit(0, sequence(sequence(base))),
    ]) {
      expect(
        refusalCode(() => parseNameConstraints(bad)),
        bad.toString('hex'),
      ).to.equal('E_DER');
    }
    fc.assert(
      fc.property(
        fc.array(fc.domain(), { minLength: 1, maxLength: 5 }),
        fc.nat(60),
        fc.nat(255),
        (names, at, octet) => {
          const value = constraintsValue({ permitted: names.map(dns) });
          expect(parseNameConstraints(value).permitted).to.have.length(names.length);
          const mutated = Buffer.from(value);
          mutated[at % value.length] = octet;
          expect(refusalCode(() => parseNameConstraints(mutated))).to.be.oneOf([undefined, 'E_DER']);
        },
      ),
    );
  });

  it('never make the validation throw, whatever octets they hold', async () => {
    const value = constraintsValue({
      permitted: [directory('CA'), dns('a.test')],
      excluded: [ip(NETWORK), email('b.test')],
    });
    const keyHolder = await makeCa();
    const below = await makeLeaf(keyHolder, { extensions: [alternatives(dns('a.test'), ip('c0000201'))] });
    await fc.assert(
      fc.asyncProperty(fc.nat(value.length - 1), fc.nat(255), async (at, octet) => {
        const mutated = Buffer.from(value);
        mutated[at] = octet;
        const root = await makeCa(undefined, {
          key: keyHolder.key,
          subject: keyHolder.certificate.subject.der,
          extensions: [{ oid: OID.nameConstraints, critical: true, value: mutated }],
        });
        expect(rulesOf([root, below])).to.be.an('array');
      }),
      { numRuns: 300 },
    );
  });

  it('see the names that the product writes', async () => {
    const names: GeneralName[] = [
      { type: 'dNSName', value: 'gw.example.com' },
      { type: 'iPAddress', value: '192.0.2.7' },
    ];
    expect(names.map(encodeGeneralName)).to.deep.equal([dns('gw.example.com'), ip('c0000207')]);
    const extensions = [extensionOf(EXTENSIONS.subjectAltName, names)];
    expect(
      await rules({ extensions: [constraints({ permitted: [dns('example.com'), ip(NETWORK)] })] }, { extensions }),
    ).to.deep.equal([]);
  });
});
