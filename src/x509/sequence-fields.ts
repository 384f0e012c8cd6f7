import { cursor, TAG } from '../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../crypto/asn1/der.ts';
import { KmcError } from '../errors.ts';

/** The fields of an element that must be a SEQUENCE; `what` names it. Throws `E_DER` for another type. */
export function sequenceFields(element: DerElement, what: string): DerCursor {
  if (element.tag !== TAG.sequence) throw new KmcError('E_DER', `Not strict DER: ${what} must be a SEQUENCE.`);
  return cursor(element);
}
