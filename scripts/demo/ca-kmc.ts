/** The issuing CA's front in the demo: it speaks GM/T 0014 with the service, over HTTP and over TCP. */
import { execFileSync } from 'node:child_process';
import { createDecipheriv, createECDH } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { makeDeviceFolder } from '../../src/agent/device-folder.ts';
import { signingKey } from '../../src/agent/device-keys.ts';
import type { CryptoEngine, KeyHandle } from '../../src/crypto/engine.ts';
import { newSerialNumber } from '../../src/domain/serial-number.ts';
import { issueCertificate } from '../../src/flows/certificates/issue-certificate.ts';
import type { Instance } from '../../src/flows/instance.ts';
import { entityNameOf } from '../../src/x509/ca-kmc/entity-name.ts';
import { encodeProtocolMessage } from '../../src/x509/ca-kmc/protocol-message.ts';
import { encodeKeyServiceRequests, type KeyServiceRequest } from '../../src/x509/ca-kmc/request.ts';
import { parseKmcResponse, type ReturnedKey } from '../../src/x509/ca-kmc/response.ts';
import { parseCertificate, type Certificate } from '../../src/x509/certificate.ts';
import { encodeName } from '../../src/x509/name.ts';
import { opensslSm2Octets } from './openssl.ts';
import { certificateDer, writePem } from './tree.ts';
import type { StepLog } from './story.ts';

const YEAR = 365 * 86_400_000;
const RETURN = { asymmetric: OID.sm2Encrypt, symmetric: OID.sm4, hash: OID.sm3 } as const;

/** Sends a message and gets the answer, by whichever way. */
export type Transport = (message: Buffer) => Promise<Buffer>;

/** POST /api/v1/kmc. */
export function overHttp(url: string): Transport {
  return async (message) => {
    const headers = { 'content-type': 'application/octet-stream' };
    const reply = await fetch(`${url}/api/v1/kmc`, { method: 'POST', headers, body: new Uint8Array(message) });
    if (reply.status !== 200) throw new Error(`the service answers ${reply.status}`);
    return Buffer.from(await reply.arrayBuffer());
  };
}

/** Frames of four octets of length, big-endian, and a message. */
export function overTcp(url: string): Transport {
  const { hostname, port } = new URL(url);
  return (message) =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(message.length);
      let received: Buffer = Buffer.alloc(0);
      socket.write(Buffer.concat([header, message]));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the service closed the connection')));
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 4 || received.length < 4 + received.readUInt32BE()) return;
        resolve(received.subarray(4));
        socket.destroy();
      });
    });
}

export class CaFront {
  readonly certificate: Certificate;
  readonly #engine: CryptoEngine;
  readonly #key: KeyHandle;
  #task = 0n;

  private constructor(engine: CryptoEngine, key: KeyHandle, certificate: Certificate) {
    this.#engine = engine;
    this.#key = key;
    this.certificate = certificate;
  }

  /** Makes the communication key of the CA and its certificate. */
  static async make(instance: Instance): Promise<CaFront> {
    const key = await instance.engine.generateKeyPair('SM2');
    const row = await issueCertificate(
      instance,
      { type: 'system', id: instance.node },
      {
        authorityId: 'sm2-issuing',
        profile: 'communication',
        subject: encodeName([
          { type: 'C', value: 'CN' },
          { type: 'CN', value: 'Front of the Government Extranet Issuing CA' },
        ]),
        spki: key.spki,
      },
    );
    return new CaFront(instance.engine, key, parseCertificate(row.certificate));
  }

  /** ApplyKeyReq for a user with that signing key; userCertNo is a new serial number. */
  apply(signSpki: Buffer, subject: Buffer, region: string): Promise<Buffer> {
    return this.#signed({
      kind: 'apply',
      keyType: OID.sm2p256v1,
      keyBits: 256,
      return: RETURN,
      certificateSerial: newSerialNumber().toString('hex'),
      recipientSpki: signSpki,
      notBefore: new Date(),
      notAfter: new Date(Date.now() + YEAR),
      userName: subject,
      regionCode: Buffer.from(region, 'latin1'),
    });
  }

  restore(certificateSerial: string, signSpki: Buffer): Promise<Buffer> {
    return this.#signed({ kind: 'restore', return: RETURN, certificateSerial, recipientSpki: signSpki });
  }

  async #signed(request: KeyServiceRequest): Promise<Buffer> {
    this.#task += 1n;
    const signed = encodeKeyServiceRequests({
      caName: entityNameOf(this.certificate),
      requests: [request],
      requestTime: new Date(),
      task: this.#task,
    });
    return encodeProtocolMessage(signed, 'SM2-SM3', await this.#engine.sign(this.#key, 'SM2-SM3', signed));
  }
}

/** What the exchange is about, and where its files go. */
export interface Exchange {
  /** The tree. */
  readonly out: string;
  readonly name: 'apply' | 'restore';
  readonly send: Transport;
  readonly kmc: Buffer;
}

/** Sends a request, keeps both messages in the tree, and lets openssl verify the answer. */
export async function exchange(
  { out, name, send, kmc }: Exchange,
  request: Buffer,
  log: StepLog,
): Promise<ReturnedKey> {
  const response = await send(request);
  mkdirSync(join(out, 'kmc'), { recursive: true });
  writeFileSync(join(out, 'kmc', `${name}-request.der`), request);
  writeFileSync(join(out, 'kmc', `${name}-response.der`), response);
  const { responses, message } = parseKmcResponse(response);
  log.check(opensslSm2Octets(message.signed.encoded, message.signature, kmc), `openssl verifies the ${name} response`);
  const [answer] = responses;
  if (answer?.kind !== name) throw new Error(`the answer to ${name} is ${JSON.stringify(answer)}`);
  return answer;
}

/** Writes both communication certificates. */
export function writeSides(out: string, ca: Certificate, kmc: Buffer): void {
  writePem(out, 'kmc/ca.crt.pem', ca.der);
  writePem(out, 'kmc/kmc.crt.pem', kmc);
}

interface Asn1Line {
  readonly offset: number;
  readonly header: number;
  readonly length: number;
  readonly text: string;
}

/** What `openssl asn1parse` says of a file. */
function asn1Lines(file: string): Asn1Line[] {
  const text = execFileSync('openssl', ['asn1parse', '-inform', 'DER', '-in', file], { encoding: 'utf8' });
  return [...text.matchAll(/^ *(\d+):d=\d+ +hl=(\d+) +l= *(\d+) +(.*)$/gm)].map((match) => ({
    offset: Number(match[1]),
    header: Number(match[2]),
    length: Number(match[3]),
    text: match[4] ?? '',
  }));
}

function contentAfter(lines: readonly Asn1Line[], bytes: Buffer, algorithm: string, kind: string): Buffer {
  const from = lines.findIndex(({ text }) => text.endsWith(`:${algorithm}`));
  const line = lines.slice(from).find(({ text }) => text.includes(kind));
  if (from < 0 || line === undefined) throw new Error(`the message has no ${kind} after ${algorithm}`);
  return bytes.subarray(line.offset + line.header, line.offset + line.header + line.length);
}

/**
 * Opens the private key of a response in the tree with none of our code: openssl takes the message apart and decrypts the
 * SM4 key, Node's own SM4 and ECDH do the rest.
 * @returns the public point that belongs to it, 65 octets.
 */
export async function openWithOpenssl(
  engine: CryptoEngine,
  signKey: KeyHandle,
  file: string,
  scratch: string,
): Promise<Buffer> {
  const passphrase = 'opened by openssl';
  const keyFile = join(scratch, 'sign.openssl.der');
  const wrappedFile = join(scratch, 'wrapped.der');
  try {
    const lines = asn1Lines(file);
    const bytes = readFileSync(file);
    writeFileSync(keyFile, await engine.exportPkcs8(signKey, Buffer.from(passphrase), 'openssl'));
    writeFileSync(wrappedFile, contentAfter(lines, bytes, OID.sm2Encrypt, 'OCTET STRING'));
    const args = ['pkeyutl', '-decrypt', '-inkey', keyFile, '-keyform', 'DER', '-passin', `pass:${passphrase}`];
    const key = execFileSync('openssl', [...args, '-in', wrappedFile]);
    const encrypted = contentAfter(lines, bytes, OID.sm4, 'cont [ 0 ]');
    const decipher = createDecipheriv('sm4-ecb', key, null).setAutoPadding(false);
    const plain = Buffer.concat([decipher.update(encrypted), decipher.final()]);
    const ecdh = createECDH('SM2');
    ecdh.setPrivateKey(plain.subarray(32));
    return ecdh.getPublicKey();
  } finally {
    rmSync(keyFile, { force: true });
    rmSync(wrappedFile, { force: true });
  }
}

/** The encryption certificate of a gateway in the tree. */
export function encCertificate(out: string, id: string): Certificate {
  return parseCertificate(certificateDer(join(out, 'gateways', id, 'enc.crt.pem')));
}

/** Makes the signing key of a gateway before it enrols, where its reference client finds it. */
export async function makeSigningKey(engine: CryptoEngine, folder: string, passphraseFile: string): Promise<KeyHandle> {
  return await signingKey(engine, makeDeviceFolder(folder).pending(), readFileSync(passphraseFile));
}
