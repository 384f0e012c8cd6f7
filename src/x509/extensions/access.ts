/** Where things are found: policies, CRL distribution points, authority and subject information (RFC 5280 4.2.1.4, 4.2.1.13, 4.2.2). */
import {
  children,
  contextExplicit,
  contextImplicit,
  cursor,
  eachChild,
  ia5String,
  implicitAs,
  oid,
  readBitString,
  readOid,
  sequence,
  TAG,
} from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { decodeValue, extensionCodec, extensionFault, extensionRefused } from './codec.ts';
import type { ExtensionCodec } from './codec.ts';
import { decodeGeneralName, decodeGeneralNames, encodeGeneralName, encodeTaggedGeneralNames } from './general-name.ts';
import type { GeneralName } from './general-name.ts';
import { decodeNamedBits, encodeNamedBits } from './key-usage.ts';

export interface PolicyInformation {
  /** Dotted OID of the policy. */
  readonly policyIdentifier: string;
  /** PolicyQualifierInfo DER each, as `cpsQualifier` makes them; absent when there are none. */
  readonly qualifiers?: readonly Buffer[];
}

/** The named bits of ReasonFlags, in bit order (RFC 5280 4.2.1.13). */
const REASON_FLAGS = [
  'unused',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
] as const;
export type ReasonFlag = (typeof REASON_FLAGS)[number];

/** DistributionPointName: the full names, or RDN DER relative to the CRL issuer (foreign certificates only). */
export type DistributionPointName =
  | { readonly fullName: readonly GeneralName[] }
  | { readonly nameRelativeToCRLIssuer: Buffer };

export interface DistributionPoint {
  readonly distributionPoint?: DistributionPointName;
  readonly reasons?: readonly ReasonFlag[];
  readonly cRLIssuer?: readonly GeneralName[];
}

export interface AccessDescription {
  /** Dotted OID: `OID.caIssuers`, `OID.ocsp` or `OID.caRepository`. */
  readonly accessMethod: string;
  readonly accessLocation: GeneralName;
}

const MAX_ITEMS = 64;

function items(value: Buffer, what: string): DerElement[] {
  const element = decodeValue(value);
  if (element.tag !== TAG.sequence) throw extensionFault(`${what} must be a SEQUENCE`);
  const found: DerElement[] = [];
  for (const child of eachChild(element)) {
    if (found.length === MAX_ITEMS) throw extensionFault(`${what} holds more than ${MAX_ITEMS} items`);
    found.push(child);
  }
  if (found.length === 0) throw extensionFault(`${what} is empty`);
  return found;
}

function sequenceOfItems(parts: readonly Buffer[], what: string): Buffer {
  if (parts.length === 0) throw extensionRefused(`${what} is empty`);
  return sequence(...parts);
}

/** PolicyQualifierInfo DER that points to the certification practice statement at `uri` (RFC 5280 4.2.1.4). */
export function cpsQualifier(uri: string): Buffer {
  return sequence(oid(OID.cps), ia5String(uri));
}

function decodePolicy(element: DerElement): PolicyInformation {
  const fields = sequenceFields(element, 'PolicyInformation');
  const policyIdentifier = readOid(fields.next(TAG.oid, 'policyIdentifier'));
  const qualifiersElement = fields.optional(TAG.sequence);
  fields.end('PolicyInformation');
  if (qualifiersElement === undefined) return { policyIdentifier };
  const qualifiers = children(qualifiersElement).map((qualifier) => {
    const parts = sequenceFields(qualifier, 'PolicyQualifierInfo');
    readOid(parts.next(TAG.oid, 'policyQualifierId'));
    parts.any('qualifier');
    parts.end('PolicyQualifierInfo');
    return qualifier.encoded;
  });
  if (qualifiers.length === 0) throw extensionFault('policyQualifiers is empty');
  return { policyIdentifier, qualifiers };
}

/** certificatePolicies: no policy twice. */
export const certificatePolicies = extensionCodec<readonly PolicyInformation[]>({
  oid: OID.certificatePolicies,
  critical: false,
  encode(policies) {
    const parts = policies.map(({ policyIdentifier, qualifiers }) =>
      qualifiers === undefined
        ? sequence(oid(policyIdentifier))
        : sequence(oid(policyIdentifier), sequenceOfItems(qualifiers, 'policyQualifiers')),
    );
    return sequenceOfItems(parts, 'certificatePolicies');
  },
  decode(value) {
    const policies = items(value, 'certificatePolicies').map(decodePolicy);
    if (new Set(policies.map((policy) => policy.policyIdentifier)).size < policies.length) {
      throw extensionFault('certificatePolicies names a policy twice');
    }
    return policies;
  },
});

/** DistributionPointName DER: a CHOICE, to be put behind an EXPLICIT tag. */
export function encodeDistributionPointName(name: DistributionPointName): Buffer {
  return 'fullName' in name
    ? encodeTaggedGeneralNames(0, name.fullName)
    : contextImplicit(1, name.nameRelativeToCRLIssuer);
}

/** The DistributionPointName inside the EXPLICIT element around it. Throws `E_DER` when it is none. */
export function decodeDistributionPointName(explicit: DerElement): DistributionPointName {
  const fields = cursor(explicit);
  const name = fields.any('distributionPoint');
  fields.end('distributionPoint');
  if (name.tag === 0xa0) return { fullName: decodeGeneralNames(name) };
  if (name.tag === 0xa1) return { nameRelativeToCRLIssuer: implicitAs(name, TAG.set).encoded };
  throw extensionFault('a distribution point has an unknown form');
}

/** ReasonFlags behind the IMPLICIT context tag `number`. */
export function encodeReasonFlags(number: number, reasons: readonly ReasonFlag[]): Buffer {
  return contextImplicit(number, encodeNamedBits(REASON_FLAGS, reasons));
}

/** ReasonFlags behind an IMPLICIT tag. Throws `E_DER` as `decodeNamedBits`. */
export function decodeReasonFlags(element: DerElement): ReasonFlag[] {
  return decodeNamedBits(REASON_FLAGS, readBitString(implicitAs(element, TAG.bitString)));
}

function encodeDistributionPoint({ distributionPoint, reasons, cRLIssuer }: DistributionPoint): Buffer {
  const parts: Buffer[] = [];
  if (distributionPoint !== undefined) parts.push(contextExplicit(0, encodeDistributionPointName(distributionPoint)));
  if (reasons !== undefined) parts.push(encodeReasonFlags(1, reasons));
  if (cRLIssuer !== undefined) parts.push(encodeTaggedGeneralNames(2, cRLIssuer));
  return sequence(...parts);
}

function decodeDistributionPoint(element: DerElement): DistributionPoint {
  const fields = sequenceFields(element, 'DistributionPoint');
  const name = fields.optional(0xa0);
  const reasons = fields.optional(0x81);
  const issuer = fields.optional(0xa2);
  fields.end('DistributionPoint');
  if (name === undefined && issuer === undefined) throw extensionFault('a distribution point names nothing');
  return {
    ...(name === undefined ? {} : { distributionPoint: decodeDistributionPointName(name) }),
    ...(reasons === undefined ? {} : { reasons: decodeReasonFlags(reasons) }),
    ...(issuer === undefined ? {} : { cRLIssuer: decodeGeneralNames(issuer) }),
  };
}

function distributionPointsCodec(dotted: string, what: string): ExtensionCodec<readonly DistributionPoint[]> {
  return extensionCodec({
    oid: dotted,
    critical: false,
    encode: (points) => sequenceOfItems(points.map(encodeDistributionPoint), what),
    decode: (value) => items(value, what).map(decodeDistributionPoint),
  });
}

/** cRLDistributionPoints. */
export const crlDistributionPoints = distributionPointsCodec(OID.crlDistributionPoints, 'cRLDistributionPoints');

/** freshestCRL: where the delta CRL is (RFC 5280 5.2.6). */
export const freshestCrl = distributionPointsCodec(OID.freshestCrl, 'freshestCRL');

/** One distribution point with one URI each, in this order. */
export function distributionPointsOf(uris: readonly string[]): DistributionPoint[] {
  return uris.map((value) => ({
    distributionPoint: { fullName: [{ type: 'uniformResourceIdentifier', value }] },
  }));
}

function accessCodec(dotted: string, what: string): ExtensionCodec<readonly AccessDescription[]> {
  return extensionCodec({
    oid: dotted,
    critical: false,
    encode: (descriptions) =>
      sequenceOfItems(
        descriptions.map(({ accessMethod, accessLocation }) =>
          sequence(oid(accessMethod), encodeGeneralName(accessLocation)),
        ),
        what,
      ),
    decode: (value) =>
      items(value, what).map((element) => {
        const fields = sequenceFields(element, 'AccessDescription');
        const accessMethod = readOid(fields.next(TAG.oid, 'accessMethod'));
        const accessLocation = decodeGeneralName(fields.any('accessLocation'));
        fields.end('AccessDescription');
        return { accessMethod, accessLocation };
      }),
  });
}

/** authorityInfoAccess: caIssuers and OCSP. */
export const authorityInfoAccess = accessCodec(OID.authorityInfoAccess, 'authorityInfoAccess');

/** subjectInfoAccess: caRepository. */
export const subjectInfoAccess = accessCodec(OID.subjectInfoAccess, 'subjectInfoAccess');

/** One access description by a URI. */
export function accessByUri(accessMethod: string, uri: string): AccessDescription {
  return { accessMethod, accessLocation: { type: 'uniformResourceIdentifier', value: uri } };
}
