import { newId } from '../../domain/id.ts';
import { keyActRule } from '../../domain/key-state.ts';
import type { RevokeKeyRequest } from '../../x509/ca-kmc/request.ts';
import { transitionKey } from '../keys/transition-key.ts';
import type { Database } from '../ports/database.ts';
import type { MessageScene, Prepared } from './prepared-response.ts';

/**
 * Prepares the answer to RevokeKeyReq: the key goes to the history store, where it can still be recovered.
 * @throws KmcError E_STORAGE; on recording E_CONFLICT when the key changed meanwhile.
 */
export async function revokeKey(
  { database }: { readonly database: Database },
  { authority, at, actor, source }: MessageScene,
  { certificateSerial }: RevokeKeyRequest,
): Promise<Prepared> {
  const { authorityId } = authority;
  const key = await database.read((reader) => reader.escrowedKeys.findByCertificate(authorityId, certificateSerial));
  if (key === undefined) return 'no-such-key';
  if (!keyActRule('deactivate').from.includes(key.state)) return 'wrong-state';
  const auditEvent = newId('ev', at);
  const terms = [{ type: 'authority', id: authorityId }];
  const detail = { protocol: 'gmt-0014', serial: certificateSerial };
  return {
    response: { kind: 'revoke', certificateSerial },
    async record(tx) {
      await transitionKey(tx, key, { act: 'deactivate', auditEvent, at, actor, source, terms, detail });
    },
  };
}
