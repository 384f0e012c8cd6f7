/** EST (RFC 7030 with RFC 8951) over HTTPS, with and without a label, and the dual enrolment of GM/T 0092 beside it. */
import { z } from 'zod';
import { wipe } from '../../crypto/bytes.ts';
import { requireChannel } from '../../domain/enrolment.ts';
import { estLabel, EST_OPERATIONS, type EstGift } from '../../domain/est.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import type { EnrolDeviceInput } from '../../flows/enrolments/admit-request.ts';
import { enrolByTokenCredential } from '../../flows/enrolments/enrol-by-token-credential.ts';
import { enrolDevice } from '../../flows/enrolments/enrol-device.ts';
import { enrolSigningCertificate } from '../../flows/enrolments/enrol-signing-certificate.ts';
import type { EnrolmentOutcome } from '../../flows/enrolments/enrol-with-token.ts';
import { publishedCaCertificates } from '../../flows/enrolments/published-ca-certificates.ts';
import { renewDevice } from '../../flows/enrolments/renew-device.ts';
import { renewSigningCertificate } from '../../flows/enrolments/renew-signing-certificate.ts';
import type { Instance } from '../../flows/instance.ts';
import { encodeCsrAttributes } from '../../x509/csr-attributes.ts';
import { parseCsr } from '../../x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../../x509/extensions.ts';
import { encodeCertsOnly } from '../../x509/pkcs7.ts';
import { decodeEstBody, estPending, estReply } from '../est-body.ts';
import { readCredential } from '../est-credential.ts';
import { route, type AnswerSpec, type Reply, type RequestContext, type Route } from '../route.ts';

const BASE = '/.well-known/est';
const CERTS_ONLY = 'application/pkcs7-mime; smime-type=certs-only';
const CA_CERTIFICATES = 'application/pkcs7-mime';
const CSR_ATTRIBUTES = 'application/csrattrs';
const CSR_RESPONSE = 'application/gmt0092-csr-response';
/** Base64 of the longest request that is read. */
const CSR_MEDIA = { type: 'application/pkcs10', maxBytes: 16 * 1024 };
/** So that nobody waits for a label named like an operation. */
const LABEL = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/)
  .refine((text) => !EST_OPERATIONS.some((operation) => operation === text));
const LABELLED = z.strictObject({ label: LABEL });

type EstContext = RequestContext<unknown, unknown, unknown>;

/** What one operation does for a label, or without one. */
interface EstOperation {
  readonly name: string;
  readonly operationId: string;
  readonly summary: string;
  readonly method: 'get' | 'post';
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  readonly handle: (context: EstContext, label: string | undefined) => Promise<Reply>;
}

/** A request that was sent through this channel, DER. @throws KmcError E_DER, E_POP, and what `parseCsr` throws. */
function sentRequest({ raw, channel }: EstContext): Buffer {
  const csr = decodeEstBody(raw);
  const request = parseCsr(csr);
  if (request.challengePassword !== undefined) requireChannel(request, channel.binding);
  return csr;
}

interface FirstEnrolment<Answer> {
  readonly gift: EstGift;
  readonly label: string | undefined;
  readonly enrol: (input: EnrolDeviceInput) => Promise<EnrolmentOutcome<Answer>>;
}

/** Enrols under the token of the request; undefined when it holds none. */
async function underToken<Answer>(
  instance: Instance,
  context: EstContext,
  { gift, label, enrol }: FirstEnrolment<Answer>,
): Promise<EnrolmentOutcome<Answer> | undefined> {
  const credential = readCredential(context.header('authorization'));
  if (credential === undefined) return undefined;
  try {
    const input = { credential, csr: sentRequest(context), label, gift, requestId: context.requestId };
    return await enrolByTokenCredential(instance, input, enrol);
  } finally {
    wipe(credential.token);
  }
}

/** Nothing shows who asks. */
function unauthenticated(): KmcError {
  return new KmcError(
    'E_UNAUTHENTICATED',
    'Show a one-time token (Basic or Bearer), a client certificate, or sign the request (RFC 9421).',
  );
}

function renewalInput(context: EstContext, label: string | undefined) {
  const { requestId } = context;
  return { csr: sentRequest(context), requestId, ...(label === undefined ? {} : { label }) };
}

function certificateReply(certificate: Buffer): Reply {
  return estReply(CERTS_ONLY, encodeCertsOnly([certificate]));
}

/** What anybody may fetch. */
function publicOperations(instance: Instance): EstOperation[] {
  const { policies } = instance;
  return [
    {
      name: 'cacerts',
      operationId: 'estCaCerts',
      summary: 'The issuing CA of a profile, its root, and the links from an older root',
      method: 'get',
      answers: { 200: { description: 'certs-only, base64', type: CA_CERTIFICATES } },
      async handle(_context, label) {
        const certificates = await publishedCaCertificates(instance, estLabel(policies, label).certificateProfile);
        return estReply(CA_CERTIFICATES, encodeCertsOnly(certificates));
      },
    },
    {
      name: 'csrattrs',
      operationId: 'estCsrAttrs',
      summary: 'What a request for a profile is to hold',
      method: 'get',
      answers: { 200: { description: 'CsrAttrs, base64', type: CSR_ATTRIBUTES } },
      handle(_context, label) {
        const profile = certificateProfile(policies, estLabel(policies, label).certificateProfile);
        const [keyAlgorithm = 'SM2'] = profile.subjectKeys;
        const attributes = encodeCsrAttributes(keyAlgorithm, [extensionOf(EXTENSIONS.keyUsage, profile.keyUsage)]);
        return Promise.resolve(estReply(CSR_ATTRIBUTES, attributes));
      },
    },
  ];
}

/** What a device asks for. */
function deviceOperations(instance: Instance): EstOperation[] {
  return [
    {
      name: 'simpleenroll',
      operationId: 'estSimpleEnroll',
      summary: 'The first signing certificate of a device, under its token',
      method: 'post',
      answers: { 200: { description: 'the certificate alone', type: CERTS_ONLY }, 202: { description: 'wait' } },
      async handle(context, label) {
        const enrol = (input: EnrolDeviceInput) => enrolSigningCertificate(instance, input);
        const outcome = await underToken(instance, context, { gift: 'signing', label, enrol });
        if (outcome === undefined) throw unauthenticated();
        if (outcome.state === 'PENDING') return estPending(outcome.retryAfterSeconds);
        return certificateReply(outcome.answer.signCertificate);
      },
    },
    {
      name: 'simplereenroll',
      operationId: 'estSimpleReenroll',
      summary: 'Renews the signing certificate of a device that shows its present one',
      method: 'post',
      answers: { 200: { description: 'the certificate alone', type: CERTS_ONLY } },
      async handle(context, label) {
        if (context.caller.type !== 'device') throw unauthenticated();
        const answer = await renewSigningCertificate(instance, context.caller, renewalInput(context, label));
        return certificateReply(answer.signCertificate);
      },
    },
    {
      name: 'gmdualenroll',
      operationId: 'estGmDualEnroll',
      summary: 'The pair of a device: first under its token, later with a signed request',
      method: 'post',
      answers: { 200: { description: 'CSRResponse (GM/T 0092)', type: CSR_RESPONSE }, 202: { description: 'wait' } },
      async handle(context, label) {
        const enrol = (input: EnrolDeviceInput) => enrolDevice(instance, input, 'gmdualenroll');
        const outcome = await underToken(instance, context, { gift: 'pair', label, enrol });
        if (outcome?.state === 'PENDING') return estPending(outcome.retryAfterSeconds);
        if (outcome !== undefined) return estReply(CSR_RESPONSE, outcome.answer.csrResponse);
        if (context.caller.type !== 'device') throw unauthenticated();
        const answer = await renewDevice(instance, context.caller, renewalInput(context, label), 'gmdualenroll');
        return estReply(CSR_RESPONSE, answer.csrResponse);
      },
    },
  ];
}

function routesOf(operation: EstOperation): Route[] {
  const { name, operationId, summary, method, answers, handle } = operation;
  const common = {
    method,
    tag: 'est',
    summary,
    tlsOnly: true,
    access: method === 'get' ? ({ public: true } as const) : ({ enrolling: true } as const),
    answers,
    ...(method === 'post' ? { media: CSR_MEDIA } : {}),
  };
  return [
    route({ ...common, operationId, path: `${BASE}/${name}`, handle: (context) => handle(context, undefined) }),
    route({
      ...common,
      operationId: `${operationId}Label`,
      path: `${BASE}/:label/${name}`,
      params: LABELLED,
      handle: (context) => handle(context, context.params.label),
    }),
  ];
}

/** Routes of EST; their refusals are texts and no problem documents (see `formOf`). */
export function estRoutes(instance: Instance): Route[] {
  return [...publicOperations(instance), ...deviceOperations(instance)].flatMap(routesOf);
}
