/** What a CA may certify: basicConstraints (RFC 5280 4.2.1.9). */
import { boolean, integer, readBoolean, readSmallInteger, sequence, TAG } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { decodeValue, extensionCodec, extensionFault, extensionRefused } from './codec.ts';

export interface BasicConstraints {
  readonly ca: boolean;
  /** How many CA certificates, self-issued ones not counted, may follow; only with `ca`. */
  readonly pathLength?: number;
}

/** basicConstraints; cA FALSE is left out because it is the default (X.690 11.5). */
export const basicConstraints = extensionCodec<BasicConstraints>({
  oid: OID.basicConstraints,
  critical: true,
  encode({ ca, pathLength }) {
    if (pathLength === undefined) return ca ? sequence(boolean(true)) : sequence();
    if (!ca || pathLength < 0) throw extensionRefused('pathLenConstraint needs cA TRUE and must not be negative');
    return sequence(boolean(true), integer(pathLength));
  },
  decode(value) {
    const fields = sequenceFields(decodeValue(value), 'basicConstraints');
    const caElement = fields.optional(TAG.boolean);
    if (caElement !== undefined && !readBoolean(caElement)) {
      throw extensionFault('basicConstraints writes out its default cA FALSE');
    }
    const lengthElement = fields.optional(TAG.integer);
    fields.end('basicConstraints');
    const ca = caElement !== undefined;
    if (lengthElement === undefined) return { ca };
    const pathLength = readSmallInteger(lengthElement);
    if (!ca || pathLength < 0) throw extensionFault('pathLenConstraint needs cA TRUE and must not be negative');
    return { ca, pathLength };
  },
});
