/** A judicial recovery in the demo: a court brings its evidence certificate, officers of two organisations decide. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorOfAnswer } from '../../src/agent/signed-client.ts';
import { answerItems } from '../../src/cli/answer-table.ts';
import { decodePem, encodePem } from '../../src/crypto/asn1/pem.ts';
import { wipe } from '../../src/crypto/bytes.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { verifyEvidence } from '../../src/domain/recovery-evidence.ts';
import { signedTime } from '../../src/domain/signed-body.ts';
import type { Scene } from './acts.ts';
import { textOf, type DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';
import { certificateDer } from './tree.ts';

const CASE = 'case-2026-17';
const WINDOW_MS = 7 * 86_400_000;
const EVIDENCE_TRIES = 100;
const DISTID = 'distid:1234567812345678';

/** The court's own SM2 key and self-signed certificate, made with openssl; the key file gets the shape of all others. */
async function makeEvidenceBox({ home, out, instance, stage }: Scene, folder: string): Promise<Buffer> {
  const scratch = mkdtempSync(join(home, 'court-'));
  const path = (name: string): string => join(scratch, name);
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const passphrase = readFileSync(stage.passphraseFile);
  try {
    openssl('ecparam', '-name', 'SM2', '-genkey', '-noout', '-out', path('key.pem'));
    const usage = ['-addext', 'keyUsage=critical,keyEncipherment', '-days', '30', '-out', path('crt.pem')];
    const subject = ['-subj', '/C=CN/O=Court of the district/CN=Evidence carrier'];
    openssl('req', '-x509', '-new', '-key', path('key.pem'), '-sm3', '-sigopt', DISTID, ...subject, ...usage);
    const cipher = ['-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA256', '-passout', `file:${stage.passphraseFile}`];
    openssl('pkcs8', '-topk8', '-in', path('key.pem'), ...cipher, '-out', path('key.p8'));
    const { engine } = instance;
    const key = await engine.importPkcs8(
      decodePem(readFileSync(path('key.p8'), 'utf8'), 'ENCRYPTED PRIVATE KEY'),
      passphrase,
    );
    const file = await engine.exportPkcs8(key, passphrase, 'gmssl');
    engine.destroyKey(key);
    mkdirSync(join(out, folder), { recursive: true });
    writeFileSync(join(out, folder, 'evidence.key.pem'), encodePem('ENCRYPTED PRIVATE KEY', file));
    const certificate = certificateDer(path('crt.pem'));
    writeFileSync(join(out, folder, 'evidence.crt.pem'), encodePem('CERTIFICATE', certificate));
    return certificate;
  } finally {
    wipe(passphrase);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Checkpoints are signed every second: until then the evidence has no proof yet. */
async function evidenceOf(people: DemoPeople, recovery: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const answer = await people.client('recovery-1').send('GET', `/api/v1/recoveries/${recovery}/evidence`);
    if (answer.status === 200) return answer.body.toString('utf8');
    const error = errorOfAnswer(answer);
    if (error.code !== 'E_PENDING' || tries === EVIDENCE_TRIES) throw error;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'done',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown'),
  );
}

/** The key of that gateway goes to the evidence certificate of a court, and the bundle in the tree proves it. */
export async function judicialRecovery(scene: Scene, people: DemoPeople, device: string, log: StepLog): Promise<void> {
  const { instance, out, stage } = scene;
  const folder = join('recovery', CASE);
  const certificate = await makeEvidenceBox(scene, folder);
  const [key] = await instance.database.read((reader) => reader.escrowedKeys.list({ deviceId: device }, { limit: 1 }));
  if (key === undefined) throw new Error(`${device} has no escrowed key`);
  const asked = await people.client('recovery-1').json('POST', '/api/v1/requests', {
    op: 'recovery.judicial',
    targetId: CASE,
    reason: 'order of the court',
    expiresAt: signedTime(new Date(Date.now() + WINDOW_MS)),
    params: {
      caseNumber: '(2026) 京 01 刑初 17 号',
      legalBasis: 'Criminal Procedure Law art. 54, order 17/2026',
      legalDocument: `sm3:${sm3(Buffer.from('order 17/2026')).toString('hex')}`,
      applicant: 'Court of the district',
      key: key.id,
      evidenceCertificate: certificate.toString('base64'),
    },
  });
  const request = { id: textOf(asked, 'id'), digest: textOf(asked, 'digest') };
  log.check((await codeOf(people.execute('recovery-1', request))) === 'E_QUORUM', 'nothing leaves the escrow before');
  for (const officer of ['recovery-2', 'recovery-3']) await people.decide(officer, 'recovery-officer', request);
  await people.execute('recovery-1', request);
  const [found] = answerItems(
    await people.client('recovery-1').json('GET', `/api/v1/recoveries?request=${request.id}`),
  );
  const id = textOf(found, 'id');
  const recovery = await people.client('recovery-1').json('GET', `/api/v1/recoveries/${id}`);
  const envelope = Buffer.from(textOf(recovery, 'envelopedKey'), 'base64');
  const text = await evidenceOf(people, id);
  writeFileSync(join(out, folder, 'recovered-key.der'), envelope);
  writeFileSync(join(out, folder, 'evidence.json'), text);
  const anchor = readFileSync(join(stage.bundleOf('kmc-init'), 'outputs', 'admin-ca.cer'));
  const verified = verifyEvidence(text, {
    administratorAnchors: [anchor],
    roots: [certificateDer(join(out, 'trust/sm2-root.pem'))],
  });
  log.count('approvers', verified.approvers.length);
  log.count('checked', verified.checked.length);
  await openEnvelope(scene, folder, envelope, key.spki, log);
}

/** As the court does: with the key file in the tree and nothing else. */
async function openEnvelope(
  { instance, out, stage }: Scene,
  folder: string,
  envelope: Buffer,
  spki: Buffer,
  log: StepLog,
): Promise<void> {
  const { engine } = instance;
  const passphrase = readFileSync(stage.passphraseFile);
  const pem = readFileSync(join(out, folder, 'evidence.key.pem'), 'utf8');
  const carrier = await engine.importPkcs8(decodePem(pem, 'ENCRYPTED PRIVATE KEY'), passphrase);
  const recovered = await engine.openEnvelopedKey(carrier, envelope);
  log.check(
    recovered.spki.equals(spki),
    'the evidence key opens the envelope, and the key in it is the one in question',
  );
  for (const handle of [carrier, recovered]) engine.destroyKey(handle);
  wipe(passphrase);
}
