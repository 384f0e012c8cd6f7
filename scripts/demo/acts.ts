/** The acts of the demo, in their order. Each does one thing that a user of the product does, and checks it. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, encodePem } from '../../src/crypto/asn1/pem.ts';
import { createAuditFolder } from '../../src/cli/audit-folder.ts';
import { runAuditVerify } from '../../src/cli/audit-verify.ts';
import { PERSON_FILES } from '../../src/cli/participants.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { sm2PointFromSpki, spkiSm3 } from '../../src/crypto/spki.ts';
import { DEFAULT_CLOCK_SKEW, DEFAULT_MAX_DELAY } from '../../src/domain/audit/policy.ts';
import { verifyApprovalFile } from '../../src/domain/approval/file.ts';
import { exportAudit } from '../../src/flows/audit/pulls/export-audit.ts';
import { ownAuditSource } from '../../src/flows/audit/pulls/own-audit-source.ts';
import { verifyCeremony } from '../../src/flows/ceremonies/verify-ceremony.ts';
import { checkInstance } from '../../src/flows/check/check-instance.ts';
import { developmentCast } from '../../src/main/development/cast.ts';
import { DevelopmentStage } from '../../src/main/development/stage.ts';
import { ceremonySiteOf } from '../../src/main/ceremony-place.ts';
import { openInstance, type OpenedInstance } from '../../src/main/open-instance.ts';
import { serve, type RunningService } from '../../src/main/serve.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { parseCertificateList } from '../../src/x509/crl.ts';
import { validatePath } from '../../src/x509/path.ts';
import {
  CaFront,
  encCertificate,
  exchange,
  makeSigningKey,
  openWithOpenssl,
  overHttp,
  overTcp,
  writeSides,
} from './ca-kmc.ts';
import { registerApplication, useKeys } from './data.ts';
import { backupAndRestore } from './backup.ts';
import { enrolGateway, GATEWAYS, registerGateway, type HandedToken } from './gateways.ts';
import { estEnrolment, renewal } from './device-acts.ts';
import { makeLegacyEstate, type LegacyEstate } from './legacy-estate.ts';
import { opensslCrl, opensslLink, opensslSm2Signature } from './openssl.ts';
import { fillProvinces } from './provinces.ts';
import { openAuthorities } from './registration-authorities.ts';
import { provePeer, type PeerScene } from './peers.ts';
import { DemoPeople, textOf } from './people.ts';
import { judicialRecovery } from './recovery.ts';
import { askStatus, type AskedGateway } from './status.ts';
import type { Story, StepLog } from './story.ts';
import { pictureOverview, recompute, writeReport } from './supervision.ts';
import { certificateDer, writePem } from './tree.ts';

export interface DemoFolders {
  /** The tree of CONTRACT section 2. */
  readonly out: string;
  /** Home of the instance; removed at the end. */
  readonly home: string;
}

export interface Scene extends DemoFolders {
  readonly instance: OpenedInstance;
  readonly stage: DevelopmentStage;
}

async function legacyImport({ stage }: Scene, estate: LegacyEstate, log: StepLog): Promise<void> {
  const file = (path: string) => readFileSync(path);
  const inputs = new Map<string, Buffer>([
    ['root.p12', file(estate.rootP12)],
    ['root.cer', certificateDer(estate.rootCertificate)],
    ['root.crl', file(estate.rootCrl)],
    ['root-inventory.jsonl', file(estate.rootInventory)],
    ['issuing.p12', file(estate.issuingP12)],
    ['issuing.cer', certificateDer(estate.issuingCertificate)],
    ['issuing.crl', file(estate.issuingCrl)],
    ['issuing-inventory.jsonl', file(estate.issuingInventory)],
  ]);
  const secrets = new Map([
    ['root.p12', file(estate.passphraseFile)],
    ['issuing.p12', file(estate.passphraseFile)],
  ]);
  await stage.hold('legacy-import', { inputs, secrets });
  log.count('certificates', file(estate.issuingInventory).toString('utf8').trim().split('\n').length);
}

async function issuingKey(people: DemoPeople, log: StepLog): Promise<{ csr: Buffer; requestId: string }> {
  const params = { commonName: 'Government Extranet Issuing CA G2', organization: 'Government Extranet' };
  const request = await people.propose('owner-1', 'authority.create-issuing', 'sm2-issuing', params, 'SM2 hierarchy');
  await people.decide('owner-2', 'ca-owner', request);
  await people.decide('security-1', 'security-administrator', request);
  log.check(
    (await refusalCode(people.execute('owner-1', request))) === 'E_QUORUM',
    'two of three approvals are not enough',
  );
  log.check(
    (await refusalCode(people.decide('owner-1', 'ca-owner', request))) !== undefined,
    'the proposer never counts',
  );
  await people.decide('security-3', 'security-administrator', request);
  const result = await people.execute('owner-1', request);
  log.check((await refusalCode(people.execute('owner-1', request))) !== undefined, 'an act is executed once');
  return { csr: Buffer.from(textOf(result, 'csr'), 'base64'), requestId: request.id };
}

/** The code of the refusal, or undefined when the call went through. */
async function refusalCode(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}

async function hierarchy(scene: Scene, people: DemoPeople, log: StepLog): Promise<string> {
  const { stage, out } = scene;
  await stage.hold('ca-root');
  await stage.import('sm2-root');
  const { csr, requestId } = await issuingKey(people, log);
  const root = readFileSync(join(stage.bundleOf('sm2-root'), 'outputs', 'sm2-root.cer'));
  await stage.hold('ca-issuing', {
    inputs: new Map([
      ['sm2-root.cer', root],
      ['sm2-issuing.csr', csr],
    ]),
  });
  await stage.import('sm2-issuing');
  const issuing = readFileSync(join(stage.bundleOf('sm2-issuing'), 'outputs', 'sm2-issuing.cer'));
  log.check(opensslSm2Signature(root, root), 'openssl verifies the root over itself');
  log.check(opensslLink(issuing, root), 'openssl verifies the issuing CA under the root');
  writePem(out, 'trust/sm2-root.pem', root);
  writePem(out, 'trust/sm2-issuing.pem', issuing);
  return requestId;
}

async function links(scene: Scene, estate: LegacyEstate, log: StepLog): Promise<void> {
  const { stage, out } = scene;
  const legacy = certificateDer(estate.rootCertificate);
  const root = readFileSync(join(stage.bundleOf('sm2-root'), 'outputs', 'sm2-root.cer'));
  await stage.hold('cross-sign', {
    inputs: new Map([
      ['legacy-root.cer', legacy],
      ['sm2-root.cer', root],
    ]),
  });
  const outputs = join(stage.bundleOf('sm2-links'), 'outputs');
  const newWithOld = readFileSync(join(outputs, 'sm2-root-by-legacy.cer'));
  const oldWithNew = readFileSync(join(outputs, 'legacy-root-by-sm2.cer'));
  log.check(opensslLink(newWithOld, legacy), 'openssl: RSA signs SM2 (NewWithOld)');
  log.check(opensslLink(oldWithNew, root), 'openssl: SM2 signs RSA (OldWithNew)');
  log.check(parseCertificate(newWithOld).signatureAlgorithm === 'RSA-SHA256', 'NewWithOld is SHA-256');
  writePem(out, 'trust/legacy-root.pem', legacy);
  writePem(out, 'trust/legacy-issuing.pem', certificateDer(estate.issuingCertificate));
  writePem(out, 'trust/sm2-root-by-legacy.pem', newWithOld);
  writePem(out, 'trust/legacy-root-by-sm2.pem', oldWithNew);
}

/** The gateway whose encryption key its CA applies for over GM/T 0014. */
const APPLIED_FOR = GATEWAYS[2];

interface CaSide {
  readonly front: CaFront;
  /** The service's communication certificate, DER. */
  readonly kmc: Buffer;
}

/** The issuing CA is registered for GM/T 0014, by three people as every external CA. */
async function caSide({ instance, out }: Scene, people: DemoPeople, log: StepLog): Promise<CaSide> {
  const front = await CaFront.make(instance);
  const params = { communicationCertificate: front.certificate.der.toString('base64') };
  const act = 'authority.register-external';
  const request = await people.propose('owner-1', act, 'sm2-issuing', params, 'GM/T 0014 for the issuing CA');
  await people.decide('owner-2', 'ca-owner', request);
  await people.decide('security-1', 'security-administrator', request);
  await people.decide('security-3', 'security-administrator', request);
  await people.execute('owner-1', request);
  const kmc = (await people.stranger().send('GET', '/api/v1/kmc/certificate')).body;
  writeSides(out, front.certificate, kmc);
  log.check(parseCertificate(kmc).keyUsage?.includes('digitalSignature') === true, 'the service shows its own side');
  return { front, kmc };
}

/** The CA applies for the encryption key of a gateway before it enrols. */
async function applyOverHttp(
  { instance, out }: Scene,
  { front, kmc }: CaSide,
  to: { readonly subject: Buffer; readonly url: string; readonly passphraseFile: string },
  log: StepLog,
): Promise<string> {
  const { id = '', region = '' } = APPLIED_FOR ?? {};
  const folder = join(out, 'gateways', id);
  const signKey = await makeSigningKey(instance.engine, folder, to.passphraseFile);
  const send = overHttp(to.url);
  const request = await front.apply(signKey.spki, to.subject, region);
  const answer = await exchange({ out, name: 'apply', send, kmc }, request, log);
  log.check(
    (await send(request)).equals(readFileSync(join(out, 'kmc/apply-response.der'))),
    'the same message gets the same answer',
  );
  return answer.certificateSerial;
}

/** The CA restores the key for the gateway's live signing certificate; openssl opens both packages. */
async function restoreOverTcp(
  { instance, out, home }: Scene,
  { front, kmc }: CaSide,
  caUrl: string | undefined,
  log: StepLog,
): Promise<void> {
  const id = APPLIED_FOR?.id ?? '';
  const enc = encCertificate(out, id);
  const pem = readFileSync(join(out, 'gateways', id, 'sign.key.pem'), 'utf8');
  const passphrase = readFileSync(join(out, 'passphrase.txt'));
  const signKey = await instance.engine.importPkcs8(decodePem(pem, 'ENCRYPTED PRIVATE KEY'), passphrase);
  const request = await front.restore(enc.serialNumber, signKey.spki);
  const answer = await exchange({ out, name: 'restore', send: overTcp(caUrl ?? ''), kmc }, request, log);
  log.check(answer.spki.equals(enc.spki), 'the restored key is that of the certificate');
  for (const name of ['apply', 'restore'] as const) {
    const file = join(out, 'kmc', `${name}-response.der`);
    const point = await openWithOpenssl(instance.engine, signKey, file, home);
    log.check(sm2PointFromSpki(enc.spki).equals(point), `openssl opens the key of the ${name} response`);
  }
}

async function enrolments(scene: Scene, people: DemoPeople, ca: CaSide, url: string, log: StepLog): Promise<void> {
  const { out, stage } = scene;
  const handed = new Map<string, HandedToken>();
  for (const gateway of GATEWAYS) handed.set(gateway.id, await registerGateway(people, gateway));
  const root = readFileSync(join(stage.bundleOf('sm2-root'), 'outputs', 'sm2-root.cer'));
  const to = { folder: join(out, 'gateways'), root, passphraseFile: join(out, 'passphrase.txt') };
  const subject = handed.get(APPLIED_FOR?.id ?? '')?.subject ?? Buffer.alloc(0);
  const serial = await applyOverHttp(scene, ca, { subject, url, passphraseFile: to.passphraseFile }, log);
  for (const gateway of GATEWAYS) {
    const token = handed.get(gateway.id);
    if (token !== undefined) await enrolGateway(people, gateway, token, to);
  }
  const [first] = GATEWAYS;
  const before = readFileSync(join(to.folder, first?.id ?? '', 'tlcp.pem'));
  const again = handed.get(first?.id ?? '');
  if (first !== undefined && again !== undefined) await enrolGateway(people, first, again, to);
  log.check(
    before.equals(readFileSync(join(to.folder, first?.id ?? '', 'tlcp.pem'))),
    'a repeated request gets the same answer',
  );
  const other = { ...to, folder: join(scene.home, 'stolen') };
  const stolen = first === undefined || again === undefined ? undefined : enrolGateway(people, first, again, other);
  log.check((await refusalCode(Promise.resolve(stolen))) === 'E_TOKEN', 'a token with another key is refused');
  for (const { token } of handed.values()) token.fill(0);
  const applied = encCertificate(out, APPLIED_FOR?.id ?? '');
  log.check(
    applied.serialNumber === serial,
    'the key that the CA applied for is in the certificate of that serial number',
  );
  log.count('gateways', GATEWAYS.length);
  log.count('certificates', 2 * GATEWAYS.length);
}

function checkGateways({ out }: Scene, log: StepLog): void {
  const anchor = parseCertificate(certificateDer(join(out, 'trust/sm2-root.pem')));
  const issuing = parseCertificate(certificateDer(join(out, 'trust/sm2-issuing.pem')));
  for (const { id } of GATEWAYS) {
    for (const [file, purpose] of [
      ['sign.crt.pem', 'tlcp-sign'],
      ['enc.crt.pem', 'tlcp-enc'],
    ] as const) {
      const leaf = parseCertificate(certificateDer(join(out, 'gateways', id, file)));
      const verdict = validatePath({ leaf, intermediates: [issuing], anchors: [anchor], at: new Date(), purpose });
      log.check(verdict.valid, `${id}/${file} validates for ${purpose}`);
      log.check(opensslLink(leaf.der, issuing.der), `openssl verifies ${id}/${file}`);
    }
  }
}

async function revocations(scene: Scene, people: DemoPeople, log: StepLog): Promise<void> {
  const { instance, out } = scene;
  const victim = GATEWAYS[1]?.id ?? '';
  const rows = await instance.database.read((reader) => reader.certificates.list({ deviceId: victim }, { limit: 10 }));
  const client = people.client('operator-1');
  const answer = await client.json('POST', `/api/v1/certificates/${rows[0]?.id}/revocations`, { reason: 'superseded' });
  log.check((answer as { revoked: string[] }).revoked.length === 2, 'both halves of the pair are revoked');
  for (const ca of ['sm2-issuing', 'legacy-issuing']) {
    await client.json('POST', `/api/v1/authorities/${ca}/crls`, {});
    const crl = (await people.stranger().send('GET', `/crl/${ca}.crl`)).body;
    mkdirSync(join(out, 'crl'), { recursive: true });
    writeFileSync(join(out, 'crl', `${ca}.crl`), crl);
    log.count(`${ca} entries`, parseCertificateList(crl).entries.length);
  }
  const region = GATEWAYS[1]?.region ?? '';
  mkdirSync(join(out, 'crl/sm2-issuing'), { recursive: true });
  await client.json('POST', '/api/v1/authorities/sm2-issuing/crls', { scope: 'delta' });
  for (const scope of [region, 'delta']) {
    const crl = (await people.stranger().send('GET', `/crl/sm2-issuing/${scope}.crl`)).body;
    writeFileSync(join(out, 'crl/sm2-issuing', `${scope}.crl`), crl);
    log.count(`sm2-issuing ${scope} entries`, parseCertificateList(crl).entries.length);
  }
  const legacy = readFileSync(join(out, 'crl/legacy-issuing.crl'));
  log.check(
    opensslCrl(legacy, certificateDer(join(out, 'trust/legacy-issuing.pem'))),
    'openssl verifies the legacy CRL',
  );
  // The service makes one of each region by itself when they are due, and all share one sequence.
  const number = parseCertificateList(legacy).crlNumber;
  const row = await scene.instance.database.read((reader) => reader.authorities.find('legacy-issuing'));
  const isOfSequence = number !== undefined && number > 0x2an && row !== undefined && number <= row.crlNumber;
  log.check(isOfSequence, 'the number of the legacy CRL continues');
}

async function sealed(people: DemoPeople, log: StepLog): Promise<void> {
  await people.client('security-1').json('POST', '/api/v1/keystore/seal', {});
  const refused = await refusalCode(people.client('operator-1').json('GET', '/api/v1/certificates'));
  log.check(refused === 'E_SEALED', 'while sealed the API refuses');
  log.check((await people.stranger().send('GET', '/readyz')).status === 503, 'while sealed the service is not ready');
  log.check((await people.stranger().send('GET', '/crl/sm2-issuing.crl')).status === 200, 'CRLs are still served');
  // Long enough for the work in the background to meet the closed keystore.
  await new Promise((resolve) => setTimeout(resolve, 700));
  for (const name of ['custodian-2', 'custodian-4', 'custodian-5']) await people.giveShare(name);
  // Ready once the log has caught up with what waited.
  await waitFor(async () => (await people.stranger().send('GET', '/readyz')).status === 200);
}

async function approvals({ out, stage }: Scene, people: DemoPeople, requestId: string, log: StepLog): Promise<void> {
  const file = await people.client('auditor-1').send('GET', `/api/v1/requests/${requestId}/file`);
  mkdirSync(join(out, 'approvals'), { recursive: true });
  writeFileSync(join(out, 'approvals', `${requestId}.json`), file.body);
  const anchor = readFileSync(join(stage.bundleOf('kmc-init'), 'outputs', 'admin-ca.cer'));
  writePem(out, 'trust/admin-ca.pem', anchor);
  const verified = verifyApprovalFile(file.body.toString('utf8'), { anchors: [anchor] });
  log.count('approvals', verified.evaluation.counted.length);
  log.check(verified.evaluation.counted.length === 3, 'three approvals verify offline');
}

async function auditTree({ instance, out }: Scene, log: StepLog): Promise<void> {
  const certificate = await instance.audit.certificate();
  if (certificate === undefined) throw new Error('the log has no certificate');
  const policy = {
    origin: instance.audit.origin,
    logKey: spkiSm3(parseCertificate(certificate).spki),
    clockSkew: DEFAULT_CLOCK_SKEW,
    maxDelay: DEFAULT_MAX_DELAY,
    witnesses: [],
    quorum: 0,
  };
  await logSigned({ instance });
  const source = ownAuditSource(instance, { certificate, policy });
  const { size } = await exportAudit({ source, folder: createAuditFolder(join(out, 'audit')) });
  const { exitCode } = await runAuditVerify({ directory: join(out, 'audit') });
  log.count('events', size);
  log.check(exitCode === 0, 'the log verifies offline');
}

/** Every event has its place in the tree, under a signed checkpoint. */
async function logSigned({ instance }: Pick<Scene, 'instance'>): Promise<void> {
  await waitFor(async () => (await instance.database.read((reader) => reader.audit.pending())) === 0);
  await new Promise((resolve) => setTimeout(resolve, 1500));
}

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('waited for 10 s in vain');
}

function ceremonies(scene: Scene, log: StepLog): void {
  const { stage, out, instance, home } = scene;
  const site = ceremonySiteOf(readEnvironment({ home }), instance.engine);
  for (const id of ['kmc-init', 'legacy-import', 'sm2-root', 'sm2-issuing', 'sm2-links']) {
    cpSync(stage.bundleOf(id), join(out, 'ceremony', id), { recursive: true });
    const report = verifyCeremony(site.folder(join(out, 'ceremony', id)));
    log.check(report.bundle !== undefined, `the bundle of ${id} verifies`);
  }
  log.count('bundles', 5);
}

function writePeople({ stage, out }: Scene): void {
  mkdirSync(join(out, 'admins'), { recursive: true });
  for (const name of stage.people.keys()) {
    copyFileSync(join(stage.folderOf(name), PERSON_FILES.certificate), join(out, 'admins', `${name}.crt.pem`));
    copyFileSync(join(stage.folderOf(name), PERSON_FILES.key), join(out, 'admins', `${name}.key.pem`));
  }
}

async function transport({ instance, out }: Scene, service: RunningService, log: StepLog): Promise<void> {
  await waitFor(async () => service.tlsUrl() !== undefined);
  const [authority] = await instance.database.read((reader) => reader.authorities.list({ kind: 'transport' }));
  if (authority === undefined) throw new Error('there is no transport CA');
  writePem(out, 'trust/transport-root.pem', authority.certificate);
  const { createClient } = await import('../../src/agent/signed-client.ts');
  const anchors = encodePem('CERTIFICATE', authority.certificate);
  const answer = await createClient({ baseUrl: service.tlsUrl() ?? '', tlsAnchors: anchors }).send('GET', '/readyz');
  log.check(answer.status === 200, 'the service is ready, over HTTPS under its transport CA');
}

function legacyGateways(estate: LegacyEstate, out: string): void {
  for (const { id } of GATEWAYS) copyFileSync(estate.certificateOf(id), join(out, 'gateways', id, 'legacy.crt.pem'));
}

/** The second gateway is the one that is revoked between. */
async function peerProofs(scene: PeerScene, when: 'before' | 'after', log: StepLog): Promise<void> {
  const [first = '', second = '', third = ''] = GATEWAYS.map(({ id }) => id);
  const against = await provePeer(scene, first, second);
  log.check(
    against?.join() === (when === 'before' ? '' : 'revoked'),
    `${second} proves itself, or is known as revoked`,
  );
  log.check((await provePeer(scene, third, first))?.length === 0, `${first} proves itself to ${third}`);
  const refused = await refusalCode(provePeer(scene, second, first));
  log.check(
    refused === (when === 'before' ? undefined : 'E_UNAUTHENTICATED'),
    `${second} may ask only while it is good`,
  );
}

/** After the revocations: the second gateway in the SM2 hierarchy, and who was revoked in the RSA estate before. */
function statusOfGateways(): AskedGateway[] {
  return GATEWAYS.map(({ id, legacyRevoked }, index) => ({
    id,
    sm2: index === 1 ? 'revoked' : 'good',
    legacy: legacyRevoked ? 'revoked' : 'good',
  }));
}

/** @returns what the service states as its totals. */
async function serviceActs(
  story: Story,
  scene: Scene,
  estate: LegacyEstate,
  service: RunningService,
): Promise<unknown> {
  const people = new DemoPeople(scene.stage, scene.instance.engine, service.url);
  await story.step('three of five custodians unseal the service', async (log) => {
    log.check((await people.giveShare('custodian-1')) === 'UNSEALING', 'one share is not enough');
    await people.giveShare('custodian-3');
    log.check((await people.giveShare('custodian-5')) === 'UNSEALED', 'three shares open it');
  });
  await story.step('HTTPS under the transport CA', (log) => transport(scene, service, log));
  const requestId = await story.step('SM2 root and issuing CA: ceremonies, and three approvals over HTTP', (log) =>
    hierarchy(scene, people, log),
  );
  await story.step('links between the RSA root and the SM2 root', (log) => links(scene, estate, log));
  await story.step('registration authorities come into service (授牌): two by approved steps, 30 of before', (log) =>
    openAuthorities(scene.instance, people, log),
  );
  const ca = await story.step('the issuing CA is registered for GM/T 0014 by three people', (log) =>
    caSide(scene, people, log),
  );
  await story.step('gateways are registered and enrol over HTTP, one with a key applied for over GM/T 0014', (log) =>
    enrolments(scene, people, ca, service.url, log),
  );
  await story.step('a key is restored over GM/T 0014, TCP; openssl opens it', (log) =>
    restoreOverTcp(scene, ca, service.caUrl, log),
  );
  await story.step('a gateway enrols over EST', (log) => estEnrolment(scene, people, service, log));
  await story.step('a gateway renews its pair', (log) => renewal(scene, people, log));
  const issuing = certificateDer(join(scene.out, 'trust/sm2-issuing.pem'));
  const application = await story.step('an application is registered and granted a managed key by two people', (log) =>
    registerApplication({ instance: scene.instance, issuing }, people, log),
  );
  await story.step('a data key is used, the managed key rotated, and what it protected rewrapped', (log) =>
    useKeys(people, application, log),
  );
  await story.step('every gateway certificate validates, here and with openssl', async (log) =>
    checkGateways(scene, log),
  );
  const peers = { out: scene.out, engine: scene.instance.engine, url: service.url };
  await story.step('two gateways prove themselves to each other', (log) => peerProofs(peers, 'before', log));
  await story.step('a gateway is revoked; CRLs of both hierarchies', (log) => revocations(scene, people, log));
  await story.step('the gateway that was revoked proves nothing any more', (log) => peerProofs(peers, 'after', log));
  legacyGateways(estate, scene.out);
  await story.step('OCSP: what openssl reads and verifies in the answers of both hierarchies', (log) =>
    askStatus(scene, people, statusOfGateways(), log),
  );
  await story.step('the other regions: batches by approval, tokens by an operator of each, enrolments', (log) =>
    fillProvinces(scene, people, log),
  );
  await story.step('one person seals the running service; three open it again', (log) => sealed(people, log));
  await story.step(
    'a court gets the key of a gateway: officers of two organisations decide, the evidence verifies',
    (log) => judicialRecovery(scene, people, GATEWAYS[1]?.id ?? '', log),
  );
  await story.step('a backup of the running service is restored elsewhere by three custodians', (log) =>
    backupAndRestore(scene, people, log),
  );
  await story.step('the approval file verifies offline', (log) => approvals(scene, people, requestId, log));
  await story.step('the report of the month, from the audit log, signed by an auditor', async (log) => {
    await logSigned(scene);
    await writeReport(scene, people, log);
  });
  await story.step('the console in a browser, signed in by an approved challenge', (log) =>
    pictureOverview(scene, people, service.url, log),
  );
  return await people.client('auditor-1').json('GET', '/api/v1/supervision/totals');
}

/** Tells the whole story. @throws when a check does not hold. */
export async function tellStory(story: Story, folders: DemoFolders): Promise<void> {
  const { out, home } = folders;
  const estate = await story.step('the RSA estate of before, made with openssl', async (log) => {
    const legacy = GATEWAYS.map(({ id, commonName, province, legacyRevoked }) => ({
      id,
      commonName,
      province,
      revoked: legacyRevoked,
    }));
    log.count('gateways', legacy.length);
    return makeLegacyEstate(join(home, 'legacy'), legacy, Buffer.from('legacy-estate'));
  });
  const environment = readEnvironment({
    home: join(home, 'instance'),
    listen: '127.0.0.1:0',
    tlsListen: '127.0.0.1:0',
    caListen: '127.0.0.1:0',
  });
  const instance = await openInstance(environment);
  const site = ceremonySiteOf(environment, instance.engine);
  const stage = new DevelopmentStage({ environment, instance, site, folder: join(home, 'stage') });
  const scene: Scene = { ...folders, instance, stage };
  let service: RunningService | undefined;
  try {
    await story.step('first ceremony: keystores, people, administrator CA', async (log) => {
      await stage.makePeople(developmentCast());
      copyFileSync(stage.passphraseFile, join(out, 'passphrase.txt'));
      await stage.hold('kmc-init');
      log.count('people', stage.people.size);
    });
    await story.step('legacy root and issuing CA come in with CRL and inventory', (log) =>
      legacyImport(scene, estate, log),
    );
    const log = {
      info: () => undefined,
      fault: (what: string, cause: unknown) =>
        process.stderr.write(cause instanceof Error ? `${what} ${cause.message}\n` : `${what}\n`),
    };
    service = await serve(environment, instance, log);
    const totals = await serviceActs(story, scene, estate, service);
    await story.step('the audit log verifies offline', (stepLog) => auditTree(scene, stepLog));
    await story.step('figures are made anew from the copy of the log', (stepLog) => recompute(scene, totals, stepLog));
    await story.step('the closed ceremonies verify offline', async (stepLog) => ceremonies(scene, stepLog));
    await story.step('the invariants hold', async (stepLog) => {
      const results = await checkInstance(instance);
      for (const { id, violations } of results)
        stepLog.check(violations.length === 0, `${id}: ${violations.join('; ')}`);
    });
    writePeople(scene);
  } finally {
    await service?.close();
    await instance.close();
  }
}
