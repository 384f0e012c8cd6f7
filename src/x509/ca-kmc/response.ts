/**
 * KMRespond (GM/T 0014): what the key management centre answers, signed over the KSRespond.
 *   KSRespond ::= SEQUENCE { version 1, kmName, SEQUENCE OF Respond, respondTime, taskNO INTEGER }
 *   Respond   ::= CHOICE { [0] apply, [1] restore, [2] revoke, [3] error }
 */
import {
  contextExplicit,
  contextImplicit,
  cursor,
  eachChild,
  generalizedTime,
  implicitAs,
  integer,
  octetString,
  readGeneralizedTime,
  readOctetString,
  readSmallInteger,
  readString,
  sequence,
  sequenceOf,
  TAG,
} from '../../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../../crypto/asn1/der.ts';
import { KmcError } from '../../errors.ts';
import { encodeSerialNumber, serialNumberText } from '../serial-number.ts';
import { encodeEntityName, parseEntityName } from './entity-name.ts';
import type { EntityName } from './entity-name.ts';
import { splitProtocolMessage } from './protocol-message.ts';
import type { ProtocolMessage } from './protocol-message.ts';
import { MOST_REQUESTS, readTask } from './request.ts';

/** RetKeyRespond: a key that was applied for or restored. */
export interface ReturnedKey {
  readonly kind: 'apply' | 'restore';
  /** userCertNo of the request, as `serialNumberText`. */
  readonly certificateSerial: string;
  /** subjectPublicKeyInfo of the encryption key, DER. */
  readonly spki: Buffer;
  /** SignedAndEnvelopedData, DER. */
  readonly keyPackage: Buffer;
}

export interface RevokedKey {
  readonly kind: 'revoke';
  readonly certificateSerial: string;
}

/** ErrorPkgRespond. */
export interface RefusedRequest {
  readonly kind: 'error';
  readonly number: number;
  readonly description?: string;
}

export type KeyServiceResponse = ReturnedKey | RevokedKey | RefusedRequest;

/** What is signed. */
export interface KeyServiceResponses {
  readonly kmName: EntityName;
  /** One for each request, in the order of the requests; one error alone where the whole message was refused. */
  readonly responses: readonly KeyServiceResponse[];
  readonly respondTime: Date;
  readonly task: bigint;
}

export interface KmcResponse extends KeyServiceResponses {
  readonly message: ProtocolMessage;
}

const VERSION = 1;
const LONGEST_DER = 1_048_576;
const RESPONSE_TAGS = { apply: 0, restore: 1, revoke: 2, error: 3 } as const;
const CONTEXT_CONSTRUCTED = 0xa0;
const DESCRIPTION = 0xa0;

function encodeResponse(response: KeyServiceResponse): Buffer {
  return contextImplicit(RESPONSE_TAGS[response.kind], sequence(...partsOf(response)));
}

function partsOf(response: KeyServiceResponse): Buffer[] {
  if (response.kind === 'error') {
    const { number, description } = response;
    const text = description === undefined ? [] : [contextExplicit(0, octetString(Buffer.from(description, 'utf8')))];
    return [integer(number), ...text];
  }
  const serial = encodeSerialNumber(response.certificateSerial);
  return response.kind === 'revoke' ? [serial] : [serial, response.spki, response.keyPackage];
}

/** KSRespond DER: the octets that the key management centre signs. errDesc is UTF-8 in an OCTET STRING. */
export function encodeKeyServiceResponses({ kmName, responses, respondTime, task }: KeyServiceResponses): Buffer {
  return sequence(
    integer(VERSION),
    encodeEntityName(kmName),
    sequenceOf(responses.map(encodeResponse)),
    generalizedTime(respondTime),
    integer(task),
  );
}

/**
 * Reads a KMRespond and verifies nothing. errDesc may be an OCTET STRING, a string, or a SEQUENCE around a string.
 * @throws KmcError E_DER, E_SIZE above 1 MiB; E_SIGNATURE for a signature algorithm that is not accepted.
 */
export function parseKmcResponse(der: Buffer): KmcResponse {
  const message = splitProtocolMessage(der, 'KMRespond', LONGEST_DER);
  const fields = cursor(message.signed);
  if (readSmallInteger(fields.next(TAG.integer, 'version')) !== VERSION) {
    throw new KmcError('E_DER', 'The KSRespond is not version 1.');
  }
  const kmName = parseEntityName(fields.next(TAG.sequence, 'kmName'));
  const responses: KeyServiceResponse[] = [];
  for (const child of eachChild(fields.next(TAG.sequence, 'respondList'))) {
    if (responses.length === MOST_REQUESTS) throw new KmcError('E_DER', 'The message holds too many responses.');
    responses.push(parseResponse(child));
  }
  const respondTime = readGeneralizedTime(fields.next(TAG.generalizedTime, 'respondTime'));
  const task = readTask(fields.next(TAG.integer, 'taskNO'));
  fields.end('KSRespond');
  return { kmName, responses, respondTime, task, message };
}

const RESPONSE_READERS: ReadonlyMap<number, (fields: DerCursor) => KeyServiceResponse> = new Map<
  number,
  (fields: DerCursor) => KeyServiceResponse
>([
  [CONTEXT_CONSTRUCTED | RESPONSE_TAGS.apply, (fields: DerCursor) => parseReturnedKey('apply', fields)],
  [CONTEXT_CONSTRUCTED | RESPONSE_TAGS.restore, (fields: DerCursor) => parseReturnedKey('restore', fields)],
  [CONTEXT_CONSTRUCTED | RESPONSE_TAGS.revoke, parseRevokedKey],
  [CONTEXT_CONSTRUCTED | RESPONSE_TAGS.error, parseRefusal],
]);

function parseResponse(element: DerElement): KeyServiceResponse {
  const read = RESPONSE_READERS.get(element.tag);
  if (read === undefined) throw new KmcError('E_DER', 'A response of the message is of a kind that is not known.');
  const fields = cursor(implicitAs(element, TAG.sequence));
  const response = read(fields);
  fields.end('Respond');
  return response;
}

function parseReturnedKey(kind: ReturnedKey['kind'], fields: DerCursor): ReturnedKey {
  const certificateSerial = serialNumberText(fields.next(TAG.integer, 'userCertNo'));
  const spki = fields.next(TAG.sequence, 'retPubKey').encoded;
  const keyPackage = fields.next(TAG.sequence, 'retPriKey').encoded;
  return { kind, certificateSerial, spki, keyPackage };
}

function parseRevokedKey(fields: DerCursor): RevokedKey {
  return { kind: 'revoke', certificateSerial: serialNumberText(fields.next(TAG.integer, 'userCertNo')) };
}

function parseRefusal(fields: DerCursor): RefusedRequest {
  const number = readSmallInteger(fields.next(TAG.integer, 'errNo'));
  const tagged = fields.optional(DESCRIPTION);
  if (tagged === undefined) return { kind: 'error', number };
  const inside = cursor(tagged);
  const element = inside.any('errDesc');
  inside.end('errDesc');
  return { kind: 'error', number, description: descriptionOf(element) };
}

function descriptionOf(element: DerElement): string {
  if (element.tag === TAG.octetString) return readOctetString(element).toString('utf8');
  if (element.tag !== TAG.sequence) return readString(element);
  const fields = cursor(element);
  const text = readString(fields.any('errDesc'));
  fields.end('errDesc');
  return text;
}
