import type { CryptoEngine } from '../../crypto/engine.ts';
import { approvalFile, BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { encodePlan, planHash, readPlan, type CeremonyPlan } from '../../domain/ceremony/plan.ts';
import { encodeSeatSignature, readSeatSignature } from '../../domain/ceremony/seat-signature.ts';
import { verifySeats } from '../../domain/ceremony/verify-signatures.ts';
import { KmcError } from '../../errors.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';
import type { Clock } from '../ports/database.ts';
import { seatParticipants, signInSeat, type Participant } from './participant.ts';
import type { PlannedCeremony } from './plan-ceremony.ts';

export interface ApproveCeremonyPorts {
  readonly engine: CryptoEngine;
  readonly clock: Clock;
  readonly folder: CeremonyFolder;
}

/**
 * Lets custodians sign the plan hash (C5). The first approval puts file and plan into the folder of the ceremony; every
 * later one must be over the same.
 * @param planned made by planCeremony just now.
 * @param bytes the octets of the ceremony file.
 * @returns how many approvals there are now.
 * @throws KmcError E_FORBIDDEN (no custodian of this ceremony), E_SIGNATURE (the folder holds another plan), E_EXISTS (the
 * person has approved already), E_KEY.
 */
export async function approveCeremony(
  ports: ApproveCeremonyPorts,
  planned: PlannedCeremony,
  bytes: Buffer,
  participants: readonly Participant[],
): Promise<number> {
  const { folder, engine, clock } = ports;
  const custodians = seatParticipants(planned.planning.file, participants);
  if (custodians.length === 0 || custodians.some((one) => one.seat !== 'custodian')) {
    throw new KmcError('E_FORBIDDEN', 'The custodians of the file approve a ceremony, and nobody else.');
  }
  if (folder.read(BUNDLE.plan) === undefined) {
    folder.ensure(BUNDLE.file, bytes);
    folder.create(BUNDLE.plan, encodePlan(planned.plan));
  }
  requirePlanned(folder, planned.plan);
  for (const custodian of custodians) {
    const facts = { purpose: 'approval', ceremony: planned.plan.ceremony, digest: planned.hash } as const;
    const signature = await signInSeat(engine, custodian, { ...facts, at: clock.now() });
    folder.create(approvalFile(custodian.certificateSm3), encodeSeatSignature(signature));
  }
  return approvalsIn(folder).length;
}

/** @throws KmcError E_SIGNATURE when the folder holds another plan than the one that was made now. */
export function requirePlanned(folder: CeremonyFolder, plan: CeremonyPlan): void {
  const stored = folder.read(BUNDLE.plan);
  if (stored?.equals(encodePlan(plan)) === true) return;
  throw new KmcError(
    'E_SIGNATURE',
    'The plan hash differs: file, inputs, policy or tool are not those that were approved. Approve the new plan.',
  );
}

/**
 * Requires the approvals of k custodians over the plan.
 * @throws KmcError E_SIGNATURE, E_FORBIDDEN, E_SAME_PERSON, E_QUORUM.
 */
export function requireApprovals(
  folder: CeremonyFolder,
  { plan, hash }: Pick<PlannedCeremony, 'plan' | 'hash'>,
  file: CeremonyFile,
): void {
  const { quorum } = file;
  verifySeats(approvalsIn(folder), {
    purpose: 'approval',
    ceremony: plan.ceremony,
    digest: hash,
    quorum,
    needed: { custodian: quorum.k },
  });
}

/**
 * Requires that the plan in the folder was approved, before anything is read that it would be made from again.
 * @throws KmcError as requireApprovals; E_QUORUM also without a plan.
 */
export function requireApprovedPlan(folder: CeremonyFolder, file: CeremonyFile): void {
  const stored = folder.read(BUNDLE.plan);
  if (stored === undefined) throw new KmcError('E_QUORUM', 'Nobody has approved this ceremony yet.');
  const plan = readPlan(stored);
  requireApprovals(folder, { plan, hash: planHash(plan) }, file);
}

function approvalsIn(folder: CeremonyFolder) {
  return [...folder.files()]
    .filter(([name]) => name.startsWith('approvals/'))
    .map(([, bytes]) => readSeatSignature(bytes));
}
