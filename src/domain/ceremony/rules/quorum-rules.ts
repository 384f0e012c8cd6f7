/** Rules over the seats of a ceremony. */
import { ceremonyTypeRule } from '../ceremony-types.ts';
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
    id: 'recipients/type',
    cites: '2.5',
    check: ({ type, quorum: { recipients } }) => {
      const rule = ceremonyTypeRule(type);
      if (rule === undefined || (rule.recipients === true) === (recipients !== undefined)) return [];
      const message =
        rule.recipients === true
          ? 'those who get the new shares must be named here as recipients'
          : `a ceremony ${type} hands out no shares: there are no recipients`;
      return [{ path: ['quorum'], message }];
    },
  },
  {
    id: 'recipients/threshold',
    cites: 'C3',
    check: ({ quorum: { recipients } }, { policies }) => {
      if (recipients === undefined) return [];
      const { k, holders } = recipients;
      const least = Math.max(2, policies.quorums.L4.approvals);
      const fits = k >= least && k <= holders.length && 2 * k > holders.length;
      const message = `k must be at least ${least}, at most the number of recipients, and more than half of them`;
      return fits ? [] : [{ path: ['quorum', 'recipients', 'k'], message }];
    },
  },
  {
    id: 'recipients/distinct',
    cites: 'C3',
    check: ({ quorum: { recipients } }) =>
      repeated(recipients?.holders ?? []).map((at) => ({
        path: ['quorum', 'recipients', 'holders', at],
        message: 'this recipient stands there before',
      })),
  },
  {
    id: 'recipients/input',
    cites: 'C2',
    check: ({ inputs, quorum: { recipients } }) => {
      const given = new Set(inputs.map((one) => one.sm3));
      return (recipients?.holders ?? []).flatMap((certificate, at) =>
        given.has(certificate)
          ? []
          : [{ path: ['quorum', 'recipients', 'holders', at], message: 'this certificate is not among the inputs' }],
      );
    },
  },
  {
    id: 'quorum/witness',
    cites: 'C11',
    check: ({ quorum: { witness } }) =>
      witness.length > 0 ? [] : [{ path: ['quorum', 'witness'], message: 'a witness must attend' }],
  },
];
