import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { derOf, GM_CERTIFICATES, GM_CRLS } from '../x509/gm-certificates.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

/** When the samples are valid. */
const AT = '2026-12-01T00:00:00Z';

function sample(name: string): Buffer {
  const found = GM_CERTIFICATES.find((certificate) => certificate.name === name);
  if (found === undefined) throw new Error(`there is no sample ${name}`);
  return derOf(found);
}

describe('kmc cert', () => {
  const files = new ScratchFiles();
  let root: string;
  let chain: string;
  let leaf: string;
  before(() => {
    root = files.pem('root.pem', sample('gmssl-root.pem'));
    chain = files.pem('ca.pem', sample('gmssl-ca.pem'));
    leaf = files.pem('sign.pem', sample('gmssl-sign.pem'));
  });
  after(() => files.remove());

  it('shows every certificate of a PEM file, and one in DER', async () => {
    const both = files.pem('both.pem', sample('gmssl-sign.pem'), sample('gmssl-ca.pem'));
    const shown = await runKmc(['cert', 'show', both, '--json']);
    expect(shown.code).to.equal(0);
    expect(shown.json()['certificates']).to.have.length(2);
    const der = files.write('root.cer', sample('gmssl-root.pem'));
    expect((await runKmc(['cert', 'show', der])).out).to.contain('SM2-SM3');
  });

  it('verifies a GmSSL path', async () => {
    const verify = ['cert', 'verify', leaf, '--anchor', root, '--chain', chain];
    const verdict = await runKmc([...verify, '--at', AT, '--json']);
    expect(verdict.json(), verdict.out).to.include({ valid: true });
    expect(verdict.code).to.equal(0);
    expect(verdict.json()['path']).to.have.length(3);
  });

  it('ends with exit code 4 and the reasons when the path is not valid', async () => {
    const before = await runKmc([
      'cert',
      'verify',
      leaf,
      '--anchor',
      root,
      '--chain',
      chain,
      '--at',
      '1999-01-01T00:00:00Z',
      '--json',
    ]);
    expect(before.code).to.equal(4);
    expect(before.json()).to.include({ valid: false });
    expect(before.json()['reasons']).to.not.deep.equal([]);
    const missing = await runKmc(['cert', 'verify', leaf, '--anchor', root]);
    expect(missing.code).to.equal(4);
    expect(missing.out).to.contain('not valid');
  });

  it('ends with exit code 4 when the certificate was altered, and when a CRL of the issuer is missing', async () => {
    const altered = sample('gmssl-sign.pem');
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    const verify = (file: string, ...more: string[]) =>
      runKmc(['cert', 'verify', file, '--anchor', root, '--chain', chain, '--at', AT, ...more]);
    expect((await verify(files.pem('altered.pem', altered))).code).to.equal(4);
    const [other] = GM_CRLS;
    if (other === undefined) throw new Error('there is no sample CRL');
    const crl = files.write('other.crl.pem', encodePem('X509 CRL', derOf(other)));
    const missing = await verify(leaf, '--crl', crl);
    expect(missing.code).to.equal(4);
    expect(missing.out).to.contain('crl-missing').and.to.contain('give the CRL of its issuer with another --crl');
  });

  it('lints by kind: exit code 4 names rule and clause', async () => {
    const lint = await runKmc(['cert', 'lint', leaf, '--kind', 'gateway-sign', '--issuer', chain, '--json']);
    const { ok, findings } = lint.json();
    expect(lint.code).to.equal(4);
    expect(ok).to.equal(false);
    expect((findings as { id: string }[])[0]).to.include.keys('id', 'clause', 'severity', 'text', 'object');
    expect((await runKmc(['cert', 'lint', leaf, '--kind', 'gateway-sign'])).out).to.contain('CLAUSE');
  });

  it('lints certificates, requests and CRLs without being told what they are', async () => {
    const [other] = GM_CRLS;
    if (other === undefined) throw new Error('there is no sample CRL');
    const all = files.write(
      'all.pem',
      [sample('gmssl-sign.pem'), sample('gmssl-enc.pem')].map((der) => encodePem('CERTIFICATE', der)).join('') +
        encodePem('X509 CRL', derOf(other)),
    );
    const { objects } = (await runKmc(['cert', 'lint', all, '--issuer', chain, '--json'])).json();
    expect((objects as { type: string }[]).map(({ type }) => type)).to.deep.equal([
      'certificate',
      'certificate',
      'crl',
      'pair',
    ]);
    const enc = files.pem('enc.pem', sample('gmssl-enc.pem'));
    const pair = await runKmc(['cert', 'lint', leaf, '--enc', enc, '--issuer', chain, '--json']);
    expect((pair.json()['objects'] as { type: string }[]).at(-1)).to.deep.equal({ type: 'pair' });
    const cut = files.write('cut-lint.cer', sample('gmssl-sign.pem').subarray(0, 100));
    expect((await runKmc(['cert', 'lint', cut])).out).to.contain('e_certificate_form');
    const key = files.write('key.pem', encodePem('PRIVATE KEY', Buffer.from('3000', 'hex')));
    expect((await runKmc(['cert', 'lint', key])).code).to.equal(4);
  });

  it('refuses what is no certificate with exit code 4, and a file that is not there with 5', async () => {
    const cut = files.write('cut.cer', sample('gmssl-sign.pem').subarray(0, 100));
    const empty = files.write('empty.pem', '');
    const text = files.write('text.pem', 'no certificate here\n');
    expect((await runKmc(['cert', 'show', cut])).code).to.equal(4);
    for (const file of [empty, text]) expect((await runKmc(['cert', 'show', file])).code).to.be.oneOf([4, 5]);
    const missing = await runKmc(['cert', 'show', files.path('missing.pem'), '--json']);
    expect(missing.code).to.equal(5);
    expect(missing.json()).to.include({ ok: false, code: 'E_NOT_FOUND' });
  });

  it('ends with exit code 4 for a public point that is not on the curve', async () => {
    const bad = sample('gmssl-sign.pem');
    const at = bad.indexOf(Buffer.from('03420004', 'hex'));
    expect(at).to.be.greaterThan(0);
    bad[at + 10] = (bad[at + 10] ?? 0) ^ 1;
    expect((await runKmc(['cert', 'show', files.pem('off-curve.pem', bad)])).code).to.equal(4);
  });

  it('refuses an unknown kind, purpose or time with exit code 1', async () => {
    expect((await runKmc(['cert', 'lint', leaf, '--kind', 'constructor'])).code).to.equal(1);
    const verify = ['cert', 'verify', leaf, '--anchor', root];
    expect((await runKmc([...verify, '--purpose', 'toString'])).code).to.equal(1);
    expect((await runKmc([...verify, '--at', 'tomorrow'])).code).to.equal(1);
  });
});
