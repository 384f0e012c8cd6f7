/** The data-encryption service: what applications do with managed keys, each call by its grants, one item or a batch. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { decryptData } from '../../flows/data/decrypt-data.ts';
import { encryptData } from '../../flows/data/encrypt-data.ts';
import { macData } from '../../flows/data/mac-data.ts';
import { makeDataKeys, type DataKeyForm, type MadeDataKey } from '../../flows/data/make-data-keys.ts';
import { rewrapData } from '../../flows/data/rewrap-data.ts';
import { signData } from '../../flows/data/sign-data.ts';
import { verifyData } from '../../flows/data/verify-data.ts';
import {
  answers,
  applicationOf,
  BASE64_TEXT,
  calls,
  CIPHERTEXT,
  CONTEXT,
  dataRoute,
  itemsOf,
  NUMBER_TEXT,
  octets,
  PLAINTEXT,
  reply,
  SPKI,
  VERSION,
} from '../data-call.ts';
import type { Route } from '../route.ts';
import { ID } from '../schemas.ts';
import type { SecretJson } from '../secret-json.ts';
import type { ServedInstance } from '../served-instance.ts';

function encryptionRoutes(instance: ServedInstance): Route[] {
  return [
    dataRoute({
      operation: 'encrypt',
      operationId: 'encryptData',
      summary: 'Encrypts under the current version of a key (kinds sm4, sm2-encrypt), bound to the context',
      body: calls({ plaintext: PLAINTEXT, context: CONTEXT }, {}),
      answer: answers({ ciphertext: BASE64_TEXT }, { version: NUMBER_TEXT }),
      async handle({ body, caller }) {
        const made = await encryptData(instance, applicationOf(caller), body.key, itemsOf(body));
        const results = made.ciphertexts.map((ciphertext) => ({ ciphertext }));
        return reply(body, { version: String(made.version) }, results);
      },
    }),
    dataRoute({
      operation: 'decrypt',
      operationId: 'decryptData',
      summary: 'Decrypts under the version that the ciphertext names; with a recipient, to its SM2 key alone',
      body: calls({ ciphertext: CIPHERTEXT, context: CONTEXT }, { recipient: SPKI.optional() }),
      answer: answers({ version: NUMBER_TEXT, plaintext: BASE64_TEXT.optional(), enveloped: BASE64_TEXT.optional() }),
      async handle({ body, caller }) {
        const { recipient } = body;
        const spki = recipient === undefined ? undefined : Buffer.from(recipient, 'base64');
        const outcomes = await decryptData(instance, applicationOf(caller), body.key, itemsOf(body), spki);
        const name = spki === undefined ? 'plaintext' : 'enveloped';
        const results = outcomes.map((one) =>
          'code' in one ? { code: one.code } : { version: String(one.version), [name]: one.content },
        );
        return reply(body, {}, results);
      },
    }),
    dataRoute({
      operation: 'rewrap',
      operationId: 'rewrapData',
      summary: 'Encrypts ciphertexts anew under the current version; what they hold stays inside',
      body: calls({ ciphertext: CIPHERTEXT, context: CONTEXT, newContext: CONTEXT }, {}),
      answer: answers({ version: NUMBER_TEXT, ciphertext: BASE64_TEXT }),
      async handle({ body, caller }) {
        const outcomes = await rewrapData(instance, applicationOf(caller), body.key, itemsOf(body));
        const results = outcomes.map((one) =>
          'code' in one ? { code: one.code } : { version: String(one.version), ciphertext: one.ciphertext },
        );
        return reply(body, {}, results);
      },
    }),
  ];
}

const DATA_KEY_FORM = {
  form: z.enum(['plain', 'wrapped', 'device', 'recipient']).describe('how the data key itself is answered'),
  device: ID.optional().describe('of form device: to its encryption certificate'),
  recipient: SPKI.optional().describe('of form recipient: to this SM2 key, SubjectPublicKeyInfo DER'),
};

/** @throws KmcError E_SCHEMA where the form and its members do not fit. */
function formOf(body: {
  readonly form: DataKeyForm['form'];
  readonly device?: string | undefined;
  readonly recipient?: string | undefined;
}): DataKeyForm {
  const { form, device, recipient } = body;
  const given = [...(device === undefined ? [] : ['device']), ...(recipient === undefined ? [] : ['recipient'])];
  if (form === 'device' && device !== undefined && given.length === 1) return { form, deviceId: device };
  if (form === 'recipient' && recipient !== undefined && given.length === 1) {
    return { form, spki: Buffer.from(recipient, 'base64') };
  }
  if ((form === 'plain' || form === 'wrapped') && given.length === 0) return { form };
  throw new KmcError('E_SCHEMA', 'the form device takes the member device, the form recipient the member recipient');
}

function dataKeyResult({ wrapped, plain, enveloped }: MadeDataKey): { readonly [name: string]: SecretJson } {
  return {
    wrapped,
    ...(plain === undefined ? {} : { plain }),
    ...(enveloped === undefined ? {} : { enveloped }),
  };
}

function dataKeyRoute(instance: ServedInstance): Route {
  return dataRoute({
    operation: 'data-key',
    operationId: 'makeDataKey',
    summary: 'Makes a data key (SM4, 16 octets), wrapped; also plain, to a device, or to an SM2 key of the caller',
    body: calls({ context: CONTEXT }, DATA_KEY_FORM),
    answer: answers(
      {
        wrapped: BASE64_TEXT.describe('decrypt gives the data key back'),
        plain: BASE64_TEXT.optional(),
        enveloped: BASE64_TEXT.optional().describe('SM2Cipher, DER'),
      },
      { version: NUMBER_TEXT, certificate: z.string().optional().describe('sm3:<hex> of that of the device') },
    ),
    async handle({ body, caller }) {
      const contexts = itemsOf(body).map(({ context }) => context);
      const asked = { keyId: body.key, form: formOf(body), contexts };
      const { version, keys, certificateSm3 } = await makeDataKeys(instance, applicationOf(caller), asked);
      const common = {
        version: String(version),
        ...(certificateSm3 === undefined ? {} : { certificate: certificateSm3 }),
      };
      return reply(body, common, keys.map(dataKeyResult));
    },
  });
}

function proofRoutes(instance: ServedInstance): Route[] {
  return [
    dataRoute({
      operation: 'sign',
      operationId: 'signData',
      summary: 'Signs with the current version of a key (kind sm2-sign): SM2 with SM3 over the message, raw r||s',
      body: calls({ message: PLAINTEXT }, {}),
      answer: answers({ signature: BASE64_TEXT }, { version: NUMBER_TEXT }),
      async handle({ body, caller }) {
        const messages = itemsOf(body).map(({ message }) => message);
        const { version, signatures } = await signData(instance, applicationOf(caller), body.key, messages);
        return reply(
          body,
          { version: String(version) },
          signatures.map((signature) => ({ signature })),
        );
      },
    }),
    dataRoute({
      operation: 'mac',
      operationId: 'macData',
      summary: 'HMAC-SM3 under the current version of a key (kind hmac-sm3)',
      body: calls({ message: PLAINTEXT }, {}),
      answer: answers({ mac: BASE64_TEXT }, { version: NUMBER_TEXT }),
      async handle({ body, caller }) {
        const messages = itemsOf(body).map(({ message }) => message);
        const { version, macs } = await macData(instance, applicationOf(caller), body.key, messages);
        return reply(
          body,
          { version: String(version) },
          macs.map((mac) => ({ mac })),
        );
      },
    }),
  ];
}

function verifyRoute(instance: ServedInstance): Route {
  return dataRoute({
    operation: 'verify',
    operationId: 'verifyData',
    summary:
      'Says whether a signature (kind sm2-sign) or a MAC (kind hmac-sm3) holds; version: the current one unless stated',
    body: calls(
      { message: PLAINTEXT, signature: octets(64).optional(), mac: octets(32).optional(), version: VERSION },
      {},
    ),
    answer: answers({ valid: z.boolean() }),
    async handle({ body, caller }) {
      const items = itemsOf(body).map(({ message, signature, mac, version }) => {
        const proof = signature ?? mac;
        if (proof === undefined || (signature !== undefined && mac !== undefined)) {
          throw new KmcError('E_SCHEMA', 'give either a signature or a mac');
        }
        return { message, proof, version };
      });
      const verdicts = await verifyData(instance, applicationOf(caller), body.key, items);
      return reply(
        body,
        {},
        verdicts.map((valid) => ({ valid })),
      );
    },
  });
}

/** Routes of the data-encryption service. */
export function dataRoutes(instance: ServedInstance): Route[] {
  return [...encryptionRoutes(instance), dataKeyRoute(instance), ...proofRoutes(instance), verifyRoute(instance)];
}
