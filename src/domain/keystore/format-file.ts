/** The FORMAT file: what a keystore directory says of itself; written once. */
import { ID } from '../id.ts';
import { KEYSTORE_KINDS, type KeystoreKind } from './keystore-kind.ts';
import { decodeRecord, encodeRecord } from './record-fields.ts';

export interface KeystoreFormat {
  /** Id of the KMC instance it belongs to. */
  readonly instance: string;
  readonly kind: KeystoreKind;
}

const FORMAT = 'kmc-keystore-1';

/** The bytes of the FORMAT file. */
export function encodeFormatFile({ instance, kind }: KeystoreFormat): Buffer {
  return encodeRecord({ format: FORMAT, instance, kind });
}

/** Reads a FORMAT file. @throws KmcError E_INTEGRITY for a keystore of another version or a damaged file. */
export function decodeFormatFile(bytes: Buffer): KeystoreFormat {
  return decodeRecord(bytes, 'The FORMAT file of the keystore', (fields) => {
    fields.choice('format', [FORMAT]);
    return { instance: fields.text('instance', ID), kind: fields.choice('kind', KEYSTORE_KINDS) };
  });
}
