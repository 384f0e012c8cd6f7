/** Two gateways of the demo that prove themselves to each other with the help of the service (challenge and verdict). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '../../src/agent/signed-client.ts';
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../src/crypto/algorithms.ts';
import { decodePem } from '../../src/crypto/asn1/pem.ts';
import type { CryptoEngine, KeyHandle } from '../../src/crypto/engine.ts';
import { signedBytes } from '../../src/domain/signed-body.ts';
import { parseCertificate, sm3Fingerprint } from '../../src/x509/certificate.ts';
import { validatePath } from '../../src/x509/path.ts';
import { certificateDer } from './tree.ts';

export interface PeerScene {
  readonly out: string;
  readonly engine: CryptoEngine;
  /** Of the service. */
  readonly url: string;
}

interface Gateway {
  readonly key: KeyHandle;
  readonly certificate: Buffer;
}

interface Verdict {
  readonly body: { readonly valid: boolean; readonly reasons: readonly { readonly code: string }[] };
  readonly signatures: readonly { readonly sig: string }[];
  readonly certificate: string;
}

async function gateway({ out, engine }: PeerScene, id: string): Promise<Gateway> {
  const folder = join(out, 'gateways', id);
  const passphrase = Buffer.from(readFileSync(join(out, 'passphrase.txt'), 'utf8').trim(), 'utf8');
  const der = decodePem(readFileSync(join(folder, 'sign.key.pem'), 'utf8'), 'ENCRYPTED PRIVATE KEY');
  return { key: await engine.importPkcs8(der, passphrase), certificate: certificateDer(join(folder, 'sign.crt.pem')) };
}

/** The signature of a verdict holds under a certificate of this hierarchy: what the asking gateway checks. */
function isGenuine({ out }: PeerScene, { body, signatures, certificate: der }: Verdict): boolean {
  const certificate = parseCertificate(Buffer.from(der, 'base64'));
  const raw = Buffer.from(signatures[0]?.sig ?? '', 'base64');
  const read = (name: string) => parseCertificate(certificateDer(join(out, 'trust', name)));
  const path = { intermediates: [read('sm2-issuing.pem')], anchors: [read('sm2-root.pem')], at: new Date() };
  return (
    validatePath({ leaf: certificate, ...path, purpose: 'signature' }).valid &&
    verifySignature(
      'SM2-SM3',
      certificate.spki,
      signedBytes('verdict', body),
      SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(raw),
    )
  );
}

/**
 * The gateway `asking` challenges `asked`, which signs, and the service judges the answer.
 * @returns the codes of what stands against the peer, none when it proved itself; undefined when the verdict itself is not
 * genuine.
 */
export async function provePeer(scene: PeerScene, asking: string, asked: string): Promise<string[] | undefined> {
  const { engine, url } = scene;
  const [a, b] = [await gateway(scene, asking), await gateway(scene, asked)];
  const client = createClient({ baseUrl: url, signer: { engine, key: a.key, certificate: a.certificate } });
  const challenge = (await client.json('POST', '/api/v1/auth/peer-challenges', {
    peerCertSm3: sm3Fingerprint(b.certificate),
  })) as { nonce: string; message: string };
  const signature = await engine.sign(b.key, 'SM2-SM3', Buffer.from(challenge.message, 'base64'));
  const verdict = (await client.json('POST', '/api/v1/verify', {
    chain: [b.certificate.toString('base64')],
    purpose: 'tlcp-sign',
    peer: {
      nonce: challenge.nonce,
      signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    },
  })) as Verdict;
  for (const { key } of [a, b]) engine.destroyKey(key);
  return isGenuine(scene, verdict) ? verdict.body.reasons.map(({ code }) => code) : undefined;
}
