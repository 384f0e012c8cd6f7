/** The cases of x509-limbo (C2SP/x509-limbo, rfc5280, pathlen, pathological and cve) that concern RFC 5280, rebuilt with SM2 keys. */
import { expect } from 'chai';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { integer, octetString } from '../../../src/crypto/asn1/der.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { accessByUri } from '../../../src/x509/extensions/access.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import { validatePath } from '../../../src/x509/path.ts';
import type { PathRequest, PathRule } from '../../../src/x509/path.ts';
import { keyIdentifierSha1 } from '../../../src/crypto/spki.ts';
import { fromNow, makeCa, makeLeaf, nameOf, newKey, NOW, PRIVATE_EXTENSION } from './test-authority.ts';
import type { Holder } from './test-authority.ts';
import { processorTime } from '../../crypto/asn1/processor-time.ts';

type Chain = Partial<PathRequest> & { readonly leaf: Certificate };

interface LimboCase {
  readonly id: string;
  /** The rules of all reasons, or none for a valid path. */
  readonly broken?: readonly PathRule[];
  readonly build: () => Promise<Chain>;
}

function chain(root: Holder, leaf: Holder, ...intermediates: readonly Holder[]): Chain {
  return {
    leaf: leaf.certificate,
    anchors: [root.certificate],
    intermediates: intermediates.map(({ certificate }) => certificate),
  };
}

const POLICY_CONSTRAINTS = { oid: OID.policyConstraints, value: Buffer.from('3003800103', 'hex') };
const NAME_CONSTRAINTS = Buffer.from('300fa00d300b82096578616d706c652e63', 'hex');

function critical(extension: Extension): Extension {
  return { ...extension, critical: true };
}

/** root -> CA -> leaf with changes on the CA. */
async function withCa(traits: Parameters<typeof makeCa>[1]): Promise<Chain> {
  const root = await makeCa();
  const ca = await makeCa(root, traits);
  return chain(root, await makeLeaf(ca), ca);
}

async function withRoot(traits: Parameters<typeof makeCa>[1]): Promise<Chain> {
  const root = await makeCa(undefined, traits);
  return chain(root, await makeLeaf(root));
}

async function withLeaf(traits: Parameters<typeof makeLeaf>[1]): Promise<Chain> {
  const root = await makeCa();
  return chain(root, await makeLeaf(root, traits));
}

/** root -> CAs with these path lengths -> leaf. */
async function withPathLengths(...lengths: readonly (number | undefined)[]): Promise<Chain> {
  const root = await makeCa();
  const authorities: Holder[] = [];
  for (const pathLength of lengths) {
    authorities.push(await makeCa(authorities.at(-1) ?? root, pathLength === undefined ? {} : { pathLength }));
  }
  return chain(root, await makeLeaf(authorities.at(-1) ?? root), ...authorities);
}

/** root -> CA -> leaf, all with this period, validated at `at`. */
async function withPeriod(notBefore: Date, notAfter: Date): Promise<Chain> {
  const root = await makeCa(undefined, { notBefore, notAfter });
  const ca = await makeCa(root, { notBefore, notAfter });
  return chain(root, await makeLeaf(ca, { notBefore, notAfter }), ca);
}

const YEAR = 31_536_000_000;
const THREE = <T>(value: T): readonly T[] => [value, value, value];
const akiOf = (holder: Holder): Extension =>
  extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: keyIdentifierSha1(holder.key.spki) });

/** Two CAs that certify each other and nothing above them. */
async function cycle(sameName: boolean): Promise<Chain> {
  const root = await makeCa();
  const [one, other] = [await newKey(), await newKey()];
  const [oneName, otherName] = ['Circle 1', sameName ? 'Circle 1' : 'Circle 2'];
  const oneSelf = await makeCa(undefined, { key: one, name: oneName });
  const otherSelf = await makeCa(undefined, { key: other, name: otherName });
  const oneByOther = await makeCa(otherSelf, { key: one, name: oneName });
  const otherByOne = await makeCa(oneSelf, { key: other, name: otherName });
  return chain(root, await makeLeaf(oneSelf), oneByOther, otherByOne);
}

const CASES: readonly LimboCase[] = [
  {
    id: 'rfc5280::unknown-critical-extension-ee',
    broken: ['unknown-critical'],
    build: () => withLeaf({ extensions: [PRIVATE_EXTENSION] }),
  },
  {
    id: 'rfc5280::unknown-critical-extension-root',
    broken: ['unknown-critical'],
    build: () => withRoot({ extensions: [PRIVATE_EXTENSION] }),
  },
  {
    id: 'rfc5280::unknown-critical-extension-intermediate',
    broken: ['unknown-critical'],
    build: () => withCa({ extensions: [PRIVATE_EXTENSION] }),
  },
  {
    id: 'an unknown extension that is not critical',
    build: () => withCa({ extensions: [{ ...PRIVATE_EXTENSION, critical: false }] }),
  },
  {
    id: 'rfc5280::chain-untrusted-root',
    broken: ['no-path'],
    async build() {
      const root = await makeCa();
      const ca = await makeCa(root);
      return chain(await makeCa(), await makeLeaf(ca), root, ca);
    },
  },
  {
    id: 'rfc5280::intermediate-ca-without-ca-bit',
    broken: ['not-a-ca', 'ca-inconsistent'],
    build: () => withCa({ extensions: [extensionOf(EXTENSIONS.basicConstraints, { ca: false })] }),
  },
  {
    id: 'rfc5280::intermediate-ca-missing-basic-constraints',
    broken: ['not-a-ca', 'ca-inconsistent'],
    build: () => withCa({ without: [OID.basicConstraints] }),
  },
  {
    id: 'rfc5280::root-missing-basic-constraints',
    broken: ['not-a-ca', 'ca-inconsistent'],
    build: () => withRoot({ without: [OID.basicConstraints] }),
  },
  {
    id: 'rfc5280::root-non-critical-basic-constraints',
    broken: ['wrong-criticality'],
    build: () => withRoot({ extensions: [extensionOf(EXTENSIONS.basicConstraints, { ca: true }, false)] }),
  },
  {
    id: 'rfc5280::root-inconsistent-ca-extensions',
    broken: ['key-cert-sign'],
    build: () => withRoot({ keyUsage: ['cRLSign'] }),
  },
  {
    id: 'rfc5280::ica-ku-keycertsign',
    broken: ['key-cert-sign'],
    build: () => withCa({ pathLength: 0, keyUsage: ['digitalSignature'] }),
  },
  {
    id: 'rfc5280::leaf-ku-keycertsign',
    broken: ['ca-inconsistent'],
    build: () => withLeaf({ keyUsage: ['digitalSignature', 'keyCertSign'] }),
  },
  { id: 'a CA without keyUsage', build: () => withCa({ without: [OID.keyUsage] }) },
  { id: 'rfc5280::no-keyusage', build: () => withLeaf({ without: [OID.keyUsage] }) },
  { id: 'rfc5280::no-basicconstraints', build: () => withLeaf({}) },
  {
    id: 'rfc5280::ee-critical-aia-invalid',
    broken: ['wrong-criticality'],
    build: () =>
      withLeaf({
        extensions: [
          extensionOf(EXTENSIONS.authorityInfoAccess, [accessByUri(OID.caIssuers, 'http://a.test/ca.cer')], true),
        ],
      }),
  },
  {
    id: 'rfc5280::pc::ica-noncritical-pc',
    broken: ['wrong-criticality'],
    build: () => withCa({ extensions: [{ ...POLICY_CONSTRAINTS, critical: false }] }),
  },
  {
    id: 'critical policyConstraints, which are not processed',
    broken: ['unknown-critical'],
    build: () => withCa({ extensions: [{ ...POLICY_CONSTRAINTS, critical: true }] }),
  },
  {
    id: 'rfc5280::aki::critical-aki',
    broken: ['wrong-criticality'],
    async build() {
      const root = await makeCa();
      return chain(root, await makeLeaf(root, { extensions: [critical(akiOf(root))] }));
    },
  },
  {
    id: 'rfc5280::aki::leaf-missing-aki',
    broken: ['authority-key-identifier'],
    build: () => withLeaf({ without: [OID.authorityKeyIdentifier] }),
  },
  {
    id: 'rfc5280::aki::intermediate-missing-aki',
    broken: ['authority-key-identifier'],
    build: () => withCa({ without: [OID.authorityKeyIdentifier] }),
  },
  {
    id: 'rfc5280::aki::self-signed-root-missing-aki',
    build: () => withRoot({ without: [OID.authorityKeyIdentifier] }),
  },
  {
    id: 'rfc5280::aki::cross-signed-root-missing-aki',
    broken: ['authority-key-identifier'],
    async build() {
      const cross = await makeCa(await makeCa(), { without: [OID.authorityKeyIdentifier] });
      return chain(cross, await makeLeaf(cross));
    },
  },
  {
    id: 'an authorityKeyIdentifier that fits no issuer is only a hint',
    async build() {
      const root = await makeCa();
      return chain(root, await makeLeaf(root, { extensions: [akiOf(await makeCa())] }));
    },
  },
  {
    id: 'rfc5280::ski::root-missing-ski',
    broken: ['subject-key-identifier'],
    build: () => withRoot({ without: [OID.subjectKeyIdentifier] }),
  },
  {
    id: 'rfc5280::ski::intermediate-missing-ski',
    broken: ['subject-key-identifier'],
    build: () => withCa({ without: [OID.subjectKeyIdentifier] }),
  },
  {
    id: 'rfc5280::ski::critical-ski',
    broken: ['wrong-criticality'],
    build: () =>
      withRoot({
        extensions: [{ oid: OID.subjectKeyIdentifier, critical: true, value: octetString(Buffer.alloc(20)) }],
      }),
  },
  { id: 'rfc5280::serial::zero', broken: ['serial-number'], build: () => withLeaf({ serialNumber: integer(0) }) },
  { id: 'a negative serial', broken: ['serial-number'], build: () => withLeaf({ serialNumber: integer(-5) }) },
  {
    id: 'rfc5280::serial::too-long',
    broken: ['serial-number'],
    build: () => withCa({ serialNumber: integer(1n << 160n) }),
  },
  { id: 'a serial of 20 octets', build: () => withLeaf({ serialNumber: integer((1n << 159n) - 1n) }) },
  { id: "an anchor's own serial is not checked", build: () => withRoot({ serialNumber: integer(0) }) },
  {
    id: 'rfc5280::validity::expired-root',
    broken: ['expired'],
    build: () => withRoot({ notBefore: fromNow(-2 * YEAR), notAfter: fromNow(-1000) }),
  },
  {
    id: 'rfc5280::validity::expired-intermediate',
    broken: ['expired'],
    build: () => withCa({ notBefore: fromNow(-2 * YEAR), notAfter: fromNow(-1000) }),
  },
  { id: 'rfc5280::validity::expired-leaf', broken: ['expired'], build: () => withLeaf({ notAfter: fromNow(-1000) }) },
  {
    id: 'a leaf that begins in one second',
    broken: ['not-yet-valid'],
    build: () => withLeaf({ notBefore: fromNow(1000) }),
  },
  {
    id: 'a leaf that begins in five seconds',
    broken: ['not-yet-valid'],
    build: () => withLeaf({ notBefore: fromNow(5000) }),
  },
  {
    id: 'a leaf that ended five seconds ago',
    broken: ['expired'],
    build: () => withLeaf({ notAfter: fromNow(-5000) }),
  },
  { id: 'rfc5280::validity::notbefore-exact', build: () => withPeriod(NOW, fromNow(YEAR)) },
  {
    id: 'rfc5280::validity::notbefore-fractional',
    broken: THREE('not-yet-valid'),
    build: async () => ({ ...(await withPeriod(NOW, fromNow(YEAR))), at: fromNow(-1) }),
  },
  { id: 'rfc5280::validity::notafter-exact', build: () => withPeriod(fromNow(-YEAR), NOW) },
  {
    id: 'rfc5280::validity::notafter-fractional',
    build: async () => ({ ...(await withPeriod(fromNow(-YEAR), NOW)), at: fromNow(5) }),
  },
  {
    id: 'one second after the end',
    broken: THREE('expired'),
    build: async () => ({ ...(await withPeriod(fromNow(-YEAR), NOW)), at: fromNow(1000) }),
  },
  {
    id: 'rfc5280::nc::not-allowed-in-ee-critical',
    broken: ['name-constraints-place'],
    build: () => withLeaf({ extensions: [{ oid: OID.nameConstraints, critical: true, value: NAME_CONSTRAINTS }] }),
  },
  {
    id: 'rfc5280::nc::not-allowed-in-ee-noncritical',
    broken: ['wrong-criticality', 'name-constraints-place'],
    build: () => withLeaf({ extensions: [{ oid: OID.nameConstraints, critical: false, value: NAME_CONSTRAINTS }] }),
  },
  { id: 'pathlen::ee-with-intermediate-pathlen-0', build: () => withPathLengths(0) },
  { id: 'pathlen::ee-with-intermediate-pathlen-1', build: () => withPathLengths(1) },
  { id: 'pathlen::ee-with-intermediate-pathlen-2', build: () => withPathLengths(2) },
  { id: 'pathlen::intermediate-violates-pathlen-0', broken: ['path-length'], build: () => withPathLengths(0, 0) },
  { id: 'pathlen::intermediate-pathlen-may-increase', build: () => withPathLengths(1, 2) },
  { id: 'pathlen::intermediate-pathlen-too-long', broken: ['path-length'], build: () => withPathLengths(1, 0, 0) },
  {
    id: 'pathlen: an unlimited CA above does not lift a limit',
    broken: ['path-length'],
    build: () => withPathLengths(1, undefined, undefined),
  },
  { id: 'pathlen: unlimited', build: () => withPathLengths(undefined, undefined, undefined) },
  {
    id: 'pathlen: of the root',
    broken: ['path-length'],
    async build() {
      const root = await makeCa(undefined, { pathLength: 0 });
      const ca = await makeCa(root);
      return chain(root, await makeLeaf(ca), ca);
    },
  },
  {
    id: 'pathlen: of the root, held',
    async build() {
      const root = await makeCa(undefined, { pathLength: 1 });
      const ca = await makeCa(root, { pathLength: 0 });
      return chain(root, await makeLeaf(ca), ca);
    },
  },
  {
    id: 'pathlen::validation-ignores-pathlen-in-leaf',
    async build() {
      const root = await makeCa();
      const ca = await makeCa(root, { pathLength: 0 });
      return chain(root, await makeCa(ca, { pathLength: 0 }), ca);
    },
  },
  {
    id: 'pathlen::self-issued-certs-pathlen',
    async build() {
      const root = await makeCa();
      const first = await makeCa(root, { name: 'Self-issued', pathLength: 1 });
      const second = await makeCa(first, { name: 'Self-issued', pathLength: 1 });
      const third = await makeCa(second, { pathLength: 0 });
      return chain(root, await makeLeaf(third), first, second, third);
    },
  },
  {
    id: 'pathlen: a self-issued leaf after pathlen 0',
    async build() {
      const root = await makeCa();
      const ca = await makeCa(root, { pathLength: 0, name: 'Same' });
      return chain(root, await makeLeaf(ca, { name: 'Same' }), ca);
    },
  },
  { id: 'pathological::intermediate-cycle-distinct-cas', broken: ['no-path'], build: () => cycle(false) },
  { id: 'pathological::intermediate-cycle-same-logical-ca', broken: ['no-path'], build: () => cycle(true) },
  {
    id: 'pathological::multiple-chains-expired-intermediate',
    async build() {
      const root = await makeCa(undefined, { name: 'Root 1' });
      const second = await makeCa();
      const expiredCross = await makeCa(second, {
        key: root.key,
        name: 'Root 1',
        notBefore: fromNow(-2 * YEAR),
        notAfter: fromNow(-YEAR),
      });
      const { leaf, intermediates = [] } = chain(root, await makeLeaf(root), expiredCross);
      return { leaf, intermediates, anchors: [second.certificate, root.certificate] };
    },
  },
  {
    id: 'cve::cve-2024-0567: a cycle of cross certificates with a root in it',
    async build() {
      const keys = [await newKey(), await newKey(), await newKey()];
      const roots: Holder[] = [];
      for (const [index, key] of keys.entries())
        roots.push(await makeCa(undefined, { key, name: `Cross Root ${index}` }));
      const crossed: Holder[] = [];
      for (const [index, key] of keys.entries()) {
        for (const issuer of roots.filter((root) => root.key !== key)) {
          crossed.push(await makeCa(issuer, { key, name: `Cross Root ${index}` }));
        }
      }
      const [anchor = await makeCa()] = roots;
      const ca = await makeCa(anchor);
      return chain(anchor, await makeLeaf(ca), ...crossed, ca);
    },
  },
  {
    id: 'cve-2024-0567 without the root: the cycle ends',
    broken: ['no-path'],
    async build() {
      const [one, other] = [await makeCa(), await makeCa()];
      const oneByOther = await makeCa(other, { key: one.key, subject: one.certificate.subject.der });
      const otherByOne = await makeCa(one, { key: other.key, subject: other.certificate.subject.der });
      return chain(await makeCa(), await makeLeaf(one), one, other, oneByOther, otherByOne);
    },
  },
  {
    id: 'an issuer of the right name and another key',
    broken: ['signature'],
    async build() {
      const root = await makeCa(undefined, { name: 'Twin' });
      const twin = await makeCa(undefined, { name: 'Twin' });
      return chain(root, await makeLeaf(twin));
    },
  },
  {
    id: 'an issuer of the right key and another name',
    broken: ['no-path'],
    async build() {
      const root = await makeCa();
      return chain(root, await makeLeaf(root, { issuer: nameOf('Another') }));
    },
  },
];

describe('path validation gives the verdicts of x509-limbo', () => {
  for (const { id, broken = [], build } of CASES) {
    it(`${id}: ${broken.length === 0 ? 'valid' : broken.join(', ')}`, async () => {
      const request = { intermediates: [], anchors: [], at: NOW, purpose: 'any' as const, ...(await build()) };
      const started = processorTime();
      const verdict = validatePath(request);
      expect(started()).to.be.below(200);
      expect(verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule)).to.have.members([...broken]);
      expect(verdict.valid).to.equal(broken.length === 0);
    });
  }

  it('says what each broken rule is about', async () => {
    const request = {
      intermediates: [],
      anchors: [],
      at: NOW,
      purpose: 'any' as const,
      ...(await withLeaf({ extensions: [PRIVATE_EXTENSION] })),
    };
    const verdict = validatePath(request);
    expect(verdict.valid ? [] : verdict.reasons).to.deep.equal([
      {
        rule: 'unknown-critical',
        cites: 'RFC 5280 6.1.4 (o)',
        subject: request.leaf.subject.text,
        serialNumber: request.leaf.serialNumber,
        detail: `has the critical extension ${PRIVATE_EXTENSION.oid}, not processed here`,
      },
    ]);
  });

  it('ends within 200 ms when many CAs of one name certify each other', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => newKey()));
    const selves: Holder[] = [];
    for (const key of keys) selves.push(await makeCa(undefined, { key, name: 'Hydra' }));
    const crossed: Holder[] = [];
    for (const key of keys) {
      for (const self of selves.filter((other) => other.key !== key))
        crossed.push(await makeCa(self, { key, name: 'Hydra' }));
    }
    const [first = await makeCa()] = selves;
    const request = {
      at: NOW,
      purpose: 'any' as const,
      intermediates: [],
      anchors: [],
      ...chain(await makeCa(), await makeLeaf(first), ...crossed),
    };
    const started = processorTime();
    const verdict = validatePath(request);
    expect(started()).to.be.below(200);
    expect(verdict.valid).to.equal(false);
  });

  it('refuses a sequence of more than nine certificates', async () => {
    const { leaf, anchors, intermediates } = await withPathLengths(...Array.from({ length: 8 }, () => undefined));
    const verdict = validatePath({
      leaf,
      anchors: anchors ?? [],
      intermediates: intermediates ?? [],
      at: NOW,
      purpose: 'any',
    });
    expect(verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule)).to.include('search-limit');
  });
});
