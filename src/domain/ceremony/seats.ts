/** Who sits in a ceremony, and in which seat they sign. One person fills one seat (C11). */
import type { RoleName } from '../roles.ts';
import { ceremonyTypeRule } from './ceremony-types.ts';
import type { CeremonyQuorum, Digest } from './ceremony-file.ts';

export const SEAT_NAMES = ['lead', 'custodian', 'witness', 'auditor', 'recipient'] as const;
export type SeatName = (typeof SEAT_NAMES)[number];

/** The roles that fit a person for a seat (D.3, C11). */
export const SEAT_ROLES: Readonly<Record<SeatName, readonly RoleName[]>> = {
  lead: ['ca-owner', 'security-administrator'],
  custodian: ['custodian'],
  witness: ['witness'],
  auditor: ['auditor'],
  recipient: ['custodian'],
};

export interface Seat {
  readonly seat: SeatName;
  /** `sm3:<hex>` of the certificate (DER) that signs in it. */
  readonly certificate: Digest;
}

/** Every seat of the ceremony; a certificate that stands in two of them is listed twice, and refused by the lint. */
export function seatsOf(quorum: CeremonyQuorum): Seat[] {
  return [
    { seat: 'lead', certificate: quorum.lead },
    ...quorum.holders.map((certificate): Seat => ({ seat: 'custodian', certificate })),
    ...quorum.witness.map((certificate): Seat => ({ seat: 'witness', certificate })),
    { seat: 'auditor', certificate: quorum.auditor },
    ...newcomers(quorum).map((certificate): Seat => ({ seat: 'recipient', certificate })),
  ];
}

/** Recipients who are not custodians already: they sit in no other seat. */
function newcomers({ holders, recipients }: CeremonyQuorum): Digest[] {
  return (recipients?.holders ?? []).filter((certificate) => !holders.includes(certificate));
}

/**
 * The roles that fit a person for a seat in a ceremony of this type. What the custodians are in other ceremonies, the
 * bundle signers are where a manifest is signed.
 */
export function seatRoles(type: string, seat: SeatName): readonly RoleName[] {
  const { holders } = ceremonyTypeRule(type) ?? {};
  return seat === 'custodian' && holders !== undefined ? [holders] : SEAT_ROLES[seat];
}

/** How many signatures each seat must give at the close. */
export function neededAtClose(quorum: CeremonyQuorum): Readonly<Record<SeatName, number>> {
  return { lead: 1, custodian: quorum.k, witness: 1, auditor: 1, recipient: 0 };
}
