/** RestoreKeyReq: by the rule of user recovery, at once to a key that this service verified, otherwise people decide. */
import type { ContentAlgorithm } from '../../crypto/engine.ts';
import { asEnvelopedKey } from '../../domain/envelope-family.ts';
import { newId } from '../../domain/id.ts';
import { isRecoverable } from '../../domain/recovery.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { serialNumberAlone } from '../../x509/ca-kmc/identifier.ts';
import type { RestoreKeyRequest } from '../../x509/ca-kmc/request.ts';
import type { Instance } from '../instance.ts';
import { openEscrowedKey } from '../keys/open-escrowed-key.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { findLiveCertificate } from '../recoveries/find-live-certificate.ts';
import { recordRecovery } from '../recoveries/record-recovery.ts';
import { recoverUserKey } from '../recoveries/recover-user-key.ts';
import { packageSigner } from './kmc-identity.ts';
import type { MessageScene, Prepared } from './prepared-response.ts';
import { isUserKey, returnedUnder } from './returnable.ts';

/** Recoveries of one key that are looked through for an approved one. */
const LOOKED_THROUGH = 1_000;

/** Why the key may go to the user's key: a live certificate over it, or a request that people approved. */
type Ground =
  | { readonly way: 'at-once'; readonly certificateId: string }
  | { readonly way: 'approved'; readonly requestId: string };

/**
 * Prepares the answer to RestoreKeyReq: the escrowed key, enveloped to the user's present signing key and signed. Where
 * the rule does not let it go at once an approval request is opened, and the same question asked again after people have
 * approved is answered.
 * @throws KmcError E_SEALED, E_STORAGE, E_INTEGRITY (the key does not open); on recording E_CONFLICT when what it rests on
 * changed meanwhile.
 */
export async function restoreKey(ports: Instance, scene: MessageScene, request: RestoreKeyRequest): Promise<Prepared> {
  const contentAlgorithm = returnedUnder(request.return);
  if (contentAlgorithm === undefined) return 'algorithm-not-served';
  const { certificateSerial, recipientSpki } = request;
  const { authorityId } = scene.authority;
  const found = await ports.database.read(async (reader) => {
    const key = await reader.escrowedKeys.findByCertificate(authorityId, certificateSerial);
    if (key?.owner === undefined) return 'no-such-key';
    if (!isRecoverable(key.state, 'approved')) return 'wrong-state';
    if (!(await isUserKey(reader, recipientSpki))) return 'bad-user-key';
    return { key, ground: await groundFor(reader, key, key.owner.subject, request, scene.at) };
  });
  if (typeof found === 'string') return found;
  const { key, ground } = found;
  if (ground === undefined) return await askForApproval(ports, scene, request);
  return await restored(ports, scene, request, { key, ground, contentAlgorithm });
}

interface Restoration {
  readonly key: EscrowedKeyRow;
  readonly ground: Ground;
  readonly contentAlgorithm: ContentAlgorithm;
}

async function restored(
  ports: Instance,
  scene: MessageScene,
  { certificateSerial, recipientSpki }: RestoreKeyRequest,
  { key, ground, contentAlgorithm }: Restoration,
): Promise<Prepared> {
  const handle = await openEscrowedKey(ports, key);
  try {
    const to = { spki: recipientSpki, identifier: serialNumberAlone(certificateSerial) };
    const keyPackage = await ports.engine.packageKey(handle, to, packageSigner(scene.identity), contentAlgorithm);
    const row = {
      id: newId('recovery', scene.at),
      kind: 'user',
      keyId: key.id,
      requestId: ground.way === 'approved' ? ground.requestId : undefined,
      caseId: undefined,
      recipientSpkiSm3: spkiSm3(recipientSpki),
      recipientCertificate: undefined,
      envelopedKey: asEnvelopedKey(keyPackage, key.spki),
      keyState: key.state,
      recoveredAt: scene.at,
      auditEvent: newId('ev', scene.at),
    } as const;
    const detail = {
      recipient: row.recipientSpkiSm3,
      from: key.state,
      protocol: 'gmt-0014',
      serial: certificateSerial,
    };
    const { actor, source } = scene;
    return {
      response: { kind: 'restore', certificateSerial, spki: key.spki, keyPackage },
      async record(tx) {
        await requireGround(tx, ground);
        await recordRecovery(tx, key, { row, way: ground.way, detail, actor, source });
      },
    };
  } finally {
    ports.engine.destroyKey(handle);
  }
}

async function groundFor(
  reader: Reader,
  key: EscrowedKeyRow,
  subject: Buffer,
  { recipientSpki }: RestoreKeyRequest,
  at: Date,
): Promise<Ground | undefined> {
  if (isRecoverable(key.state, 'at-once')) {
    const certificate = await findLiveCertificate(reader, { spki: recipientSpki, subject, at });
    if (certificate !== undefined) return { way: 'at-once', certificateId: certificate.id };
  }
  const recipient = spkiSm3(recipientSpki);
  const recoveries = await reader.recoveries.list({ kind: 'user', keyId: key.id }, { limit: LOOKED_THROUGH });
  const approved = recoveries.find((row) => row.requestId !== undefined && row.recipientSpkiSm3 === recipient);
  return approved?.requestId === undefined ? undefined : { way: 'approved', requestId: approved.requestId };
}

/** What the answer rests on must still stand when it is recorded. */
async function requireGround(reader: Reader, ground: Ground): Promise<void> {
  if (ground.way === 'approved') return;
  if ((await reader.certificates.find(ground.certificateId))?.status === 'good') return;
  throw new KmcError('E_CONFLICT', 'The signing certificate changed at the same time. Ask again.');
}

async function askForApproval(ports: Instance, scene: MessageScene, request: RestoreKeyRequest): Promise<Prepared> {
  const { authorityId } = scene.authority;
  const { certificateSerial, recipientSpki } = request;
  const outcome = await recoverUserKey(
    ports,
    { type: 'system', id: ports.node },
    { authorityId, certificateSerial, recipientSpki, forAuthority: authorityId },
  );
  // A certificate that was issued at this very moment: then it is answered like any other.
  return outcome.state === 'PENDING' ? 'approval-needed' : await restoreKey(ports, scene, request);
}
