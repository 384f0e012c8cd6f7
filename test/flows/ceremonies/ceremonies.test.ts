/** The five ceremonies of an instance, one after the other, on real files and a real database. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { unsealWith } from '../../../src/cli/unseal-here.ts';
import { readTranscript } from '../../../src/domain/ceremony/transcript.ts';
import { verifyBundle, type VerifiedBundle } from '../../../src/domain/ceremony/verify-bundle.ts';
import { quorumShortfalls } from '../../../src/domain/eligibility.ts';
import { STANDARD_QUORUMS } from '../../../src/domain/quorum.ts';
import { KmcError } from '../../../src/errors.ts';
import { publishedCaCertificates } from '../../../src/flows/enrolments/published-ca-certificates.ts';
import { importCeremony } from '../../../src/flows/ceremonies/import-ceremony.ts';
import { verifyCeremony } from '../../../src/flows/ceremonies/verify-ceremony.ts';
import { parseCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { validatePath } from '../../../src/x509/path.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { issuingRequest } from './issuing-request.ts';
import { bringLegacyEstate, bringSignerRequests, legacySecrets } from './legacy-inputs.ts';
import { firstPeople, Workshop } from './workshop.ts';

const CEREMONIES = ['kmc-init', 'legacy-import', 'signer-certificates', 'ca-root', 'ca-issuing', 'cross-sign'] as const;
const SYSTEM = { type: 'system', id: 'kmc' } as const;

describe('ceremonies', function ceremonies() {
  this.timeout(180_000);
  let workshop: Workshop;
  const bundles = new Map<string, VerifiedBundle>();

  before(async () => {
    workshop = await Workshop.open();
    bundles.set('kmc-init', await workshop.hold('kmc-init'));
    bringLegacyEstate(workshop);
    bundles.set('legacy-import', await workshop.hold('legacy-import', { secrets: legacySecrets() }));
    bringSignerRequests(workshop);
    bundles.set('signer-certificates', await workshop.hold('signer-certificates'));
    bundles.set('ca-root', await workshop.hold('ca-root'));
    workshop.input('sm2-root.cer', workshop.output('ca-root', 'sm2-root.cer'));
    workshop.input('sm2-issuing.csr', await issuingRequest(workshop));
    bundles.set('ca-issuing', await workshop.hold('ca-issuing'));
    bundles.set('cross-sign', await workshop.hold('cross-sign'));
  });
  after(() => workshop.close());

  const filesOf = (ceremony: string): Map<string, Buffer> => new Map(workshop.ports(ceremony).folder.files());
  const certificateOf = (ceremony: string, name: string) => parseCertificate(workshop.output(ceremony, name));

  it('each closed bundle verifies from its files alone and is named by the next one', () => {
    let previous = 'none';
    for (const ceremony of CEREMONIES) {
      const { bundle, findings } = verifyBundle(filesOf(ceremony));
      expect(findings, ceremony).to.equal(undefined);
      expect(bundle?.plan.file['previous']).to.equal(previous);
      previous = bundle?.digest ?? '';
    }
  });

  it('after kmc-init every class has more approvers than it needs, by the people of the database', async () => {
    const people = await workshop.instance.database.read((reader) => reader.people.list({ limit: 1000 }));
    expect(people).to.have.length(33);
    expect(quorumShortfalls(people, STANDARD_QUORUMS)).to.deep.equal([]);
    expect(await workshop.instance.database.read((reader) => reader.instance.get('policy-digest'))).to.equal(
      workshop.instance.policyDigest,
    );
  });

  it('the self-signed certificates count for nothing after kmc-init: no account has one', async () => {
    const brought = firstPeople().map((person) =>
      sm3Fingerprint(readFileSync(join(workshop.root, 'inputs', `${person.id}.cer`))),
    );
    const accounts = await workshop.instance.database.read((reader) =>
      Promise.all(brought.map((certificate) => reader.people.findByCertificate(certificate))),
    );
    expect(accounts.every((account) => account === undefined)).to.equal(true);
  });

  it('every certificate of a person leads to the administrator CA, offline', () => {
    const anchors = [workshop.output('kmc-init', 'admin-ca.cer')];
    for (const ceremony of CEREMONIES.slice(1)) {
      expect(verifyCeremony(workshop.ports(ceremony).folder, { anchors }).findings, ceremony).to.equal(undefined);
    }
    const other = [workshop.output('ca-root', 'sm2-root.cer')];
    expect(verifyCeremony(workshop.ports('ca-root').folder, { anchors: other }).findings).to.have.length(8);
  });

  it('no transcript and no bundle holds a share in clear: the only mention is the encrypted envelope', () => {
    const text = readFileSync(join(workshop.folder('kmc-init'), 'transcript.jsonl'), 'utf8');
    for (const person of workshop.people.values()) {
      for (const share of Object.values(person.shares)) {
        expect(text).not.to.include(share.ciphertext.toString('base64'));
      }
    }
    expect(text).not.to.match(/ciphertext|passphrase of/);
    expect([...filesOf('legacy-import').keys()].filter((name) => name.endsWith('.p12'))).to.deep.equal([]);
  });

  it('the RSA root certifies the SM2 root by SHA-256, and the SM2 root the RSA root: both paths validate', () => {
    const at = new Date();
    const newWithOld = certificateOf('cross-sign', 'sm2-root-by-legacy.cer');
    const oldWithNew = certificateOf('cross-sign', 'legacy-root-by-sm2.cer');
    const legacyRoot = parseCertificate(readFileSync(join(workshop.root, 'inputs', 'legacy-root.cer')));
    const sm2Root = certificateOf('ca-root', 'sm2-root.cer');
    const issuing = certificateOf('ca-issuing', 'sm2-issuing.cer');
    const legacyIssuing = parseCertificate(readFileSync(join(workshop.root, 'inputs', 'issuing.cer')));
    expect(newWithOld.signatureAlgorithm).to.equal('RSA-SHA256');
    expect(oldWithNew.signatureAlgorithm).to.equal('SM2-SM3');
    const purpose = 'issuing-ca';
    const upward = { leaf: issuing, intermediates: [newWithOld], anchors: [legacyRoot], at, purpose } as const;
    expect(validatePath(upward)).to.include({ valid: true });
    const back = { leaf: legacyIssuing, intermediates: [oldWithNew], anchors: [sm2Root], at, purpose } as const;
    expect(validatePath({ ...back, profile: 'legacy' })).to.include({ valid: true });
  });

  it('bundle-signers get certificates of the legacy root for their RSA keys, good for signatures on manifests alone', async () => {
    const legacyRoot = parseCertificate(readFileSync(join(workshop.root, 'inputs', 'legacy-root.cer')));
    const { bundleSigner } = workshop.instance.policies.publication;
    const holders = [1, 2, 3, 4, 5].map((number) => certificateOf('signer-certificates', `signer-${number}.cer`));
    const path = { intermediates: [], anchors: [legacyRoot], at: new Date(), profile: 'legacy' } as const;
    for (const leaf of holders) {
      expect(leaf.extendedKeyUsage).to.deep.equal([bundleSigner]);
      expect(leaf.extensions.find(({ oid }) => oid === '2.5.29.37')?.critical).to.equal(true);
      expect(validatePath({ ...path, leaf, purpose: 'signature' })).to.include({ valid: true });
      expect(validatePath({ ...path, leaf, purpose: 'issuing-ca' })).to.include({ valid: false });
    }
    expect(new Set(holders.map(({ subject }) => subject.text)).size).to.equal(5);
    const row = await workshop.instance.database.read((reader) =>
      reader.certificates.findByDigest(sm3Fingerprint(holders[0]!.der)),
    );
    expect(row).to.equal(undefined);
  });

  it('openssl validates both links', () => {
    const pem = (name: string, der: Buffer): string => {
      const target = join(workshop.root, `${name}.pem`);
      execFileSync('openssl', ['x509', '-inform', 'DER', '-out', target], {
        input: der,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      return target;
    };
    const legacyRoot = pem('legacy-root', readFileSync(join(workshop.root, 'inputs', 'legacy-root.cer')));
    const sm2Root = pem('sm2-root', workshop.output('ca-root', 'sm2-root.cer'));
    const newWithOld = pem('new-with-old', workshop.output('cross-sign', 'sm2-root-by-legacy.cer'));
    const oldWithNew = pem('old-with-new', workshop.output('cross-sign', 'legacy-root-by-sm2.cer'));
    const verify = (trusted: string, subject: string, ...options: string[]): string =>
      execFileSync('openssl', ['verify', ...options, '-partial_chain', '-trusted', trusted, subject], {
        encoding: 'utf8',
      });
    expect(verify(legacyRoot, newWithOld)).to.include('OK');
    expect(verify(sm2Root, oldWithNew, '-vfyopt', 'distid:1234567812345678')).to.include('OK');
  });

  for (const ceremony of ['ca-root', 'cross-sign']) {
    it(`VERIFY.md of ${ceremony} can be followed with openssl and sha256sum, word by word`, () => {
      const copy = mkdtempSync(join(tmpdir(), 'kmc-verify-'));
      try {
        execFileSync('cp', ['-r', `${workshop.folder(ceremony)}/.`, copy]);
        expect(follow(copy)).to.equal(0);
        execFileSync('sh', ['-c', 'printf x >> tool-manifest.json'], { cwd: copy });
        expect(follow(copy)).not.to.equal(0);
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    });
  }

  it('every record that is flipped, deleted, moved or cut off is found, at that record', () => {
    const files = filesOf('ca-root');
    const lines = (files.get('transcript.jsonl') ?? Buffer.alloc(0)).toString('utf8').trimEnd().split('\n');
    const hash = bundles.get('ca-root')?.closing.plan ?? '';
    const bytesOf = (changed: readonly string[]): Buffer => Buffer.from(changed.map((line) => `${line}\n`).join(''));
    const firstBad = (changed: readonly string[]): number | undefined =>
      readTranscript(bytesOf(changed), hash).fault?.record;
    expect(firstBad(lines)).to.equal(undefined);
    const cut = verifyBundle(new Map([...files, ['transcript.jsonl', bytesOf(lines.slice(0, 5))] as const]));
    expect(cut.findings?.[0]).to.include({ file: 'transcript.jsonl', record: 5 });
    for (const at of lines.keys()) {
      const line = lines[at] ?? '';
      const flipped = line.replace(/"elapsed":"\d/, (found) => `${found}1`);
      expect(firstBad(lines.with(at, flipped)), `flip ${at}`).to.equal(at);
      expect(firstBad(lines.toSpliced(at, 1)), `delete ${at}`).to.equal(at);
      expect(firstBad(lines.slice(0, at)), `truncate ${at}`).to.equal(at);
      if (at + 1 < lines.length) {
        expect(firstBad(lines.with(at, lines[at + 1] ?? '').with(at + 1, line)), `move ${at}`).to.equal(at);
      }
    }
  });

  it('every file of a bundle that is altered, missing or added is found', () => {
    const files = filesOf('cross-sign');
    for (const [name, bytes] of files) {
      const altered = Buffer.concat([bytes, Buffer.from(' ')]);
      expect(verifyBundle(new Map([...files, [name, altered]])).findings, `altered ${name}`).not.to.equal(undefined);
      const without = new Map(files);
      without.delete(name);
      expect(verifyBundle(without).findings, `missing ${name}`).not.to.equal(undefined);
    }
    const added = new Map([...files, ['outputs/extra.cer', Buffer.from('x')] as const]);
    expect(verifyBundle(added).findings).not.to.equal(undefined);
  });

  it('the service takes each bundle once, and puts what it made into service', async () => {
    const imported: string[] = [];
    for (const ceremony of CEREMONIES) {
      const { folder } = workshop.ports(ceremony);
      await unsealWith(workshop.instance, [...workshop.people.values()]);
      imported.push(...(await importCeremony({ ...workshop.instance, folder }, SYSTEM)).authorities);
      const again = await refusalFrom(importCeremony({ ...workshop.instance, folder }, SYSTEM));
      expect(again?.code, ceremony).to.equal('E_CONFLICT');
    }
    expect(imported).to.deep.equal(['sm2-root', 'sm2-issuing']);
    const authorities = await workshop.instance.database.read((reader) => reader.authorities.list({}));
    expect(authorities.map(({ id, kind, generation }) => `${id} ${kind} ${generation ?? '-'}`)).to.deep.equal([
      'admin-ca administrator -',
      'legacy-issuing issuing G1',
      'legacy-root root G1',
      'sm2-issuing issuing G2',
      'sm2-root root G2',
      'transport-ca transport -',
    ]);
    const crl = await workshop.instance.database.read((reader) => reader.crls.latest('sm2-root', 'complete'));
    expect(crl?.number).to.equal(1n);
    const link = sm3Fingerprint(workshop.output('cross-sign', 'sm2-root-by-legacy.cer'));
    const row = await workshop.instance.database.read((reader) => reader.certificates.findByDigest(link));
    expect(row).to.include({ authorityId: 'legacy-root', profile: 'link' });
    const signer = sm3Fingerprint(workshop.output('signer-certificates', 'signer-1.cer'));
    const held = await workshop.instance.database.read((reader) => reader.certificates.findByDigest(signer));
    expect(held).to.include({ authorityId: 'legacy-root', profile: 'bundle-signer', status: 'good' });
  });

  it('EST gives devices the way from the legacy root: the link and that root, but not the root of before by the new one', async () => {
    const der = await publishedCaCertificates(workshop.instance, 'gateway-sign');
    const [issuing, root, link, older, ...rest] = der.map((one) => parseCertificate(one));
    expect(issuing?.der.equals(workshop.output('ca-issuing', 'sm2-issuing.cer'))).to.equal(true);
    expect(link?.der.equals(workshop.output('cross-sign', 'sm2-root-by-legacy.cer'))).to.equal(true);
    expect(rest).to.deep.equal([]);
    expect(root?.spki.equals(link?.spki ?? Buffer.alloc(0))).to.equal(true);
    const path = {
      leaf: issuing!,
      intermediates: [link!],
      anchors: [older!],
      at: new Date(),
      purpose: 'issuing-ca',
    } as const;
    expect(validatePath(path)).to.include({ valid: true });
  });

  it('the root keys lie in the ceremony keystore, and no service key opens them', async () => {
    const home = join(workshop.root, 'home');
    expect(readdirSync(join(home, 'ceremony', 'root')).sort()).to.deep.equal([
      'legacy-root.0001.blob',
      'sm2-root.0001.blob',
    ]);
    for (const root of ['legacy-root', 'sm2-root']) {
      expect((await refusalFrom(workshop.instance.keystore.caKey(root)))?.code).to.equal('E_NOT_FOUND');
    }
  });

  it('after the links the legacy root certifies nothing: a plan that asks for it is refused', () => {
    expect(bundles.get('cross-sign')?.closing.after.restrictedKeys).to.deep.equal(['legacy-root']);
    expect(refusalOfPlan(() => workshop.plan('cross-sign'))).to.match(/^E_STATE/);
  });
});

function refusalOfPlan(plan: () => unknown): string | undefined {
  try {
    plan();
    return undefined;
  } catch (error) {
    if (error instanceof KmcError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

/** Runs every block of VERIFY.md in one shell, as a reader would; returns the exit code. */
function follow(folder: string): number {
  const text = readFileSync(join(folder, 'VERIFY.md'), 'utf8');
  const script = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('\n');
  try {
    execFileSync('sh', ['-c', script], { cwd: folder, stdio: 'pipe' });
    return 0;
  } catch (error) {
    return error instanceof Error && 'status' in error ? Number(error.status) : -1;
  }
}
