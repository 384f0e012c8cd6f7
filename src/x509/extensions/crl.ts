/** Extensions of CRLs, CRL entries and OCSP responders (RFC 5280 5.2 and 5.3, RFC 6960 4.2.2.2.1). */
import {
  boolean,
  contextExplicit,
  contextImplicit,
  enumerated,
  generalizedTime,
  implicitAs,
  integer,
  nullValue,
  readBoolean,
  readEnumerated,
  readGeneralizedTime,
  readInteger,
  sequence,
  TAG,
} from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import {
  decodeDistributionPointName,
  decodeReasonFlags,
  encodeDistributionPointName,
  encodeReasonFlags,
} from './access.ts';
import type { DistributionPointName, ReasonFlag } from './access.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { decodeValue, extensionCodec, extensionFault, extensionRefused } from './codec.ts';
import type { ExtensionCodec } from './codec.ts';
import { decodeUntaggedGeneralNames, encodeGeneralNames } from './general-name.ts';
import type { GeneralName } from './general-name.ts';

/** CRLReason (RFC 5280 5.3.1). */
export const CRL_REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const;
export type CrlReason = (typeof CRL_REASONS)[number];

/** The value 7 is not used. */
const REASON_NUMBERS: Readonly<Record<CrlReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
};

export interface IssuingDistributionPoint {
  readonly distributionPoint?: DistributionPointName;
  readonly onlyContainsUserCerts?: true;
  readonly onlyContainsCACerts?: true;
  readonly onlySomeReasons?: readonly ReasonFlag[];
  readonly indirectCRL?: true;
  readonly onlyContainsAttributeCerts?: true;
}

/** CRL numbers have at most 20 octets (RFC 5280 5.2.3). */
const MAX_CRL_NUMBER = (1n << 159n) - 1n;

function numberCodec(dotted: string, critical: boolean): ExtensionCodec<bigint> {
  return extensionCodec({
    oid: dotted,
    critical,
    encode(value) {
      if (value < 0n || value > MAX_CRL_NUMBER) throw extensionRefused('a CRL number must have at most 20 octets');
      return integer(value);
    },
    decode(value) {
      const found = readInteger(decodeValue(value));
      if (found < 0n || found > MAX_CRL_NUMBER) throw extensionFault('a CRL number is negative or above 20 octets');
      return found;
    },
  });
}

/** cRLNumber. */
export const crlNumber = numberCodec(OID.crlNumber, false);

/** deltaCRLIndicator: the number of the complete CRL that the delta starts from; critical (RFC 5280 5.2.4). */
export const deltaCrlIndicator = numberCodec(OID.deltaCrlIndicator, true);

/** reasonCode of a CRL entry. */
export const reasonCode = extensionCodec<CrlReason>({
  oid: OID.reasonCode,
  critical: false,
  encode: (reason) => enumerated(REASON_NUMBERS[reason]),
  decode(value) {
    const number = readEnumerated(decodeValue(value));
    const reason = CRL_REASONS.find((name) => REASON_NUMBERS[name] === number);
    if (reason === undefined) throw extensionFault('a reasonCode has no meaning');
    return reason;
  },
});

/** invalidityDate of a CRL entry: GeneralizedTime of any year. */
export const invalidityDate = extensionCodec<Date>({
  oid: OID.invalidityDate,
  critical: false,
  encode: generalizedTime,
  decode: (value) => readGeneralizedTime(decodeValue(value)),
});

/** certificateIssuer of an entry of an indirect CRL (read only from foreign CRLs). */
export const certificateIssuer = extensionCodec<readonly GeneralName[]>({
  oid: OID.certificateIssuer,
  critical: true,
  encode: encodeGeneralNames,
  decode: (value) => decodeUntaggedGeneralNames(decodeValue(value)),
});

/** The BOOLEAN DEFAULT FALSE fields and their tags. */
const FLAGS = {
  onlyContainsUserCerts: 1,
  onlyContainsCACerts: 2,
  indirectCRL: 4,
  onlyContainsAttributeCerts: 5,
} as const;
type Flag = keyof typeof FLAGS;

function readFlag(element: DerElement | undefined): boolean {
  if (element === undefined) return false;
  if (!readBoolean(implicitAs(element, TAG.boolean))) throw extensionFault('a default FALSE is written out');
  return true;
}

/** issuingDistributionPoint: the scope of a partitioned CRL; critical (RFC 5280 5.2.5). */
export const issuingDistributionPoint = extensionCodec<IssuingDistributionPoint>({
  oid: OID.issuingDistributionPoint,
  critical: true,
  encode(scope) {
    const flag = (name: Flag): Buffer[] => (scope[name] ? [contextImplicit(FLAGS[name], boolean(true))] : []);
    const { distributionPoint, onlySomeReasons } = scope;
    return sequence(
      ...(distributionPoint === undefined ? [] : [contextExplicit(0, encodeDistributionPointName(distributionPoint))]),
      ...flag('onlyContainsUserCerts'),
      ...flag('onlyContainsCACerts'),
      ...(onlySomeReasons === undefined ? [] : [encodeReasonFlags(3, onlySomeReasons)]),
      ...flag('indirectCRL'),
      ...flag('onlyContainsAttributeCerts'),
    );
  },
  decode(value) {
    const fields = sequenceFields(decodeValue(value), 'issuingDistributionPoint');
    const name = fields.optional(0xa0);
    const userCerts = readFlag(fields.optional(0x80 | FLAGS.onlyContainsUserCerts));
    const caCerts = readFlag(fields.optional(0x80 | FLAGS.onlyContainsCACerts));
    const reasons = fields.optional(0x83);
    const indirect = readFlag(fields.optional(0x80 | FLAGS.indirectCRL));
    const attributeCerts = readFlag(fields.optional(0x80 | FLAGS.onlyContainsAttributeCerts));
    fields.end('issuingDistributionPoint');
    return {
      ...(name === undefined ? {} : { distributionPoint: decodeDistributionPointName(name) }),
      ...(userCerts ? { onlyContainsUserCerts: true } : {}),
      ...(caCerts ? { onlyContainsCACerts: true } : {}),
      ...(reasons === undefined ? {} : { onlySomeReasons: decodeReasonFlags(reasons) }),
      ...(indirect ? { indirectCRL: true } : {}),
      ...(attributeCerts ? { onlyContainsAttributeCerts: true } : {}),
    };
  },
});

/** id-pkix-ocsp-nocheck: NULL. */
export const ocspNoCheck = extensionCodec<true>({
  oid: OID.ocspNoCheck,
  critical: false,
  encode: () => nullValue(),
  decode(value) {
    if (decodeValue(value).tag !== TAG.null) throw extensionFault('ocspNoCheck must be NULL');
    return true;
  },
});
