/** Rules over the seats of a ceremony. */
import type { CeremonyRule } from '../lint.ts';
import { seatsOf } from '../seats.ts';
import { repeated } from './repeated.ts';

export const QUORUM_RULES: readonly CeremonyRule[] = [
  {
    id: 'quorum/threshold',
    cites: 'C3',
    check: ({ quorum: { k, holders } }) =>
      k >= 2 && k <= holders.length
        ? []
        : [{ path: ['quorum', 'k'], message: `k must be from 2 to the number of holders, which is ${holders.length}` }],
  },
  {
    id: 'quorum/majority',
    cites: 'C3',
    check: ({ quorum: { k, holders } }) =>
      2 * k > holders.length
        ? []
        : [
            {
              path: ['quorum', 'k'],
              message: 'k must be more than half of the holders, so that two groups never both act',
            },
          ],
  },
  {
    id: 'quorum/policy',
    cites: 'D.3 (class L4)',
    check: ({ quorum: { k } }, { policies }) =>
      k >= policies.quorums.L4.approvals
        ? []
        : [{ path: ['quorum', 'k'], message: `policy asks for at least ${policies.quorums.L4.approvals} custodians` }],
  },
  {
    id: 'quorum/distinct',
    cites: 'C3, C11',
    check: ({ quorum }) => {
      const seats = seatsOf(quorum);
      return repeated(seats.map((seat) => seat.certificate)).map((at) => ({
        path: ['quorum'],
        message: `one certificate fills two seats, the second as ${seats[at]?.seat ?? 'another'}`,
      }));
    },
  },
  {
    id: 'quorum/witness',
    cites: 'C11',
    check: ({ quorum: { witness } }) =>
      witness.length > 0 ? [] : [{ path: ['quorum', 'witness'], message: 'a witness must attend' }],
  },
];
