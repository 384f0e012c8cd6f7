/** What an instance must never give out twice after it was restored from a backup, since nobody knows what followed it. */
import { ORIGIN } from '../audit/record.ts';
import { newId } from '../id.ts';
import { KmcError } from '../../errors.ts';

/** The mark of a restore at the end of an origin. */
const RESTORED = /\/r-[0-9a-z]{26}$/;

/**
 * The name of the audit log of a restored instance: the events of the backup are its beginning, but it signs under a name
 * of its own, so that nothing it signs can contradict what the log of before signed after the backup.
 * @throws KmcError E_CONFIG for an origin that leaves no room for the mark.
 */
export function restoredOrigin(origin: string, at: Date): string {
  const restored = `${origin.replace(RESTORED, '')}/${newId('r', at)}`;
  if (ORIGIN.test(restored)) return restored;
  throw new KmcError('E_CONFIG', 'The origin of the audit log has too many parts to mark the restore at its end.');
}

const CRL_NUMBERS_ASIDE = 1_000_000n;

/**
 * A CRL number above every one that the instance can have given out since the backup: a million, and one a second. (Serial
 * numbers are random and need no such step.)
 */
export function crlNumberAfterRestore(number: bigint, takenAt: Date, now: Date): bigint {
  const seconds = Math.max(0, Math.ceil((now.getTime() - takenAt.getTime()) / 1000));
  return number + CRL_NUMBERS_ASIDE + BigInt(seconds);
}
