import { expect } from 'chai';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import type { KeyAlgorithmName } from '../../src/crypto/algorithms.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import type { PrivateKey } from '../../src/crypto/private-key.ts';
import { KmcError } from '../../src/errors.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { extensionOf, EXTENSIONS } from '../../src/x509/extensions.ts';
import type { KeyUsageName } from '../../src/x509/extensions/key-usage.ts';
import { requireValidPath, validatePath } from '../../src/x509/path.ts';
import type { PathPurpose, PathRequest, PathRule } from '../../src/x509/path.ts';
import { refusalCode } from '../crypto/asn1/refusal-code.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { fromNow, makeCa, makeLeaf, newKey, NOW } from './path/test-authority.ts';
import type { CertificateTraits, Holder } from './path/test-authority.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
  readonly certificates: readonly { readonly name: string; readonly b64: string }[];
};

function vector(name: string): Certificate {
  const found = vectors.certificates.find((item) => item.name === name);
  return parseCertificate(Buffer.from(found?.b64 ?? '', 'base64'));
}

function rules(request: Partial<PathRequest> & { readonly leaf: Certificate }): PathRule[] {
  const verdict = validatePath({ intermediates: [], anchors: [], at: NOW, purpose: 'any', ...request });
  return verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule);
}

describe('path validation', () => {
  describe('of published certificates', () => {
    const at = new Date(vector('gmssl-sign.pem').notBefore.getTime() + 86_400_000);

    it('accepts the TLCP pair of GmSSL for its purposes and not the other way round', () => {
      const chain = {
        at,
        anchors: [vector('gmssl-root.pem')],
        intermediates: [vector('gmssl-ca.pem')],
      };
      const [sign, enc] = [vector('gmssl-sign.pem'), vector('gmssl-enc.pem')];
      expect(rules({ ...chain, leaf: sign, purpose: 'tlcp-sign' })).to.deep.equal([]);
      expect(rules({ ...chain, leaf: enc, purpose: 'tlcp-enc' })).to.deep.equal([]);
      expect(rules({ ...chain, leaf: sign, purpose: 'tlcp-enc' })).to.deep.equal(['purpose-key-usage']);
      expect(rules({ ...chain, leaf: enc, purpose: 'tlcp-sign' })).to.deep.equal(['purpose-key-usage']);
      expect(rules({ ...chain, leaf: vector('gmssl-ca.pem'), intermediates: [], purpose: 'issuing-ca' })).to.deep.equal(
        [],
      );
    });

    it('refuses a signature made without Z or with an empty ID', () => {
      const root = vector('sm2-noza-root-cert.pem');
      const leaf = vector('sm2-noza-cert.pem');
      const request = { leaf, anchors: [root], at: new Date(leaf.notBefore.getTime() + 1000) };
      expect(rules({ ...request, profile: 'legacy' })).to.include('signature');
      const genuine = vector('sm2-cert.pem');
      expect(
        rules({
          leaf: genuine,
          anchors: [vector('sm2-root-cert.pem')],
          at: new Date(genuine.notBefore.getTime() + 1000),
          profile: 'legacy',
        }),
      ).to.not.include('signature');
    });
  });

  describe('of mixed chains', () => {
    const keys = new Map<KeyAlgorithmName, PrivateKey>();
    const algorithms: readonly KeyAlgorithmName[] = ['SM2', 'EC-P256', 'RSA'];

    before(async () => {
      for (const algorithm of algorithms) keys.set(algorithm, await newKey(algorithm));
    });

    const withKey = (algorithm: KeyAlgorithmName): CertificateTraits => {
      const key = keys.get(algorithm);
      return key === undefined ? {} : { key };
    };

    for (const upper of algorithms) {
      for (const lower of algorithms) {
        it(`${upper} root, ${lower} CA`, async () => {
          const root = await makeCa(undefined, withKey(upper));
          const ca = await makeCa(root, withKey(lower));
          const leaf = await makeLeaf(ca);
          const request = { leaf: leaf.certificate, anchors: [root.certificate], intermediates: [ca.certificate] };
          expect(rules({ ...request, purpose: 'signature' })).to.deep.equal([]);
          const allSm2 = upper === 'SM2' && lower === 'SM2';
          expect(rules({ ...request, purpose: 'tlcp-sign' }).includes('chain-algorithm')).to.equal(!allSm2);
        });
      }
    }

    it('a new SM2 root is reached from the old RSA root and the reverse, and the shorter way is found without them', async () => {
      const oldRoot = await makeCa(undefined, { ...withKey('RSA'), name: 'Old root' });
      const newRoot = await makeCa(undefined, { ...withKey('SM2'), name: 'New root' });
      const newWithOld = await makeCa(oldRoot, { key: newRoot.key, name: 'New root', pathLength: 1 });
      const oldWithNew = await makeCa(newRoot, { key: oldRoot.key, name: 'Old root', pathLength: 1 });
      const ca = await makeCa(newRoot, { pathLength: 0 });
      const leaf = (await makeLeaf(ca)).certificate;
      const legacyLeaf = (await makeLeaf(oldRoot, withKey('RSA'))).certificate;
      const intermediates = [newWithOld, oldWithNew, ca, newRoot].map(({ certificate }) => certificate);
      const pathOf = (subject: Certificate, anchor: Holder): readonly Certificate[] =>
        requireValidPath({
          leaf: subject,
          intermediates,
          anchors: [anchor.certificate],
          at: NOW,
          purpose: 'signature',
        });
      expect(pathOf(leaf, oldRoot)).to.deep.equal([leaf, ca.certificate, newWithOld.certificate, oldRoot.certificate]);
      expect(pathOf(leaf, newRoot)).to.deep.equal([leaf, ca.certificate, newRoot.certificate]);
      expect(pathOf(legacyLeaf, newRoot)).to.deep.equal([legacyLeaf, oldWithNew.certificate, newRoot.certificate]);
    });
  });

  describe('for a purpose', () => {
    let root: Holder;
    before(async () => {
      root = await makeCa();
    });

    async function leafRules(
      purpose: PathPurpose,
      keyUsage: readonly KeyUsageName[] | undefined,
      purposes?: readonly string[],
    ): Promise<PathRule[]> {
      const leaf = await makeLeaf(root, {
        ...(keyUsage === undefined ? { without: [OID.keyUsage] } : { keyUsage }),
        extensions: purposes === undefined ? [] : [extensionOf(EXTENSIONS.extendedKeyUsage, purposes)],
      });
      return rules({ leaf: leaf.certificate, anchors: [root.certificate], purpose });
    }

    const KU: readonly PathRule[] = ['purpose-key-usage'];
    const EKU: readonly PathRule[] = ['purpose-extended-key-usage'];
    const cases: readonly [
      PathPurpose,
      readonly KeyUsageName[] | undefined,
      readonly string[] | undefined,
      readonly PathRule[],
    ][] = [
      ['any', ['keyAgreement'], [OID.codeSigning], []],
      ['tlcp-sign', ['digitalSignature', 'nonRepudiation'], [OID.serverAuth, OID.clientAuth], []],
      ['tlcp-sign', ['digitalSignature'], undefined, []],
      ['tlcp-sign', undefined, undefined, KU],
      ['tlcp-sign', ['digitalSignature'], [OID.codeSigning], EKU],
      ['tlcp-sign', ['digitalSignature'], [OID.anyExtendedKeyUsage], []],
      ['tlcp-enc', ['keyEncipherment', 'dataEncipherment', 'keyAgreement'], undefined, []],
      ['tlcp-enc', ['dataEncipherment'], undefined, KU],
      ['tls-server', ['digitalSignature'], [OID.clientAuth], EKU],
      ['tls-server', undefined, undefined, []],
      ['tls-client', ['digitalSignature'], [OID.clientAuth], []],
      ['ocsp-signing', ['digitalSignature'], [OID.ocspSigning], []],
      ['ocsp-signing', ['digitalSignature'], undefined, EKU],
      ['ocsp-signing', ['digitalSignature'], [OID.anyExtendedKeyUsage], EKU],
      ['signature', ['nonRepudiation'], undefined, []],
      ['signature', ['keyEncipherment'], undefined, KU],
      ['key-encipherment', ['keyAgreement'], undefined, []],
      ['key-encipherment', ['digitalSignature'], undefined, KU],
      ['issuing-ca', ['digitalSignature'], undefined, ['purpose-ca', 'purpose-key-usage']],
    ];
    for (const [purpose, keyUsage, purposes, broken] of cases) {
      const text = `${keyUsage?.join('+') ?? 'no keyUsage'}, ${purposes?.join('+') ?? 'no extendedKeyUsage'}`;
      it(`${purpose} with ${text}: ${broken.join(', ') || 'valid'}`, async () => {
        expect(await leafRules(purpose, keyUsage, purposes)).to.deep.equal([...broken]);
      });
    }

    it('tells CA and end entity apart', async () => {
      const ca = (await makeCa(root)).certificate;
      const crlOnly = (await makeCa(root, { keyUsage: ['cRLSign'] })).certificate;
      const anchors = [root.certificate];
      expect(rules({ leaf: ca, anchors, purpose: 'issuing-ca' })).to.deep.equal([]);
      expect(rules({ leaf: crlOnly, anchors, purpose: 'crl-signing' })).to.deep.equal([]);
      expect(rules({ leaf: crlOnly, anchors, purpose: 'issuing-ca' })).to.deep.equal(['purpose-key-usage']);
      expect(rules({ leaf: ca, anchors, purpose: 'signature' })).to.deep.equal(['purpose-ca', 'purpose-key-usage']);
    });

    it('holds a CA to its extendedKeyUsage', async () => {
      const ca = await makeCa(root, { extensions: [extensionOf(EXTENSIONS.extendedKeyUsage, [OID.clientAuth])] });
      const leaf = (await makeLeaf(ca)).certificate;
      const request = { leaf, anchors: [root.certificate], intermediates: [ca.certificate] };
      expect(rules({ ...request, purpose: 'tls-server' })).to.deep.equal(['purpose-extended-key-usage']);
      expect(rules({ ...request, purpose: 'tls-client' })).to.deep.equal([]);
    });

    it('accepts an anchor as the leaf when it fits', () => {
      const request = { leaf: root.certificate, anchors: [root.certificate] };
      expect(rules({ ...request, purpose: 'issuing-ca' })).to.deep.equal([]);
      expect(rules({ ...request, purpose: 'tlcp-sign' })).to.include('purpose-ca');
    });
  });

  it('names every reason, not only the first', async () => {
    const root = await makeCa(undefined, { notAfter: fromNow(-1000) });
    const ca = await makeCa(root, { without: [OID.subjectKeyIdentifier] });
    const leaf = await makeLeaf(ca, { notBefore: fromNow(1000), keyUsage: ['keyAgreement'] });
    const request = {
      leaf: leaf.certificate,
      anchors: [root.certificate],
      intermediates: [ca.certificate],
      at: NOW,
      crls: [],
    };
    expect(rules({ ...request, purpose: 'signature' })).to.have.members([
      'expired',
      'subject-key-identifier',
      'not-yet-valid',
      'purpose-key-usage',
      'crl-missing',
      'crl-missing',
    ]);
    expect(() => requireValidPath({ ...request, purpose: 'signature' }))
      .to.throw(KmcError, /is valid only from .*lacks|has none of keyUsage/)
      .with.property('code', 'E_CERT');
  });

  it('judges the certificates it has when the chain ends early', async () => {
    const leaf = await makeLeaf(await makeCa(), { notAfter: fromNow(-1000) });
    expect(rules({ leaf: leaf.certificate, anchors: [(await makeCa()).certificate] })).to.have.members([
      'no-path',
      'expired',
    ]);
  });

  it('refuses more than 128 intermediates with E_SIZE', async () => {
    const leaf = (await makeLeaf(await makeCa())).certificate;
    const intermediates = Array.from({ length: 129 }, () => leaf);
    expect(refusalCode(() => rules({ leaf, intermediates }))).to.equal('E_SIZE');
  });

  it('never accepts a certificate in which a bit was turned', async () => {
    const root = await makeCa();
    const { der } = (await makeLeaf(root)).certificate;
    fc.assert(
      fc.property(fc.nat(der.length * 8 - 1), (bit) => {
        const mutated = Buffer.from(der);
        mutated[bit >> 3] = (mutated[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const verdict = { valid: false };
        const refusal = refusalCode(() => {
          const leaf = parseCertificate(mutated);
          verdict.valid = validatePath({
            leaf,
            anchors: [root.certificate],
            intermediates: [],
            at: NOW,
            purpose: 'any',
          }).valid;
        });
        expect(verdict.valid, refusal).to.equal(false);
      }),
      { numRuns: 500 },
    );
  });

  describe('of chains made by the openssl program', () => {
    const extensions = [
      '[ca]',
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,cRLSign',
      'subjectKeyIdentifier=hash',
      'authorityKeyIdentifier=keyid',
      '[leaf]',
      'keyUsage=critical,digitalSignature',
      'subjectKeyIdentifier=hash',
      'authorityKeyIdentifier=keyid',
      '[bare]',
      'basicConstraints=CA:FALSE',
    ].join('\n');
    const SM2_ID = ['-sigopt', 'distid:1234567812345678'];

    /** DER of an RSA root, an SM2 root, cross certificates both ways, and a leaf of each root. */
    function made(): ReadonlyMap<string, Certificate> {
      return withOpenssl((folder) => {
        const run = (...args: string[]): Buffer => folder.run(...args);
        const path = (name: string): string => folder.path(name);
        folder.write('x.cnf', Buffer.from(`${extensions}\n[req]\ndistinguished_name=dn\n[dn]\n`));
        run('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', path('rsa.key'));
        run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:SM2', '-out', path('sm2.key'));
        const root = (name: string, hash: string, options: readonly string[]): void => {
          const subject = [
            '-subj',
            `/C=CN/CN=${name} root`,
            '-days',
            '30',
            '-config',
            path('x.cnf'),
            '-extensions',
            'ca',
          ];
          run(
            'req',
            '-x509',
            '-new',
            '-key',
            path(`${name}.key`),
            hash,
            ...options,
            ...subject,
            '-out',
            path(`${name}.pem`),
          );
        };
        root('rsa', '-sha256', []);
        root('sm2', '-sm3', SM2_ID);
        const issue = (
          out: string,
          issuer: string,
          key: string,
          subject: string,
          section: string,
          options: readonly string[],
        ): void => {
          const own = key === 'sm2' ? ['-sm3', ...SM2_ID] : ['-sha256'];
          run(
            'req',
            '-new',
            '-key',
            path(`${key}.key`),
            ...own,
            '-subj',
            subject,
            '-config',
            path('x.cnf'),
            '-out',
            path(`${out}.csr`),
          );
          const unknown = key === 'sm2' ? ['-vfyopt', 'distid:1234567812345678'] : [];
          const authority = [
            '-CA',
            path(`${issuer}.pem`),
            '-CAkey',
            path(`${issuer}.key`),
            '-set_serial',
            '0x1122334455667788',
          ];
          const style = ['-extfile', path('x.cnf'), '-extensions', section, '-days', '30'];
          run(
            'x509',
            '-req',
            '-in',
            path(`${out}.csr`),
            ...unknown,
            ...authority,
            ...style,
            ...options,
            '-out',
            path(`${out}.pem`),
          );
        };
        issue('sm2-by-rsa', 'rsa', 'sm2', '/C=CN/CN=sm2 root', 'ca', ['-sha256']);
        issue('rsa-by-sm2', 'sm2', 'rsa', '/C=CN/CN=rsa root', 'ca', ['-sm3', ...SM2_ID]);
        issue('sm2-leaf', 'sm2', 'sm2', '/C=CN/CN=sm2 leaf', 'leaf', ['-sm3', ...SM2_ID]);
        issue('rsa-leaf', 'rsa', 'rsa', '/C=CN/CN=rsa leaf', 'leaf', ['-sha256']);
        issue('rsa-sha1-leaf', 'rsa', 'rsa', '/C=CN/CN=old leaf', 'bare', ['-sha1']);
        const names = ['rsa', 'sm2', 'sm2-by-rsa', 'rsa-by-sm2', 'sm2-leaf', 'rsa-leaf', 'rsa-sha1-leaf'];
        return new Map(
          names.map((name) => {
            run('x509', '-in', path(`${name}.pem`), '-outform', 'DER', '-out', path(`${name}.der`));
            return [name, parseCertificate(folder.read(`${name}.der`))];
          }),
        );
      });
    }

    it('accepts every way from a leaf to a root, and SHA-1 without key identifiers only as legacy', () => {
      const certificates = made();
      const named = (name: string): Certificate => certificates.get(name) ?? vector('gmssl-root.pem');
      const at = new Date();
      const pathRules = (
        leaf: string,
        anchor: string,
        intermediates: readonly string[],
        profile: 'rfc5280' | 'legacy',
      ): PathRule[] =>
        rules({
          leaf: named(leaf),
          anchors: [named(anchor)],
          intermediates: intermediates.map(named),
          at,
          purpose: 'signature',
          profile,
        });
      const crossed = ['sm2-by-rsa', 'rsa-by-sm2'];
      expect(pathRules('sm2-leaf', 'sm2', [], 'rfc5280')).to.deep.equal([]);
      expect(pathRules('sm2-leaf', 'rsa', crossed, 'rfc5280')).to.deep.equal([]);
      expect(pathRules('rsa-leaf', 'rsa', [], 'rfc5280')).to.deep.equal([]);
      expect(pathRules('rsa-leaf', 'sm2', crossed, 'rfc5280')).to.deep.equal([]);
      expect(pathRules('rsa-leaf', 'sm2', [], 'rfc5280')).to.deep.equal(['no-path']);
      expect(pathRules('rsa-sha1-leaf', 'rsa', [], 'rfc5280')).to.have.members([
        'weak-signature',
        'authority-key-identifier',
      ]);
      expect(pathRules('rsa-sha1-leaf', 'rsa', [], 'legacy')).to.deep.equal([]);
    }).timeout(20_000);
  });
});
