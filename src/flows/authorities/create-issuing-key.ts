import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { newId, requireId } from '../../domain/id.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../../x509/csr.ts';
import { encodeName } from '../../x509/name.ts';
import { ABSENT, type ApplyAct, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import { insertCaKey, sealedCaKey } from './insert-ca-key.ts';

export interface CreateIssuingKeyPorts {
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
}

function textParameter(params: SignedObject, name: string): string {
  const value = params[name];
  if (typeof value !== 'string' || value === '') {
    throw new KmcError('E_SCHEMA', `params.${name} is missing.`, {
      pointers: [{ pointer: `/params/${name}`, detail: 'must be a text' }],
    });
  }
  return value;
}

/** The subject of an issuing CA: country and organisation are asked for like the name. */
function subjectOf(params: SignedObject): Buffer {
  return encodeName([
    { type: 'C', value: 'CN' },
    { type: 'O', value: textParameter(params, 'organization') },
    { type: 'CN', value: textParameter(params, 'commonName') },
  ]);
}

async function createKey(ports: CreateIssuingKeyPorts, act: ApprovedAct): Promise<ApplyAct> {
  const { engine, keystore } = ports;
  const { params } = act.request;
  const keyId = requireId(act.request.target.split('/')[1] ?? '', 'id of the authority');
  const key = await engine.generateKeyPair('SM2');
  try {
    const algorithm = KEY_ALGORITHMS.SM2.defaultSignature;
    const info = encodeCertificationRequestInfo({ subject: subjectOf(params), spki: key.spki });
    const csr = assembleCsr(info, algorithm, await engine.sign(key, algorithm, info));
    const sealed = await sealedCaKey(keystore, keyId, key);
    const event = newId('ev', act.at);
    return async (tx) => {
      await insertCaKey(tx, sealed, act.at);
      await tx.audit.append(
        {
          id: event,
          action: 'key.generate',
          outcome: 'success',
          subjects: [{ type: 'key', id: keyId, version: 1 }],
          terms: [{ type: 'authority', id: keyId }],
          actor: act.actor,
          source: act.source,
          approvals: act.approvals,
          detail: {
            algorithm: 'SM2',
            kid: sealed.spkiSm3,
            purpose: 'sign',
            kek: 'ca-keys',
            kekVersion: sealed.kekVersion,
          },
        },
        act.at,
      );
      return { keyId, kid: sealed.spkiSm3, csr: csr.toString('base64') };
    };
  } finally {
    engine.destroyKey(key);
  }
}

/**
 * The act `authority.create-issuing`: makes the key of a new SM2 issuing CA in the service keystore and hands out its
 * certification request (DER, base64) for the ceremony in which a root signs it. Target `authority/<id>`; parameters
 * `commonName` and `organization`.
 */
export function createIssuingKey(ports: CreateIssuingKeyPorts): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const key = await reader.keystoreRows.caKey(targetId);
      return key === undefined ? ABSENT : { state: 'present', version: String(key.version) };
    },
    async check(_reader, targetId, params) {
      requireId(targetId, 'id of the authority');
      subjectOf(params);
    },
    prepare: (act) => createKey(ports, act),
  };
}
