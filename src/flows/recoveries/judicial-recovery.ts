import { sm3 } from '../../crypto/gm/sm3.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { newId } from '../../domain/id.ts';
import {
  evidenceCertificateName,
  readEvidenceCertificate,
  readJudicialParameters,
  requireRecoverable,
  type JudicialParameters,
} from '../../domain/recovery.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import { presentKey } from '../keys/key-target.ts';
import type { OpenEscrowedKeyPorts } from '../keys/open-escrowed-key.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { RecoveryRow } from '../ports/recoveries.ts';
import { envelopeKey } from './envelope-key.ts';
import { recordRecovery } from './record-recovery.ts';

function caseDetail(params: JudicialParameters, key: EscrowedKeyRow, envelopedKey: Buffer): Record<string, string> {
  return {
    case: auditText(params.caseNumber),
    legalBasis: auditText(params.legalBasis),
    applicant: auditText(params.applicant),
    evidenceCertificate: evidenceCertificateName(params),
    envelope: `sm3:${sm3(envelopedKey).toString('hex')}`,
    state: key.state,
    ...(key.owner === undefined ? {} : { authority: key.owner.authorityId, serial: key.owner.certificateSerial }),
  };
}

/**
 * The act `recovery.judicial` (司法恢复): m of n recovery officers of at least two organisations let one key go to one
 * evidence certificate, within the window of the request. Target `case/<id>`; a case may have several such requests.
 */
export function judicialRecovery(ports: OpenEscrowedKeyPorts & { readonly clock: { now(): Date } }): DatabaseHandler {
  return {
    kind: 'database',
    async target() {
      return ABSENT;
    },
    async check(reader, _caseId, params) {
      const { key, evidenceCertificate } = readJudicialParameters(params);
      readEvidenceCertificate(Buffer.from(evidenceCertificate, 'base64'), ports.clock.now());
      requireRecoverable((await presentKey(reader, key)).state, 'approved');
    },
    async prepare(act) {
      const params = readJudicialParameters(act.request.params);
      const recipientCertificate = Buffer.from(params.evidenceCertificate, 'base64');
      const { spki } = readEvidenceCertificate(recipientCertificate, act.at);
      const key = await ports.database.read((reader) => presentKey(reader, params.key));
      requireRecoverable(key.state, 'approved');
      const envelopedKey = await envelopeKey(ports, key, spki);
      const row: RecoveryRow = {
        id: newId('recovery', act.at),
        kind: 'judicial',
        keyId: key.id,
        requestId: act.request.id,
        caseId: act.request.target.split('/')[1] ?? '',
        recipientSpkiSm3: spkiSm3(spki),
        recipientCertificate,
        envelopedKey,
        keyState: key.state,
        recoveredAt: act.at,
        auditEvent: newId('ev', act.at),
      };
      const detail = caseDetail(params, key, envelopedKey);
      return async (tx) => {
        const { actor, source, approvals } = act;
        await recordRecovery(tx, key, { row, way: 'approved', detail, actor, source, approvals });
        return { recovery: row.id, key: key.id, kid: key.spkiSm3 };
      };
    },
  };
}
