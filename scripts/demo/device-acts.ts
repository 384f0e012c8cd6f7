/** What the gateways of the demo do besides enrolling over JSON: EST, and a renewal. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deviceStatus } from '../../src/agent/device-status.ts';
import { DeviceFolder } from '../../src/agent/device-folder.ts';
import { renew } from '../../src/agent/renew.ts';
import type { RequestSigner } from '../../src/agent/signed-client.ts';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import type { RunningService } from '../../src/main/serve.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { parseCsrResponse } from '../../src/x509/csr-response.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../../src/x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../../src/x509/extensions.ts';
import { parseCertsOnly } from '../../src/x509/pkcs7.ts';
import type { Scene } from './acts.ts';
import { callEst } from './est.ts';
import { EST_GATEWAY, GATEWAYS, registerGateway } from './gateways.ts';
import { opensslLink } from './openssl.ts';
import type { DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';

/** A gateway that speaks EST only: the CA certificates, then its pair in one CSRResponse. */
export async function estEnrolment(
  { instance, stage }: Scene,
  people: DemoPeople,
  service: RunningService,
  log: StepLog,
): Promise<void> {
  const { engine } = instance;
  const [transportCa] = await instance.database.read((reader) => reader.authorities.list({ kind: 'transport' }));
  const anchor = encodePem('CERTIFICATE', transportCa?.certificate ?? Buffer.alloc(0));
  const est = { url: service.tlsUrl() ?? '', anchor };
  const gateway = EST_GATEWAY;
  const { token, subject, alternativeNames } = await registerGateway(people, gateway);
  const root = readFileSync(join(stage.bundleOf('sm2-root'), 'outputs', 'sm2-root.cer'));
  const { certificates } = parseCertsOnly((await callEst(est, 'gateway/cacerts')).der);
  log.check(
    certificates.some((certificate) => certificate.equals(root)),
    'cacerts holds the SM2 root',
  );
  const key = await engine.generateKeyPair('SM2');
  const names = readAlternativeNames(JSON.stringify(alternativeNames));
  const extensions = [extensionOf(EXTENSIONS.subjectAltName, names)];
  const info = encodeCertificationRequestInfo({ subject, spki: key.spki, extensions });
  const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
  const post = { csr, serial: `SN-${gateway.id}`, token };
  const answer = await callEst(est, 'gateway/gmdualenroll', post);
  log.check(answer.status === 200, 'gmdualenroll is answered');
  const { signCertificates, encryption } = parseCsrResponse(answer.der);
  const [sign] = signCertificates;
  const issuing = readFileSync(join(stage.bundleOf('sm2-issuing'), 'outputs', 'sm2-issuing.cer'));
  log.check(sign !== undefined && opensslLink(sign, issuing), 'openssl verifies the signing certificate');
  const opened = await engine.openEnvelopedKey(key, encryption?.envelopedKey ?? Buffer.alloc(0));
  const enc = parseCertificate(encryption?.certificates[0] ?? Buffer.alloc(0));
  log.check(opened.spki.equals(enc.spki), 'the enveloped key belongs to the encryption certificate');
  const stranger = await callEst(est, 'gateway/gmdualenroll', { ...post, token: Buffer.from('A'.repeat(32)) });
  log.check(stranger.status === 401, 'a wrong token is refused');
  token.fill(0);
  engine.destroyKey(key);
  engine.destroyKey(opened);
}

/** A gateway renews with a request that its present key signs; its files change in one step. */
export async function renewal({ instance, out }: Scene, people: DemoPeople, log: StepLog): Promise<void> {
  const { engine } = instance;
  const folder = new DeviceFolder(join(out, 'gateways', GATEWAYS[2]?.id ?? ''));
  const before = deviceStatus(folder);
  const passphrase = readFileSync(join(out, 'passphrase.txt'));
  const clientOf = (signer: RequestSigner) => people.deviceClient(signer);
  await renew({ engine, clientOf, now: () => new Date() }, folder, passphrase);
  passphrase.fill(0);
  const after = deviceStatus(folder);
  log.check(after.signSerial !== before.signSerial, 'the gateway has a new signing certificate');
  log.check(after.encSerial !== before.encSerial, 'the gateway has a new encryption certificate');
}
