/** The people of the demo as callers of the service: signed requests, signed decisions. */
import { createClient, type KmcClient, type RequestSigner } from '../../src/agent/signed-client.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import type { DecisionName } from '../../src/domain/approval/decision.ts';
import { isObject, type SignedObject } from '../../src/domain/signed-body.ts';
import { signDecision } from '../../src/flows/approvals/sign-decision.ts';
import { transferShare } from '../../src/flows/keystore/transfer-share.ts';
import type { DevelopmentStage } from '../../src/main/development/stage.ts';

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

  /** A client that signs as a device. */
  deviceClient(signer: RequestSigner): KmcClient {
    return createClient({ baseUrl: this.#url, signer });
  }

  /** A client that signs nothing: a device before it has a certificate, or a stranger. */
  stranger(): KmcClient {
    return createClient({ baseUrl: this.#url });
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
    decision: DecisionName = 'APPROVE',
  ): Promise<string> {
    const signed = await signDecision(
      { engine: this.engine, ...this.stage.person(name) },
      { requestId: request.id, requestDigest: request.digest, decision, role, at: new Date() },
    );
    const answer = await this.client(name).json('POST', `/api/v1/requests/${request.id}/approvals`, signed);
    return textOf(answer, 'state');
  }

  /** Executes an approved request and returns its result. */
  async execute(name: string, request: { id: string }): Promise<Readonly<Record<string, unknown>>> {
    return objectOf(await this.client(name).json('POST', `/api/v1/requests/${request.id}/executions`, {}), 'result');
  }
}
