/** The proof that a device knows its one-time token: wrong ones are counted, whatever comes in parallel (security-and-faults E13). */
import { equalConstantTime, wipe } from '../../crypto/bytes.ts';
import type { AuditEventInput, AuditSource } from '../../domain/audit/event.ts';
import { tokenMacInput } from '../../domain/enrolment.ts';
import { newId } from '../../domain/id.ts';
import { enrolmentTokenContext } from '../../domain/keystore/blob-context.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { DeviceRow } from '../ports/devices.ts';
import type { EnrolmentTokenRow } from '../ports/enrolment-tokens.ts';

export type ProveTokenPorts = Pick<Instance, 'database' | 'engine' | 'keystore' | 'policies'>;

export interface TokenProof {
  readonly device: DeviceRow;
  readonly token: EnrolmentTokenRow;
  /** The request as it came, DER. */
  readonly csr: Buffer;
  /** What the device sent, 32 octets if it is sound. */
  readonly tokenMac: Buffer;
  readonly at: Date;
  readonly source: AuditSource;
}

/** One text for every reason, so that a stranger learns nothing about devices and tokens. */
export function tokenRefused(): KmcError {
  return new KmcError(
    'E_TOKEN',
    'The token does not prove this request: it is unknown, used for another key, expired or locked. Wait 15 minutes, or ask the registration authority for a new one.',
  );
}

/** HMAC-SM3(token, input), computed inside the engine from the sealed token. */
async function expectedMac(ports: ProveTokenPorts, { token, csr }: TokenProof): Promise<Buffer | undefined> {
  if (token.sealedToken === undefined) return undefined;
  const kek = await ports.keystore.kek('db-field', token.kekVersion);
  const secret = await ports.engine.openSecret(kek, enrolmentTokenContext(token.id), token.sealedToken);
  try {
    return await ports.engine.mac(secret, tokenMacInput(csr));
  } finally {
    ports.engine.destroySecret(secret);
  }
}

function wrongTryEvent(
  { device, token, source }: TokenProof,
  attempts: number,
  limit: number,
): Omit<AuditEventInput, 'id'> {
  return {
    action: attempts >= limit ? 'token.lock' : 'token.attempt',
    outcome: 'denied',
    code: 'E_TOKEN',
    subjects: [{ type: 'token', id: token.id }],
    terms: [{ type: 'device', id: device.id }],
    actor: { type: 'anonymous', id: 'anonymous' },
    source,
    detail: { attempts, device: device.id, region: device.region },
  };
}

function isLocked({ lockedUntil }: EnrolmentTokenRow, at: Date): boolean {
  return lockedUntil !== undefined && at < lockedUntil;
}

/**
 * Compares a proof and counts it, in one transaction that holds the token: wrong tries go through here one after the
 * other, so that no more than the limit of policy is ever counted before the token locks. A right proof of a token that
 * nobody used writes nothing here: the token is used up in the transaction of what it is used for, which refuses a locked
 * one and sets the count back. So a right guess counts for nothing behind too many wrong ones, however they came. The
 * proof of a used token sets the count back at once.
 * @returns false for a wrong proof and for a locked or erased token.
 * @throws KmcError E_SEALED.
 */
export async function isProven(ports: ProveTokenPorts, proof: TokenProof): Promise<boolean> {
  const { token, tokenMac, at } = proof;
  const { tokenTries, tokenLockSeconds } = ports.policies.enrolment;
  const rule = { now: at, limit: tokenTries, lockUntil: new Date(at.getTime() + tokenLockSeconds * 1000) };
  const eventId = newId('ev', at);
  const expected = await expectedMac(ports, proof);
  if (expected === undefined) return false;
  try {
    const isRight = equalConstantTime(expected, tokenMac);
    if (isRight && token.state === 'issued') return !isLocked(token, at);
    return await ports.database.transaction(async (tx) => {
      const held = await tx.enrolmentTokens.lock(token.id);
      if (held === undefined || isLocked(held, at)) return false;
      if (isRight) {
        if (held.tries > 0) await tx.enrolmentTokens.clearTries(token.id);
        return true;
      }
      await tx.enrolmentTokens.countTry(token.id, rule);
      const attempts = held.lockedUntil === undefined ? held.tries + 1 : 1;
      await tx.audit.append({ ...wrongTryEvent(proof, attempts, tokenTries), id: eventId }, at);
      return false;
    });
  } finally {
    wipe(expected);
  }
}
