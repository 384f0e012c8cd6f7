import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commands } from '../../src/cli/trust.ts';
import { decodePemAll, encodePem } from '../../src/crypto/asn1/pem.ts';
import { sha256 } from '../../src/crypto/digests.ts';
import { personSubject } from '../../src/domain/person-name.ts';
import { certificateIssuerOf } from '../../src/flows/authorities/issuing-authority.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { encodeName } from '../../src/x509/name.ts';
import { certify, POLICIES, type CastMember, type CastName } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc, type Ran } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

const NOUNS = { trust: { summary: 'trust bundles', load: () => Promise.resolve(commands) } };
const SIGNERS: readonly CastName[] = ['signerOne', 'signerTwo', 'signerThree'];
const PURPOSE = POLICIES.publication.bundleSigner;

forEachDatabase('kmc trust', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  let files: ScratchFiles;

  beforeEach(async () => {
    files = new ScratchFiles();
    const { estate, people, instance } = test();
    files.write('root.pem', encodePem('CERTIFICATE', estate.root.certificate.der));
    const issuer = certificateIssuerOf('sm2-root', estate.root.certificate);
    for (const name of SIGNERS) {
      const { id, unit, certificate } = people[name];
      const subject = encodeName(personSubject({ id, name: id, unit, organisation: 'kmc' }));
      const facts = { subject, spki: certificate.spki };
      const made = await certify(instance.engine, 'bundle-signer', facts, { ...estate.root, issuer });
      files.write(`${name}.pem`, encodePem('CERTIFICATE', made.der));
    }
  });
  afterEach(() => files.remove());

  const at = (name: string): string => join(files.folder, name);

  async function run(member: CastMember | undefined, ...args: string[]): Promise<Ran> {
    const identity = member === undefined ? [] : await files.identity(test().instance.engine, member);
    return await runKmc(['trust', ...args, '--url', service().url, ...identity], NOUNS);
  }

  function draftText(more = ''): string {
    const keys = SIGNERS.map((name) => `      - {holder: ${test().people[name].id}, cert: ${name}.pem}`).join('\n');
    return `schema: kmc.trust-draft/1
bundle: extranet
anchors:
  - {gen: G2, cert: root.pem, state: ACTIVE, purposes: [ike, tlcp]}
${more}signers:
  - set: sm2
    threshold: 2
    emergency-threshold: 3
    keys:
${keys}
`;
  }

  /** Drafts, signs by two people each on their own copy, joins, and publishes. */
  async function published(version: number): Promise<string> {
    const draft = files.write(`draft-${version}.yaml`, draftText(version === 1 ? '' : '# the same again\n'));
    const previous = version === 1 ? [] : ['--previous', at(`manifest-${version - 1}.json`)];
    const body = at(`body-${version}.json`);
    const drafted = await run(undefined, 'draft', draft, '--out', body, ...previous);
    expect(drafted.code, drafted.err).to.equal(0);
    const copies: string[] = [];
    for (const name of SIGNERS.slice(0, 2)) {
      const copy = at(`signed-${version}-${name}.json`);
      const signed = await run(test().people[name], 'sign', body, '--out', copy);
      expect(signed.code, signed.err).to.equal(0);
      copies.push(copy);
    }
    const [first = '', second = ''] = copies;
    const short = await run(undefined, 'check', first, ...previous, '--json');
    expect(short.code).to.equal(3);
    expect(short.json()['complete']).to.equal(false);
    const manifest = at(`manifest-${version}.json`);
    const joined = await run(undefined, 'check', first, second, ...previous, '--out', manifest, '--json');
    expect(joined.code, joined.err).to.equal(0);
    const handed = await run(test().people.signerThree, 'publish', manifest, '--json');
    expect(handed.code, handed.err + handed.out).to.equal(0);
    expect(handed.json()).to.include({ bundle: 'extranet', version: String(version) });
    return manifest;
  }

  it('leads from a draft over signatures to a device that walks from version to version', async () => {
    await published(1);
    const folder = at('trust');
    const field = ['--dir', folder, '--anchor', at('root.pem'), '--purpose-oid', PURPOSE];
    const first = await run(undefined, 'apply', at('manifest-1.json'), ...field, '--json');
    expect(first.code, first.err + first.out).to.equal(0);
    expect(first.json()['version']).to.equal('1');
    await published(2);
    // Without the version before it nobody can say whose signatures are missing.
    expect((await run(undefined, 'check', at('manifest-2.json'))).code).to.equal(1);
    await published(3);
    const walked = await run(undefined, 'apply', '--dir', folder, '--json');
    expect(walked.code, walked.err + walked.out).to.equal(0);
    expect(walked.json()['version']).to.equal('3');
    const [anchor] = decodePemAll(readFileSync(join(folder, 'anchors.pem'), 'latin1'), 'CERTIFICATE');
    expect(anchor?.equals(test().estate.root.certificate.der)).to.equal(true);
    const again = await run(undefined, 'apply', '--dir', folder, '--json');
    expect(again.json()).to.deep.equal(walked.json());
    const shown = await run(undefined, 'show', '--dir', folder);
    expect(shown.out).to.include('extranet').and.to.include('TRUSTED');
  });

  it('refuses by rule, with exit code 4, and leaves the folder as it was', async () => {
    await published(1);
    await published(2);
    await published(3);
    const folder = at('trust');
    const start = ['--dir', folder, '--anchor', at('root.pem'), '--purpose-oid', PURPOSE];
    expect((await run(undefined, 'apply', at('manifest-1.json'), ...start)).code).to.equal(0);
    const before = readFileSync(join(folder, 'trust-state.json'));
    const skipped = await run(undefined, 'apply', at('manifest-3.json'), '--dir', folder, '--json');
    expect(skipped.code).to.equal(4);
    expect(skipped.json()).to.include({ code: 'E_TRUST', rule: 'skipped-version' });
    const together = await run(undefined, 'apply', at('manifest-2.json'), at('manifest-1.json'), '--dir', folder);
    expect(together.code).to.equal(4);
    expect(readFileSync(join(folder, 'trust-state.json')).equals(before)).to.equal(true);
    const nothing = await run(undefined, 'apply', at('manifest-1.json'), '--dir', at('other'));
    expect(nothing.code).to.equal(1);
    expect(existsSync(at('other'))).to.equal(false);
    expect((await run(undefined, 'show', '--dir', at('other'))).code).to.equal(5);
  });

  it('begins by a digest, or by what two operators typed', async () => {
    const manifest = await published(1);
    const { der } = test().estate.root.certificate;
    const digest = (await run(undefined, 'check', manifest, '--json')).json()['digest'] as string;
    expect((await run(undefined, 'apply', manifest, '--dir', at('new'), '--digest', digest)).code).to.equal(0);
    const typed = (operator: string): string[] => [
      '--fingerprints',
      `${operator}=${sm3Fingerprint(der)},sha256:${sha256(der).toString('hex')}`,
    ];
    const lost = ['apply', manifest, '--dir', at('lost')];
    expect((await run(undefined, ...lost, ...typed('p-1'), ...typed('p-1'))).code).to.equal(6);
    expect((await run(undefined, ...lost, ...typed('p-1'))).code).to.equal(1);
    expect((await run(undefined, ...lost, ...typed('p-1'), ...typed('p-2'))).code).to.equal(0);
  });

  it('names the line of a fault in a draft', async () => {
    const draft = files.write('bad.yaml', draftText().replace('ACTIVE', 'TRUSTWORTHY'));
    const refused = await run(undefined, 'draft', draft, '--out', at('x.json'));
    expect(refused.code).to.equal(4);
    expect(refused.err).to.match(/Line 4/);
    expect(existsSync(at('x.json'))).to.equal(false);
  });

  it('serves each version with its ETag, the newest for minutes and the others for ever', async () => {
    await published(1);
    const latest = await fetch(`${service().url}/api/v1/trust-bundles/extranet/latest`);
    const first = await fetch(`${service().url}/api/v1/trust-bundles/extranet/1`);
    expect(await latest.text()).to.equal(readFileSync(at('manifest-1.json'), 'utf8'));
    expect(latest.headers.get('cache-control')).to.include('must-revalidate');
    expect(first.headers.get('cache-control')).to.include('immutable');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).to.match(/^"sm3-[0-9a-f]{64}"$/);
    const known = await fetch(`${service().url}/api/v1/trust-bundles/extranet/1`, {
      headers: { 'if-none-match': etag },
    });
    expect(known.status).to.equal(304);
    for (const path of ['extranet/2', 'other/latest', 'extranet/0', 'extranet/x']) {
      const absent = await fetch(`${service().url}/api/v1/trust-bundles/${path}`);
      expect(absent.status, path).to.be.oneOf([400, 404]);
    }
  });
});
