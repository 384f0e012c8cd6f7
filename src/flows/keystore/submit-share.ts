import type { SecretHandle } from '../../crypto/engine.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller, type PersonCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { keystoreEvent, type KeystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { nextSealState } from '../../domain/keystore/seal-state.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import { openServiceRing } from './open-service-ring.ts';
import type { SealStatus, ServiceKeystore } from './service-keystore.ts';
import type { ShareSession } from './share-session.ts';

export interface SubmitSharePorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

export interface SubmitShareInput {
  /** Of the session, as beginUnseal told it. */
  readonly nonce: string;
  /** What transferShare made for the key of the session: DER SM2Cipher. */
  readonly share: Buffer;
  readonly source: AuditSource;
}

/** Refusals of a share that make its giver wait. */
const WRONG_SHARE: readonly ErrorCode[] = ['E_SHARE_BAD', 'E_SHARE_SET'];
/** Refusals of a share that are recorded. */
const RECORDED: readonly ErrorCode[] = [...WRONG_SHARE, 'E_SAME_PERSON', 'E_INTEGRITY'];

/**
 * Takes the share of the calling custodian; the last one that is needed opens the keystore. Every share is recorded in
 * the audit log, right or wrong.
 * @returns the status afterwards: UNSEALING or UNSEALED.
 * @throws KmcError E_FORBIDDEN (no custodian, or holds no share), E_STATE (no such session, or it is over), E_RATE (wait
 * after a wrong share), E_SHARE_BAD, E_SHARE_SET, E_SAME_PERSON: the session goes on. E_ROLLBACK, E_INTEGRITY: the state
 * is ERROR then. E_STORAGE, E_AUDIT: sealed again, begin anew.
 */
export async function submitShare(
  { keystore, clock }: SubmitSharePorts,
  { nonce, share, source }: SubmitShareInput,
  caller: Caller,
): Promise<SealStatus> {
  if (caller.type !== 'person' || !holdsRoleIn(caller, 'custodian')) {
    throw new KmcError('E_FORBIDDEN', 'Only custodians give shares.');
  }
  const now = clock.now();
  const session = keystore.session(now);
  if (session === undefined) nextSealState(keystore.state, 'share');
  if (session?.nonce !== nonce) {
    throw new KmcError('E_STATE', 'That session is over; ask for the running one and encrypt the share to its key.');
  }
  keystore.backOff.check(caller.id, now);
  const giving: Giving = { keystore, session, caller, source, now };
  const unsealKey = await keystore.faultOnContradiction(() => takeShare(giving, share));
  if (unsealKey !== undefined) await openWith(giving, unsealKey);
  return keystore.status(now);
}

interface Giving {
  readonly keystore: ServiceKeystore;
  readonly session: ShareSession;
  readonly caller: PersonCaller;
  readonly source: AuditSource;
  readonly now: Date;
}

async function takeShare(giving: Giving, share: Buffer): Promise<SecretHandle | undefined> {
  const { keystore, session, caller, now } = giving;
  let unsealKey: SecretHandle | undefined;
  try {
    unsealKey = await session.add(caller.id, share, now);
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    if (WRONG_SHARE.includes(error.code)) keystore.backOff.failed(caller.id, now);
    if (RECORDED.includes(error.code)) await record(giving, 'keystore.share', shareDetail(giving), error.code);
    throw error;
  }
  keystore.backOff.succeeded(caller.id);
  try {
    await record(giving, 'keystore.share', shareDetail(giving));
    return unsealKey;
  } catch (error) {
    // What is not recorded did not happen: the share must not count.
    if (unsealKey !== undefined) keystore.ports.engine.destroySecret(unsealKey);
    keystore.endSession();
    throw error;
  }
}

async function openWith(giving: Giving, unsealKey: SecretHandle): Promise<void> {
  const { keystore, session } = giving;
  const { setId, threshold } = session.seal.set;
  try {
    await keystore.faultOnContradiction(async () => {
      const { ring, epoch } = await openServiceRing(keystore.ports, setId, unsealKey);
      try {
        const detail = { masterVersion: ring.masterVersion, set: setId, threshold };
        await record(giving, 'keystore.unseal', detail, undefined, epoch);
        keystore.open(ring, epoch);
      } catch (error) {
        ring.wipe();
        throw error;
      }
    });
  } finally {
    keystore.ports.engine.destroySecret(unsealKey);
    // Of no effect once the keystore is open.
    keystore.endSession();
  }
}

function shareDetail({ session, caller }: Giving): Readonly<Record<string, string | number>> {
  const { setId, threshold } = session.seal.set;
  const holder = session.seal.holders.find((candidate) => candidate.person === caller.id);
  return {
    custodian: caller.id,
    set: setId,
    threshold,
    shares: session.received.length,
    ...(holder === undefined ? {} : { share: holder.index }),
  };
}

async function record(
  { keystore, caller, source, now }: Giving,
  action: KeystoreEvent['action'],
  detail: KeystoreEvent['detail'],
  code?: ErrorCode,
  epoch?: number,
): Promise<void> {
  const id = newId('ev', now);
  await keystore.ports.database.transaction(async (tx) => {
    const event: KeystoreEvent = {
      id,
      action,
      epoch: epoch ?? (await tx.instance.keystoreEpoch()),
      actor: auditActor(caller, 'custodian'),
      source,
      ...(code === undefined ? {} : { code }),
      detail,
    };
    await tx.audit.append(keystoreEvent(event), now);
  });
}
