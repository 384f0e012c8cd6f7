/**
 * CARequest (GM/T 0014): what a certification authority asks of a key management centre, signed over the KSRequest.
 *   CARequest ::= SEQUENCE { KSRequest, signatureAlgorithm, signatureValue OCTET STRING }
 *   KSRequest ::= SEQUENCE { version 1, caName, SEQUENCE OF Request, requestTime, taskNO INTEGER }
 * Field order from two implementations that agree, not from the standard's text.
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
  oid,
  readGeneralizedTime,
  readInteger,
  readOctetString,
  readSmallInteger,
  sequence,
  sequenceOf,
  TAG,
} from '../../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../../crypto/asn1/der.ts';
import { KmcError } from '../../errors.ts';
import { encodeSerialNumber, serialNumberText } from '../serial-number.ts';
import { encodeEntityName, parseEntityName, readAlgorithm } from './entity-name.ts';
import type { EntityName } from './entity-name.ts';
import { splitProtocolMessage } from './protocol-message.ts';
import type { ProtocolMessage } from './protocol-message.ts';

/** The algorithms in which a private key is to be returned, dotted OIDs. */
export interface ReturnAlgorithms {
  readonly asymmetric: string;
  readonly symmetric: string;
  readonly hash: string;
}

export interface ApplyKeyRequest {
  readonly kind: 'apply';
  /** Kind of the key that is asked for, dotted OID, and its length in bits. */
  readonly keyType: string;
  readonly keyBits: number;
  readonly return: ReturnAlgorithms;
  /** userCertNo: serial number of the encryption certificate to come, as `serialNumberText`. */
  readonly certificateSerial: string;
  /** userPubKey: subjectPublicKeyInfo of the user's signing key, DER; not judged here. */
  readonly recipientSpki: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Name DER in practice; any octets here. */
  readonly userName?: Buffer;
  /** Code of the region. */
  readonly regionCode?: Buffer;
  /** Whole element inside the tag: IA5String or OCTET STRING. */
  readonly extendInfo?: Buffer;
}

export interface RestoreKeyRequest {
  readonly kind: 'restore';
  readonly return: ReturnAlgorithms;
  readonly certificateSerial: string;
  readonly recipientSpki: Buffer;
}

export interface RevokeKeyRequest {
  readonly kind: 'revoke';
  readonly certificateSerial: string;
}

export type KeyServiceRequest = ApplyKeyRequest | RestoreKeyRequest | RevokeKeyRequest;

/** What is signed. */
export interface KeyServiceRequests {
  readonly caName: EntityName;
  readonly requests: readonly KeyServiceRequest[];
  readonly requestTime: Date;
  /** taskNO: ties the response to the request. */
  readonly task: bigint;
}

export interface CaRequest extends KeyServiceRequests {
  /** The signed part and its signature. */
  readonly message: ProtocolMessage;
}

/** Requests in one message at the most. */
export const MOST_REQUESTS = 100;
const VERSION = 1;
const LONGEST_DER = 262_144;
const LONGEST_TASK = 20;
const LONGEST_TEXT = 1_024;
const REQUEST_TAGS = { apply: 0, restore: 1, revoke: 2 } as const;
const CONTEXT_CONSTRUCTED = 0xa0;

function algorithm(dotted: string): Buffer {
  return sequence(oid(dotted));
}

function returnAlgorithms({ asymmetric, symmetric, hash }: ReturnAlgorithms): Buffer[] {
  return [algorithm(asymmetric), algorithm(symmetric), algorithm(hash)];
}

function encodeUser(request: ApplyKeyRequest): Buffer {
  const { userName, regionCode, extendInfo } = request;
  return sequence(
    encodeSerialNumber(request.certificateSerial),
    request.recipientSpki,
    generalizedTime(request.notBefore),
    generalizedTime(request.notAfter),
    ...(userName === undefined ? [] : [contextExplicit(0, octetString(userName))]),
    ...(regionCode === undefined ? [] : [contextExplicit(1, octetString(regionCode))]),
    ...(extendInfo === undefined ? [] : [contextExplicit(2, extendInfo)]),
  );
}

function partsOf(request: KeyServiceRequest): Buffer[] {
  const serial = encodeSerialNumber(request.certificateSerial);
  if (request.kind === 'revoke') return [serial];
  const algorithms = returnAlgorithms(request.return);
  if (request.kind === 'restore') return [...algorithms, serial, request.recipientSpki];
  return [algorithm(request.keyType), integer(request.keyBits), ...algorithms, encodeUser(request)];
}

function encodeRequest(request: KeyServiceRequest): Buffer {
  return contextImplicit(REQUEST_TAGS[request.kind], sequence(...partsOf(request)));
}

/** KSRequest DER: the octets that the CA signs. Throws `E_DER` for no or more than 100 requests, `E_CERT` for a serial. */
export function encodeKeyServiceRequests({ caName, requests, requestTime, task }: KeyServiceRequests): Buffer {
  requireCount(requests.length);
  return sequence(
    integer(VERSION),
    encodeEntityName(caName),
    sequenceOf(requests.map(encodeRequest)),
    generalizedTime(requestTime),
    integer(task),
  );
}

/**
 * Reads a CARequest and verifies nothing, see `verifyProtocolMessage`.
 * @throws KmcError E_DER for another structure, version, or number of requests than 1 to 100; E_SIZE above 256 KiB;
 * E_SIGNATURE for a signature algorithm that is not accepted.
 */
export function parseCaRequest(der: Buffer): CaRequest {
  const message = splitProtocolMessage(der, 'CARequest', LONGEST_DER);
  const fields = cursor(message.signed);
  if (readSmallInteger(fields.next(TAG.integer, 'version')) !== VERSION) {
    throw new KmcError('E_DER', 'The KSRequest is not version 1.');
  }
  const caName = parseEntityName(fields.next(TAG.sequence, 'caName'));
  const requests: KeyServiceRequest[] = [];
  for (const child of eachChild(fields.next(TAG.sequence, 'requestList'))) {
    requireCount(requests.length + 1);
    requests.push(parseRequest(child));
  }
  requireCount(requests.length);
  const requestTime = readGeneralizedTime(fields.next(TAG.generalizedTime, 'requestTime'));
  const task = readTask(fields.next(TAG.integer, 'taskNO'));
  fields.end('KSRequest');
  return { caName, requests, requestTime, task, message };
}

/** taskNO of either direction. Throws `E_DER` when it is negative or longer than 20 octets. */
export function readTask(element: DerElement): bigint {
  const task = element.content.length > LONGEST_TASK ? -1n : readInteger(element);
  if (task < 0n) throw new KmcError('E_DER', 'taskNO is negative or too long.');
  return task;
}

function requireCount(count: number): void {
  if (count >= 1 && count <= MOST_REQUESTS) return;
  throw new KmcError('E_DER', `A message to the key management centre holds 1 to ${MOST_REQUESTS} requests.`);
}

const REQUEST_READERS: ReadonlyMap<number, (fields: DerCursor) => KeyServiceRequest> = new Map<
  number,
  (fields: DerCursor) => KeyServiceRequest
>([
  [CONTEXT_CONSTRUCTED | REQUEST_TAGS.apply, parseApply],
  [CONTEXT_CONSTRUCTED | REQUEST_TAGS.restore, parseRestore],
  [CONTEXT_CONSTRUCTED | REQUEST_TAGS.revoke, parseRevoke],
]);

function parseRequest(element: DerElement): KeyServiceRequest {
  const read = REQUEST_READERS.get(element.tag);
  if (read === undefined) throw new KmcError('E_DER', 'A request of the message is of a kind that is not known.');
  const fields = cursor(implicitAs(element, TAG.sequence));
  const request = read(fields);
  fields.end('Request');
  return request;
}

function readReturn(fields: DerCursor): ReturnAlgorithms {
  return {
    asymmetric: readAlgorithm(fields.next(TAG.sequence, 'retAsymAlg')),
    symmetric: readAlgorithm(fields.next(TAG.sequence, 'retSymAlg')),
    hash: readAlgorithm(fields.next(TAG.sequence, 'retHashAlg')),
  };
}

function readUserCertNo(fields: DerCursor): string {
  return serialNumberText(fields.next(TAG.integer, 'userCertNo'));
}

function parseApply(fields: DerCursor): ApplyKeyRequest {
  const keyType = readAlgorithm(fields.next(TAG.sequence, 'appKeyType'));
  const keyBits = readSmallInteger(fields.next(TAG.integer, 'appKeyLen'));
  const algorithms = readReturn(fields);
  const user = cursor(fields.next(TAG.sequence, 'appUserInfo'));
  const certificateSerial = readUserCertNo(user);
  const recipientSpki = user.next(TAG.sequence, 'userPubKey').encoded;
  const notBefore = readGeneralizedTime(user.next(TAG.generalizedTime, 'notBefore'));
  const notAfter = readGeneralizedTime(user.next(TAG.generalizedTime, 'notAfter'));
  const userName = optionalOctets(user, 0, 'userName');
  const regionCode = optionalOctets(user, 1, 'dsCode');
  const extendInfo = optionalInside(user, 2, 'extendInfo');
  user.end('AppUserInfo');
  if (extendInfo !== undefined && extendInfo.tag !== TAG.octetString && extendInfo.tag !== TAG.ia5String) {
    throw new KmcError('E_DER', 'extendInfo is of a type that is not accepted.');
  }
  return {
    kind: 'apply',
    keyType,
    keyBits,
    return: algorithms,
    certificateSerial,
    recipientSpki,
    notBefore,
    notAfter,
    ...(userName === undefined ? {} : { userName }),
    ...(regionCode === undefined ? {} : { regionCode }),
    ...(extendInfo === undefined ? {} : { extendInfo: extendInfo.encoded }),
  };
}

function parseRestore(fields: DerCursor): RestoreKeyRequest {
  const algorithms = readReturn(fields);
  const certificateSerial = readUserCertNo(fields);
  const recipientSpki = fields.next(TAG.sequence, 'userPubKey').encoded;
  return { kind: 'restore', return: algorithms, certificateSerial, recipientSpki };
}

function parseRevoke(fields: DerCursor): RevokeKeyRequest {
  return { kind: 'revoke', certificateSerial: readUserCertNo(fields) };
}

function optionalInside(fields: DerCursor, number: number, what: string): DerElement | undefined {
  const tagged = fields.optional(CONTEXT_CONSTRUCTED | number);
  if (tagged === undefined) return undefined;
  const inside = cursor(tagged);
  const element = inside.any(what);
  inside.end(what);
  if (element.content.length > LONGEST_TEXT) throw new KmcError('E_DER', `${what} is too long.`);
  return element;
}

function optionalOctets(fields: DerCursor, number: number, what: string): Buffer | undefined {
  const element = optionalInside(fields, number, what);
  return element === undefined ? undefined : readOctetString(element);
}
