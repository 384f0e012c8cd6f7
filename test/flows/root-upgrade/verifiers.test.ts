/**
 * Who accepts whom in each state of a change from RSA to SM2: verifiers that trust the old root, both, or the new root,
 * against the issuing CAs of the old and the new generation, with the link certificates that the manifest of the state serves.
 */
import { expect } from 'chai';
import { sha256 } from '../../../src/crypto/digests.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { keyIdentifierSha1, spkiSm3 } from '../../../src/crypto/spki.ts';
import { readPlan } from '../../../src/domain/root-upgrade/plan.ts';
import { manifestFault, nextManifest, type ManifestParts } from '../../../src/domain/root-upgrade/next-manifest.ts';
import { newSerialNumber } from '../../../src/domain/serial-number.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { MANIFEST_SCHEMA, type ManifestBody } from '../../../src/domain/trust/manifest.ts';
import { certificateIssuerOf } from '../../../src/flows/authorities/issuing-authority.ts';
import { prepareCertificate } from '../../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../../src/flows/certificates/sign-certificate.ts';
import { OPENSSL_VERIFIER } from '../../../src/main/openssl-verifier.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { validatePath } from '../../../src/x509/path.ts';
import { POLICIES, theEstate } from '../../fixtures/estate.ts';
import { planBody } from '../../fixtures/upgrading.ts';

const NOW = new Date();
const NOT_BEFORE = new Date(Math.floor(Date.now() / 1000) * 1000 - 86_400_000);
const DAY_MS = 86_400_000;

const named = (commonName: string): Buffer =>
  encodeName([
    { type: 'C', value: 'CN' },
    { type: 'O', value: 'KMC test' },
    { type: 'CN', value: commonName },
  ]);

interface Generations {
  readonly oldRoot: Certificate;
  readonly oldIssuing: Certificate;
  readonly newWithOld: Certificate;
  readonly oldWithNew: Certificate;
  readonly newRoot: Certificate;
  readonly newIssuing: Certificate;
}

/** An RSA root that certifies a CA, the SM2 estate, and the links between the roots. */
async function generations(): Promise<Generations> {
  const { engine, root, issuing } = await theEstate();
  const rsa = await engine.generateKeyPair('RSA');
  const sign = async (
    profile: string,
    facts: object,
    key: KeyHandle,
    issuer: ReturnType<typeof certificateIssuerOf>,
  ) => {
    const whole = { serialNumber: newSerialNumber(), notBefore: NOT_BEFORE, issuer, ...facts };
    const { linted } = prepareCertificate(POLICIES, profile, whole as Parameters<typeof prepareCertificate>[2]);
    return parseCertificate(await signCertificate({ engine, key, algorithm: issuer.signatureAlgorithm }, linted));
  };
  const subject = named('Legacy Root CA G1');
  const self = {
    id: 'legacy-root',
    name: subject,
    keyIdentifier: keyIdentifierSha1(rsa.spki),
    signatureAlgorithm: 'RSA-SHA256',
  } as const;
  const oldRoot = await sign('legacy-root', { subject, spki: rsa.spki }, rsa, self);
  const byOld = certificateIssuerOf('legacy-root', oldRoot);
  const { skid, spki } = root.certificate;
  const linked = { subject: root.certificate.subject.der, spki, keyIdentifier: skid };
  const oldKey = await engine.generateKeyPair('RSA');
  const oldIssuing = await sign(
    'legacy-issuing',
    { subject: named('Legacy Issuing CA'), spki: oldKey.spki },
    rsa,
    byOld,
  );
  const newWithOld = await sign('link', linked, rsa, byOld);
  const byNew = certificateIssuerOf('sm2-root', root.certificate);
  const old = { subject: oldRoot.subject.der, spki: oldRoot.spki, keyIdentifier: oldRoot.skid };
  const oldWithNew = await sign('link', old, root.key, byNew);
  return {
    oldRoot,
    oldIssuing,
    newWithOld,
    oldWithNew,
    newRoot: root.certificate,
    newIssuing: issuing.certificate,
  };
}

function firstBody({ oldRoot }: Generations): ManifestBody {
  return {
    schema: MANIFEST_SCHEMA,
    bundle: 'extranet',
    version: '1',
    issuedAt: signedTime(NOW),
    expiresAt: signedTime(new Date(NOW.getTime() + 60 * DAY_MS)),
    pollSeconds: '21600',
    emergency: false,
    anchors: [
      {
        gen: 'G1',
        alg: 'RSA-3072',
        spkiSm3: spkiSm3(oldRoot.spki),
        certSha256: sha256(oldRoot.der).toString('hex'),
        cert: oldRoot.der.toString('base64'),
        state: 'ACTIVE',
        trustFrom: signedTime(NOW),
        purposes: ['ike', 'tlcp'],
      },
    ],
    links: [],
    intermediates: [],
    distrustedSpki: [],
    signers: [{ set: 'rsa', threshold: '3', emergencyThreshold: '4', keys: [] }],
  };
}

const PLAN = readPlan(
  planBody({
    kind: 'ALG_CHANGE',
    from: { generation: 'G1', root: 'legacy-root', issuing: 'legacy-issuing' },
    to: { generation: 'G2', root: 'sm2-root', issuing: 'sm2-issuing', algorithm: 'SM2' },
    standby: { generation: 'G3', root: 'sm2-root-g3' },
    signers: { set: 'sm2', threshold: '3', emergencyThreshold: '4', holders: ['p-1', 'p-2', 'p-3', 'p-4', 'p-5'] },
  }),
);

describe('a change from RSA to SM2', () => {
  let made: Generations;
  let bodies: Readonly<Record<'before' | 'staged' | 'retired' | 'removed', ManifestBody>>;

  before(async function () {
    this.timeout(60_000);
    made = await generations();
    const parts = (previous: ManifestBody): ManifestParts => ({
      plan: PLAN,
      previous,
      newRoot: made.newRoot.der,
      link: made.newWithOld.der,
      issuing: made.newIssuing.der,
      standby: made.newRoot.der,
      signers: [],
    });
    const times = { issuedAt: NOW, expiresAt: new Date(NOW.getTime() + 60 * DAY_MS) };
    const before = firstBody(made);
    const staged = nextManifest('stage', parts(before), times);
    const distrustAfter = new Date(NOW.getTime() + 40 * DAY_MS);
    const retired = nextManifest('retire', parts(staged), { ...times, distrustAfter });
    const removed = nextManifest('remove', parts(retired), times);
    bodies = { before, staged, retired, removed };
    expect(manifestFault('stage', parts(before), staged)).to.equal(undefined);
    expect(manifestFault('stage', parts(before), { ...staged, pollSeconds: '60' })).to.contain('pollSeconds');
    const early = nextManifest('retire', parts(staged), {
      ...times,
      distrustAfter: new Date(NOW.getTime() + 29 * DAY_MS),
    });
    expect(manifestFault('retire', parts(staged), early)).to.contain('earlier than 30 days');
  });

  it('links the roots so that our validator and openssl verify both links, RSA over SM2 and SM2 over RSA', async function () {
    this.timeout(60_000);
    const { oldRoot, newRoot, newWithOld, oldWithNew, newIssuing } = made;
    expect(newWithOld.signatureAlgorithm).to.equal('RSA-SHA256');
    expect(oldWithNew.signatureAlgorithm).to.equal('SM2-SM3');
    const pairs: readonly [Certificate, Certificate, boolean][] = [
      [newWithOld, oldRoot, true],
      [oldWithNew, newRoot, true],
      [newRoot, newRoot, true],
      [oldRoot, oldRoot, true],
      [newIssuing, newRoot, true],
      [newIssuing, oldRoot, false],
      [oldWithNew, oldRoot, false],
    ];
    for (const [subject, issuer, accepted] of pairs) {
      expect(await OPENSSL_VERIFIER.accepts(subject.der, issuer.der), subject.subject.text).to.equal(accepted);
    }
  });

  it('says in each version what the table of signer sets asks for', () => {
    const sets = (body: ManifestBody): string => body.signers.map(({ set }) => set).join(' ');
    const states = (body: ManifestBody): string => body.anchors.map(({ gen, state }) => `${gen} ${state}`).join(', ');
    const { before, staged, retired, removed } = bodies;
    expect([before, staged, retired, removed].map(sets)).to.deep.equal(['rsa', 'rsa sm2', 'rsa sm2', 'sm2']);
    expect([before, staged, retired, removed].map(states)).to.deep.equal([
      'G1 ACTIVE',
      'G1 ACTIVE, G2 TRUSTED',
      'G1 RETIRING, G2 ACTIVE',
      'G2 ACTIVE',
    ]);
    expect(removed.distrustedSpki).to.deep.equal([spkiSm3(made.oldRoot.spki)]);
    expect(staged.links.map(({ type, from, to }) => `${type} ${from} ${to}`)).to.deep.equal(['newWithOld G1 G2']);
    expect(JSON.stringify(bodies), 'OldWithNew is archived, in no manifest').to.not.contain(
      made.oldWithNew.der.toString('base64'),
    );
  });

  it('is accepted and refused exactly so by verifiers with the old, both, and the new root, state by state', () => {
    const states = [
      ['DRAFT..STAGED', bodies.before],
      ['PILOT..MIGRATED', bodies.staged],
      ['RETIRING', bodies.retired],
      ['REMOVED, CLOSED', bodies.removed],
    ] as const;
    const verifiers = { old: [made.oldRoot], both: [made.oldRoot, made.newRoot], new: [made.newRoot] } as const;
    const rows = states.map(([state, body]) => {
      const served = body.links.map(({ cert }) => parseCertificate(Buffer.from(cert, 'base64')));
      const accepts = (anchors: readonly Certificate[], leaf: Certificate): boolean =>
        validatePath({ leaf, intermediates: served, anchors, at: NOW, purpose: 'issuing-ca', profile: 'legacy' }).valid;
      const cells = Object.values(verifiers).map((anchors) => {
        const usable = anchors.filter((anchor) => !body.distrustedSpki.includes(spkiSm3(anchor.spki)));
        return [accepts(usable, made.oldIssuing), accepts(usable, made.newIssuing)]
          .map((is) => (is ? 'yes' : 'no'))
          .join('/');
      });
      return `${state.padEnd(18)} ${cells.join('  ')}`;
    });
    process.stdout.write(`      trusts:            old/new certificate by: old  both  new\n`);
    for (const row of rows) process.stdout.write(`      ${row}\n`);
    // With NewWithOld served, whoever trusts only the old root reaches the new generation; nothing leads the other way.
    expect(rows.map((row) => row.slice(19))).to.deep.equal([
      'yes/no  yes/yes  no/yes',
      'yes/yes  yes/yes  no/yes',
      'yes/yes  yes/yes  no/yes',
      'no/no  no/yes  no/yes',
    ]);
  });
});
