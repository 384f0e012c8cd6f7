/** Rules over what frames a ceremony: its type, place, time, predecessor and inputs. */
import { CERTIFICATE_RULES } from '../../../x509/lint/lint-tbs-certificate.ts';
import { readSignedTime } from '../../signed-body.ts';
import { ceremonyTypeRule } from '../ceremony-types.ts';
import type { CeremonyRule } from '../lint.ts';
import { filesOf } from '../step-kinds.ts';
import { repeated } from './repeated.ts';

export const FRAME_RULES: readonly CeremonyRule[] = [
  {
    id: 'type/unknown',
    cites: 'C2',
    check: ({ type }) =>
      ceremonyTypeRule(type) === undefined
        ? [{ path: ['type'], message: `ceremonies of the type ${type} are not known here yet` }]
        : [],
  },
  {
    id: 'environment/other',
    cites: 'C6',
    check: ({ environment }, facts) =>
      environment === facts.environment
        ? []
        : [{ path: ['environment'], message: `the file is for ${environment}, this instance is ${facts.environment}` }],
  },
  {
    id: 'window/order',
    cites: 'C17',
    check: ({ window }) =>
      readSignedTime(window.from) !== undefined && window.from < window.to
        ? []
        : [{ path: ['window'], message: 'the window must begin before it ends' }],
  },
  {
    id: 'window/length',
    cites: 'C17, D.3 (class L4)',
    check: ({ window }, { policies }) => {
      const seconds = (Date.parse(window.to) - Date.parse(window.from)) / 1000;
      const longest = policies.quorums.L4.expirySeconds;
      return seconds <= longest
        ? []
        : [{ path: ['window', 'to'], message: `the window is longer than policy allows (${longest} seconds)` }];
    },
  },
  {
    id: 'previous/chain',
    cites: 'C16',
    check: ({ type, previous }) => {
      const rule = ceremonyTypeRule(type);
      if (rule === undefined || rule.first === (previous === 'none')) return [];
      const message = rule.first
        ? 'the first ceremony has no predecessor: write none'
        : 'the digest of the last closed bundle must stand here';
      return [{ path: ['previous'], message }];
    },
  },
  {
    id: 'inputs/distinct',
    cites: 'C2',
    check: ({ inputs }) =>
      repeated(inputs.map((input) => input.name)).map((at) => ({
        path: ['inputs', at],
        message: 'another input has that name',
      })),
  },
  {
    id: 'inputs/unused',
    cites: 'C2',
    check: ({ inputs, steps, quorum }) => {
      const handedTo = quorum.recipients?.holders ?? [];
      const used = new Set(steps.flatMap((step) => [...filesOf(step, 'input'), ...filesOf(step, 'certificate')]));
      return inputs.flatMap(({ name, sm3 }, at) =>
        used.has(name) || handedTo.includes(sm3)
          ? []
          : [{ path: ['inputs', at], message: `no step reads the input ${name}` }],
      );
    },
  },
  {
    id: 'skip-lints/known',
    cites: 'C2, C7',
    check: ({ skipLints }) =>
      skipLints.flatMap(({ lint }, at) =>
        CERTIFICATE_RULES.some((rule) => rule.id === lint)
          ? []
          : [{ path: ['skip-lints', at], message: `there is no certificate rule ${lint}` }],
      ),
  },
];
