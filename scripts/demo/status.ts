/** OCSP in the demo: asked over HTTP for every gateway, and looked at with the openssl program. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { children, decodeDer, sequence } from '../../src/crypto/asn1/der.ts';
import { renewResponders } from '../../src/flows/ocsp/renew-responders.ts';
import type { Instance } from '../../src/flows/instance.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { CertIdIssuer, encodeCertId } from '../../src/x509/ocsp/cert-id.ts';
import { opensslOcsp, opensslSm2Octets } from './openssl.ts';
import type { DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';
import { certificateDer } from './tree.ts';

export interface AskedGateway {
  readonly id: string;
  /** What the responder must say of its SM2 certificates, and of its RSA certificate. */
  readonly sm2: 'good' | 'revoked';
  readonly legacy: 'good' | 'revoked';
}

async function ask(people: DemoPeople, certificate: Buffer, issuer: Buffer): Promise<Buffer> {
  const { subject, spki } = parseCertificate(issuer);
  const certId = encodeCertId(
    'sha1',
    new CertIdIssuer({ name: subject.der, spki }),
    parseCertificate(certificate).serialNumber,
  );
  const request = sequence(sequence(sequence(sequence(certId))));
  const path = `/ocsp/${encodeURIComponent(request.toString('base64'))}`;
  return (await people.stranger().send('GET', path)).body;
}

/** The signed octets, the signature and the responder's certificate of an answer. */
function signedParts(response: Buffer): { tbs: Buffer; signature: Buffer; responder: Buffer } {
  const [, bytes] = children(decodeDer(response));
  const [responseBytes] = bytes === undefined ? [] : children(bytes);
  const [, octets] = responseBytes === undefined ? [] : children(responseBytes);
  const [tbs, , signature, certificates] = children(decodeDer(octets?.content ?? Buffer.alloc(0)));
  const [list] = certificates === undefined ? [] : children(certificates);
  const [responder] = list === undefined ? [] : children(list);
  if (tbs === undefined || signature === undefined || responder === undefined) throw new Error('no OCSP answer');
  return { tbs: tbs.encoded, signature: signature.content.subarray(1), responder: responder.encoded };
}

/** Asks for every gateway in both hierarchies, writes ocsp/<id>.resp.der, and checks the answers. */
export async function askStatus(
  scene: { readonly instance: Instance; readonly out: string },
  people: DemoPeople,
  gateways: readonly AskedGateway[],
  log: StepLog,
): Promise<void> {
  const { instance, out } = scene;
  // The regular work of the service does it as well, every half minute.
  await renewResponders(instance, { type: 'system', id: instance.node });
  const issuing = certificateDer(join(out, 'trust/sm2-issuing.pem'));
  const legacyIssuing = certificateDer(join(out, 'trust/legacy-issuing.pem'));
  const legacyRoot = readFileSync(join(out, 'trust/legacy-root.pem'));
  mkdirSync(join(out, 'ocsp'), { recursive: true });
  for (const { id, sm2, legacy } of gateways) {
    const certificate = certificateDer(join(out, 'gateways', id, 'sign.crt.pem'));
    const response = await ask(people, certificate, issuing);
    writeFileSync(join(out, 'ocsp', `${id}.resp.der`), response);
    log.check(opensslOcsp({ response, certificate, issuer: issuing }) === sm2, `${id} is ${sm2}`);
    const { tbs, signature, responder } = signedParts(response);
    log.check(opensslSm2Octets(tbs, signature, responder), `openssl verifies the answer for ${id}`);
    const old = certificateDer(join(out, 'gateways', id, 'legacy.crt.pem'));
    const oldResponse = await ask(people, old, legacyIssuing);
    writeFileSync(join(out, 'ocsp', `${id}.legacy.resp.der`), oldResponse);
    const trusted = { response: oldResponse, certificate: old, issuer: legacyIssuing, anchor: legacyRoot };
    log.check(opensslOcsp(trusted) === legacy, `openssl verifies that the RSA certificate of ${id} is ${legacy}`);
  }
  log.count('answers', 2 * gateways.length);
}
