import { spkiSm3 } from '../../crypto/spki.ts';
import { newId } from '../../domain/id.ts';
import { readUserRecoveryParameters, requireRecoverable } from '../../domain/recovery.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import { keyIdOf, keyTarget, presentKey } from '../keys/key-target.ts';
import type { OpenEscrowedKeyPorts } from '../keys/open-escrowed-key.ts';
import { envelopeKey } from './envelope-key.ts';
import { recordRecovery } from './record-recovery.ts';

/**
 * The act `recovery.user`: what a user recovery became that was not answered at once. Target `key/<id>`; parameter
 * `recipient`, the key that it goes to. The envelope is fetched with the recovery that the result names.
 */
export function approvedUserRecovery(ports: OpenEscrowedKeyPorts): DatabaseHandler {
  return {
    kind: 'database',
    target: keyTarget,
    async check(reader, targetId, params) {
      readUserRecoveryParameters(params);
      requireRecoverable((await presentKey(reader, targetId)).state, 'approved');
    },
    async prepare(act) {
      const { recipientSpki } = readUserRecoveryParameters(act.request.params);
      const key = await ports.database.read((reader) => presentKey(reader, keyIdOf(act)));
      requireRecoverable(key.state, 'approved');
      const row = {
        id: newId('recovery', act.at),
        kind: 'user',
        keyId: key.id,
        requestId: act.request.id,
        caseId: undefined,
        recipientSpkiSm3: spkiSm3(recipientSpki),
        recipientCertificate: undefined,
        envelopedKey: await envelopeKey(ports, key, recipientSpki),
        keyState: key.state,
        recoveredAt: act.at,
        auditEvent: newId('ev', act.at),
      } as const;
      return async (tx) => {
        const detail = { recipient: row.recipientSpkiSm3, from: key.state };
        const { actor, source, approvals } = act;
        await recordRecovery(tx, key, { row, way: 'approved', detail, actor, source, approvals });
        return { recovery: row.id, key: key.id, kid: key.spkiSm3 };
      };
    },
  };
}
