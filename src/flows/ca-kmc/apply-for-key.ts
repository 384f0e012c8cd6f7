import { OID } from '../../crypto/asn1/oids.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { serialNumberAlone } from '../../x509/ca-kmc/identifier.ts';
import type { ApplyKeyRequest } from '../../x509/ca-kmc/request.ts';
import { chooseKey, type ChooseKeyPorts, type ChosenKey } from '../keys/choose-key.ts';
import { ownedKey, takeKey, type OwnedKeyRow } from '../keys/take-key.ts';
import type { Reader } from '../ports/database.ts';
import { packageSigner } from './kmc-identity.ts';
import type { MessageScene, Prepared } from './prepared-response.ts';
import { isUserKey, returnedUnder } from './returnable.ts';
import { userSubject } from './user-subject.ts';

const SM2_BITS = 256;
const REGION = /^[0-9]{6}$/;

/**
 * Prepares the answer to ApplyKeyReq: a key of the pool, its private half enveloped to the user's signing key and signed.
 * The key is the user's once the answer is recorded.
 * @throws KmcError E_SEALED, E_STORAGE; on recording E_KEY_TAKEN, and E_CONFLICT when the serial got a key meanwhile.
 */
export async function applyForKey(
  ports: ChooseKeyPorts,
  scene: MessageScene,
  request: ApplyKeyRequest,
): Promise<Prepared> {
  const contentAlgorithm = returnedUnder(request.return);
  const isSm2 = request.keyType === OID.sm2p256v1 && request.keyBits === SM2_BITS;
  if (!isSm2 || contentAlgorithm === undefined) return 'algorithm-not-served';
  const subject = userSubject(request);
  if (subject === undefined) return 'bad-user-name';
  if (!isServedValidity(ports, scene.at, request)) return 'bad-validity';
  const refused = await ports.database.read((reader) => refusalOf(reader, scene, request));
  if (refused !== undefined) return refused;
  const chosen = await chooseApart(ports);
  if (chosen === undefined) return 'pool-empty';
  const { row, handle } = chosen;
  const { certificateSerial, recipientSpki } = request;
  try {
    const to = { spki: recipientSpki, identifier: serialNumberAlone(certificateSerial) };
    const keyPackage = await ports.engine.packageKey(handle, to, packageSigner(scene.identity), contentAlgorithm);
    const owner = {
      authorityId: scene.authority.authorityId,
      certificateSerial,
      subject,
      recipientSpkiSm3: spkiSm3(recipientSpki),
      deviceId: undefined,
    };
    const key = ownedKey(row, owner, scene.at, newId('ev', scene.at));
    return {
      response: { kind: 'apply', certificateSerial, spki: row.spki, keyPackage },
      release: () => void SET_ASIDE.delete(row.id),
      async record(tx) {
        await takeKey(tx, key);
        await tx.audit.append(distributionEvent(scene, request, key), scene.at);
      },
    };
  } catch (error) {
    SET_ASIDE.delete(row.id);
    throw error;
  } finally {
    ports.engine.destroyKey(handle);
  }
}

/** Keys that messages under way in this process have chosen: no other one chooses them, nor the same one twice. */
const SET_ASIDE = new Set<string>();
/** Of a pool in which nearly every key is set aside some message has to be told that there is none. */
const CHOICES = 64;

async function chooseApart(ports: ChooseKeyPorts): Promise<ChosenKey | undefined> {
  for (let choice = 0; choice < CHOICES; choice += 1) {
    const chosen = await chooseKey(ports, 'sm2-encryption').catch((error: unknown) => {
      if (error instanceof KmcError && error.code === 'E_POOL_EMPTY') return undefined;
      throw error;
    });
    if (chosen === undefined) return undefined;
    if (!SET_ASIDE.has(chosen.row.id)) {
      SET_ASIDE.add(chosen.row.id);
      return chosen;
    }
    ports.engine.destroyKey(chosen.handle);
  }
  return undefined;
}

function isServedValidity({ policies }: ChooseKeyPorts, at: Date, { notBefore, notAfter }: ApplyKeyRequest): boolean {
  const seconds = (notAfter.getTime() - notBefore.getTime()) / 1000;
  return seconds > 0 && notAfter > at && seconds <= policies.cryptoPeriods['device-encryption'].originateSeconds;
}

async function refusalOf(
  reader: Reader,
  { authority }: MessageScene,
  { certificateSerial, recipientSpki }: ApplyKeyRequest,
): Promise<'serial-in-use' | 'bad-user-key' | undefined> {
  const { authorityId } = authority;
  if ((await reader.escrowedKeys.findByCertificate(authorityId, certificateSerial)) !== undefined)
    return 'serial-in-use';
  if ((await reader.certificates.findBySerial(authorityId, certificateSerial)) !== undefined) return 'serial-in-use';
  return (await isUserKey(reader, recipientSpki)) ? undefined : 'bad-user-key';
}

function distributionEvent(
  { authority, actor, source }: MessageScene,
  { certificateSerial, regionCode, notBefore, notAfter }: ApplyKeyRequest,
  key: OwnedKeyRow,
): AuditEventInput {
  // dsCode is kept where it is a region code of ours; the whole request is kept with its exchange.
  const region = regionCode?.toString('latin1') ?? '';
  return {
    id: key.lastAuditEvent,
    action: 'key.distribute',
    outcome: 'success',
    subjects: [{ type: 'key', id: key.id, version: key.version }],
    terms: [{ type: 'authority', id: authority.authorityId }],
    actor,
    source,
    detail: {
      algorithm: key.algorithm,
      batch: key.batchId,
      kid: key.spkiSm3,
      notAfter: signedTime(notAfter),
      notBefore: signedTime(notBefore),
      protocol: 'gmt-0014',
      recipient: key.owner.recipientSpkiSm3,
      serial: certificateSerial,
      ...(REGION.test(region) ? { region } : {}),
    },
  };
}
