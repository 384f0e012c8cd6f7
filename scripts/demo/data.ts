/** The data-encryption service in the demo: an application, a data key that openssl knows, and a rotation with rewrap. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decryptFile, encryptFile, rewrapFile } from '../../src/agent/data-file.ts';
import { errorOfAnswer, type KmcClient } from '../../src/agent/signed-client.ts';
import { applicationSubject } from '../../src/domain/application.ts';
import { dataKeyNameOf } from '../../src/crypto/data-ciphertext.ts';
import type { Instance } from '../../src/flows/instance.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../../src/x509/csr.ts';
import { opensslSm2Signature } from './openssl.ts';
import { textOf, type DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';

export interface DemoApplication {
  readonly client: KmcClient;
  /** Id of the managed key. */
  readonly key: string;
}

const ID = 'tax-records';
const NAMES = { name: 'Tax records', unit: 'Tax office', organisation: 'Government Extranet' };
const OPERATIONS = ['encrypt', 'decrypt', 'rewrap', 'data-key'];
const CONTEXT = { record: '2026-7' };

async function decided(people: DemoPeople, op: string, params: Parameters<DemoPeople['propose']>[3]) {
  const request = await people.propose('operator-1', op, ID, params, 'data-encryption service');
  await people.decide('security-1', 'security-administrator', request);
  await people.decide('owner-1', 'ca-owner', request);
  return await people.execute('operator-1', request);
}

/** Registers an application and grants it a managed key, each by two people. */
export async function registerApplication(
  { instance, issuing }: { readonly instance: Instance; readonly issuing: Buffer },
  people: DemoPeople,
  log: StepLog,
): Promise<DemoApplication> {
  const { engine } = people;
  const key = await engine.generateKeyPair('SM2');
  const info = encodeCertificationRequestInfo({ subject: applicationSubject(ID, NAMES), spki: key.spki });
  const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info)).toString('base64');
  const result = await decided(people, 'application.register', { ...NAMES, csr });
  const certificate = Buffer.from(textOf(result, 'certificate'), 'base64');
  log.check(opensslSm2Signature(certificate, issuing), 'openssl verifies the certificate of the application');
  const made = await people.client('operator-1').json('POST', '/api/v1/keys', { name: 'Records', kind: 'sm4' });
  const id = textOf(made, 'id');
  const client = people.deviceClient({ engine, key, certificate });
  const body = Buffer.from(JSON.stringify({ key: id, plaintext: '' }));
  const early = errorOfAnswer(await client.send('POST', '/api/v1/crypto/encrypt', body)).code;
  log.check(early === 'E_NOT_FOUND', 'without a grant there is no key');
  await decided(people, 'application.grant', { key: id, operations: OPERATIONS });
  log.check((await instance.database.read((reader) => reader.applications.grantsOn(id))).length === 1, 'it is granted');
  return { client, key: id };
}

/** Encrypts data and a file, rotates the key, rewraps both, and reads them. */
export async function useKeys(people: DemoPeople, { client, key }: DemoApplication, log: StepLog): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-demo-data-'));
  try {
    const [plain, sealed, rewrapped, opened] = ['plain', 'sealed', 'rewrapped', 'opened'].map((name) =>
      join(folder, name),
    ) as [string, string, string, string];
    const content = randomBytes(2_500_000);
    writeFileSync(plain, content);
    const ports = { client, engine: people.engine };
    await encryptFile(ports, { from: plain, to: sealed }, key, CONTEXT);
    const secret = randomBytes(100).toString('base64');
    const { ciphertext } = (await client.json('POST', '/api/v1/crypto/encrypt', {
      key,
      plaintext: secret,
      context: CONTEXT,
    })) as { ciphertext: string };
    await people.client('operator-1').json('POST', `/api/v1/keys/${key}/rotations`, { reason: 'yearly' });
    const next = textOf(
      await client.json('POST', '/api/v1/crypto/rewrap', { key, ciphertext, context: CONTEXT }),
      'ciphertext',
    );
    const versions = [ciphertext, next].map((one) => dataKeyNameOf(Buffer.from(one, 'base64')).keyVersion);
    log.check(versions.join() === '1,2', 'rewrap moves a ciphertext to the version that the rotation made');
    for (const one of [ciphertext, next]) {
      const read = textOf(
        await client.json('POST', '/api/v1/crypto/decrypt', { key, ciphertext: one, context: CONTEXT }),
        'plaintext',
      );
      log.check(read === secret, 'both versions decrypt');
    }
    await rewrapFile(ports, { from: sealed, to: rewrapped });
    await decryptFile(ports, { from: rewrapped, to: opened });
    log.check(readFileSync(opened).equals(content), 'a file under a data key comes back after its key was rewrapped');
    log.count('octets', content.length);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
