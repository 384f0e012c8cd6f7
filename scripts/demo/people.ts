/** The people of the demo as callers of the service: signed requests, signed decisions. */
import { createClient, type KmcClient } from '../../src/agent/signed-client.ts';
import { randomBytes } from '../../src/crypto/random.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import { DECISION_SCHEMA, decisionBytes, readDecisionBody } from '../../src/domain/approval/decision.ts';
import { subjectPerson } from '../../src/domain/person-name.ts';
import { isObject, signedTime, type SignedObject } from '../../src/domain/signed-body.ts';
import { transferShare } from '../../src/flows/keystore/transfer-share.ts';
import type { DevelopmentStage } from '../../src/main/development/stage.ts';
import { parseCertificate, sm3Fingerprint } from '../../src/x509/certificate.ts';

/** A text member of an answer. */
export function textOf(value: unknown, name: string): string {
  const member = isObject(value) ? value[name] : undefined;
  if (typeof member !== 'string') throw new Error(`the answer has no ${name}`);
  return member;
}

/** A member of an answer that is an object. */
export function objectOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const member = isObject(value) ? value[name] : undefined;
  if (!isObject(member)) throw new Error(`the answer has no ${name}`);
  return member;
}

export class DemoPeople {
  readonly stage: DevelopmentStage;
  readonly engine: CryptoEngine;
  readonly #url: string;

  constructor(stage: DevelopmentStage, engine: CryptoEngine, url: string) {
    this.stage = stage;
    this.engine = engine;
    this.#url = url;
  }

  /** A client that signs as the person of that name. */
  client(name: string): KmcClient {
    const { key, certificate } = this.stage.person(name);
    return createClient({ baseUrl: this.#url, signer: { engine: this.engine, key, certificate } });
  }

  /** A client that signs nothing: a device before it has a certificate, or a stranger. */
  stranger(): KmcClient {
    return createClient({ baseUrl: this.#url });
  }

  personId(name: string): string {
    const person = subjectPerson(parseCertificate(this.stage.person(name).certificate).subject);
    if (person === undefined) throw new Error(`the certificate of ${name} names nobody`);
    return person.id;
  }

  /** Hands in a custodian's share, encrypted to the running session. */
  async giveShare(name: string): Promise<string> {
    const client = this.client(name);
    const status = await client.json('POST', '/api/v1/keystore/unseal-sessions', {});
    const session = objectOf(status, 'session');
    const { key, shares } = this.stage.person(name);
    if (shares.service === undefined) throw new Error(`${name} holds no share`);
    const share = await transferShare(this.engine, {
      holder: key,
      holderCertificateSm3: Buffer.from(shares.service.certificate.slice('sm3:'.length), 'hex'),
      share: shares.service.ciphertext,
      sessionSpki: Buffer.from(textOf(session, 'publicKey'), 'base64'),
    });
    const path = `/api/v1/keystore/unseal-sessions/${textOf(session, 'id')}/shares`;
    return textOf(await client.json('POST', path, { share: share.toString('base64') }), 'state');
  }

  /** Proposes an act. */
  async propose(name: string, op: string, targetId: string, params: SignedObject, reason: string) {
    const answer = await this.client(name).json('POST', '/api/v1/requests', { op, targetId, params, reason });
    return { id: textOf(answer, 'id'), digest: textOf(answer, 'digest') };
  }

  /** Signs and hands in a decision; returns the state of the request. */
  async decide(
    name: string,
    role: string,
    request: { id: string; digest: string },
    decision = 'APPROVE',
  ): Promise<string> {
    const { key, certificate } = this.stage.person(name);
    const body = readDecisionBody({
      schema: DECISION_SCHEMA,
      requestDigest: request.digest,
      requestId: request.id,
      decision,
      approver: this.personId(name),
      role,
      certSm3: sm3Fingerprint(certificate),
      decidedAt: signedTime(new Date()),
      nonce: randomBytes(16).toString('hex'),
    });
    const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(
      await this.engine.sign(key, 'SM2-SM3', decisionBytes(body)),
    );
    const answer = await this.client(name).json('POST', `/api/v1/requests/${request.id}/approvals`, {
      body,
      signature: signature.toString('base64'),
      certificate: certificate.toString('base64'),
    });
    return textOf(answer, 'state');
  }

  /** Executes an approved request and returns its result. */
  async execute(name: string, request: { id: string }): Promise<Readonly<Record<string, unknown>>> {
    return objectOf(await this.client(name).json('POST', `/api/v1/requests/${request.id}/executions`, {}), 'result');
  }
}
