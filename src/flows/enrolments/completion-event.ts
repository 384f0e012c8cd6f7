import { sm3 } from '../../crypto/gm/sm3.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { ENROLMENT_OPERATIONS } from '../../domain/enrolment.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { deviceDetail } from '../devices/device-row.ts';
import type { Recording } from './record-enrolment.ts';

/** The event that tells of everything an enrolment or a renewal made. */
export function completionEvent({
  scene: { device, token, source },
  row,
  made,
  authority,
  waitedAs,
}: Recording): AuditEventInput {
  const { sign } = made;
  const pair = 'enc' in made ? made : undefined;
  return {
    id: sign.lastAuditEvent,
    action: token === undefined ? 'enrolment.renew' : 'enrolment.complete',
    outcome: 'success',
    subjects: [
      { type: 'device', id: device.id, version: device.version + 1 },
      ...(token === undefined ? [] : [{ type: 'token' as const, id: token.id }]),
      { type: 'certificate', id: sign.id },
      ...(pair === undefined
        ? []
        : [
            { type: 'certificate' as const, id: pair.enc.id },
            { type: 'key' as const, id: pair.escrowedKey.id, version: pair.escrowedKey.version },
          ]),
    ],
    terms: [
      { type: 'authority', id: sign.authorityId },
      { type: 'enrolment', id: row.id },
    ],
    actor: { type: 'device', id: device.id },
    source,
    detail: {
      ...deviceDetail(device),
      algorithm: authority.row.algorithm,
      authority: sign.authorityId,
      ...(waitedAs === undefined ? {} : { from: waitedAs }),
      ...(device.status === 'in-service' ? {} : { deviceFrom: device.status }),
      csr: `sm3:${sm3(row.csr).toString('hex')}`,
      ...(pair === undefined
        ? {}
        : {
            encryptionCertificate: pair.enc.certificateSm3 ?? '',
            encryptionKid: pair.enc.spkiSm3,
            encryptionNotAfter: signedTime(pair.enc.notAfter),
            encryptionProfile: pair.enc.profile,
            encryptionSerial: pair.enc.serialNumber,
          }),
      protocol: ENROLMENT_OPERATIONS[row.operation].protocol,
      signCertificate: sign.certificateSm3 ?? '',
      signKid: sign.spkiSm3,
      signNotAfter: signedTime(sign.notAfter),
      signProfile: sign.profile,
      signSerial: sign.serialNumber,
      ...(token === undefined ? {} : { token: token.id }),
    },
  };
}
