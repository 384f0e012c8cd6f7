import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { isRecoverable, requireRecoverable } from '../../domain/recovery.ts';
import { DECIDABLE_STATES } from '../../domain/approval/state.ts';
import { KmcError } from '../../errors.ts';
import { createRequest } from '../approvals/create-request.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { RecoveryRow } from '../ports/recoveries.ts';
import { approvedUserRecovery } from './approved-user-recovery.ts';
import { envelopeKey } from './envelope-key.ts';
import { findLiveCertificate } from './find-live-certificate.ts';
import { recordRecovery } from './record-recovery.ts';

export interface RecoverUserKeyInput {
  /** The authority and the serial number (hex) of the encryption certificate: userCertNo of GM/T 0014. */
  readonly authorityId: string;
  readonly certificateSerial: string;
  /** The new protection key, SubjectPublicKeyInfo DER. */
  readonly recipientSpki: Buffer;
  /** Where the service asks for an authority (GM/T 0014): its id. The caller is then the service. */
  readonly forAuthority?: string;
  readonly requestId?: string;
}

export type UserRecoveryOutcome =
  | { readonly state: 'RECOVERED'; readonly recovery: RecoveryRow; readonly key: EscrowedKeyRow }
  /** Refused for now: people decide on the request. */
  | { readonly state: 'PENDING'; readonly approvalRequestId: string };

/** Open requests for one key that are looked through for the same recipient. */
const LOOKED_THROUGH = 100;

/**
 * User recovery (用户恢复): the key is answered at once only if the new protection key stands in a live signing certificate
 * of the same subject that this instance verified itself. Otherwise nothing is handed out and an approval request is
 * opened, the same one for the same recipient.
 * @throws KmcError E_NOT_FOUND, E_STATE (a key that is not recovered), E_POINT, E_DER, E_FORBIDDEN (the caller may not
 * propose it), E_SEALED, E_INTEGRITY.
 */
export async function recoverUserKey(
  ports: Instance,
  caller: Caller,
  input: RecoverUserKeyInput,
): Promise<UserRecoveryOutcome> {
  const { recipientSpki } = input;
  const at = ports.clock.now();
  const found = await ports.database.read(async (reader) => {
    const key = await reader.escrowedKeys.findByCertificate(input.authorityId, input.certificateSerial);
    if (key?.owner === undefined) throw new KmcError('E_NOT_FOUND', 'No key was escrowed for that certificate.');
    requireRecoverable(key.state, 'approved');
    const { subject } = key.owner;
    return { key, certificate: await findLiveCertificate(reader, { spki: recipientSpki, subject, at }) };
  });
  const { key, certificate } = found;
  const source = { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) };
  if (certificate === undefined || !isRecoverable(key.state, 'at-once')) {
    return { state: 'PENDING', approvalRequestId: await askForApproval(ports, caller, input, key, source) };
  }
  const recovery = await recover(ports, caller, input, { key, certificateId: certificate.id }, source);
  return { state: 'RECOVERED', key, recovery };
}

async function recover(
  ports: Instance,
  caller: Caller,
  { recipientSpki, forAuthority }: RecoverUserKeyInput,
  { key, certificateId }: { readonly key: EscrowedKeyRow; readonly certificateId: string },
  source: AuditSource,
): Promise<RecoveryRow> {
  const at = ports.clock.now();
  const row: RecoveryRow = {
    id: newId('recovery', at),
    kind: 'user',
    keyId: key.id,
    requestId: undefined,
    caseId: undefined,
    recipientSpkiSm3: spkiSm3(recipientSpki),
    recipientCertificate: undefined,
    envelopedKey: await envelopeKey(ports, key, recipientSpki),
    keyState: key.state,
    recoveredAt: at,
    auditEvent: newId('ev', at),
  };
  const actor = forAuthority === undefined ? auditActor(caller) : ({ type: 'authority', id: forAuthority } as const);
  await ports.database.transaction(async (tx) => {
    // It may have been revoked since it was verified.
    if ((await tx.certificates.find(certificateId))?.status !== 'good') {
      throw new KmcError('E_CONFLICT', 'The signing certificate changed at the same time. Ask again.');
    }
    const detail = { recipient: row.recipientSpkiSm3, from: key.state };
    await recordRecovery(tx, key, { row, way: 'at-once', detail, actor, source });
  });
  return row;
}

async function askForApproval(
  ports: Instance,
  caller: Caller,
  { recipientSpki, forAuthority }: RecoverUserKeyInput,
  key: EscrowedKeyRow,
  source: AuditSource,
): Promise<string> {
  const params = { recipient: recipientSpki.toString('base64') };
  const open = await ports.database.read((reader) => openRequest(reader, key, params.recipient));
  if (open !== undefined) return open;
  const handlers = { 'recovery.user': approvedUserRecovery(ports) };
  const { request } = await createRequest(
    { ...ports, handlers },
    {
      op: 'recovery.user',
      targetId: key.id,
      params,
      reason: `The key of certificate ${key.owner?.certificateSerial ?? ''} for a key that no live certificate names`,
      source,
      ...(forAuthority === undefined ? {} : { forAuthority }),
    },
    caller,
  );
  return request.id;
}

/** The open request for the same key and recipient, so that asking again does not pile up requests. */
async function openRequest(reader: Reader, key: EscrowedKeyRow, recipient: string): Promise<string | undefined> {
  for (const state of DECIDABLE_STATES) {
    const filter = { op: 'recovery.user', target: `key/${key.id}`, state } as const;
    for (const row of await reader.requests.list(filter, { limit: LOOKED_THROUGH })) {
      if (row.targetVersion === String(key.version) && row.canonical.includes(recipient)) return row.id;
    }
  }
  return undefined;
}
