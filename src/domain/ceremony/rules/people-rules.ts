/** Rules over the first people of an instance (D.3, bootstrapping): only `kmc-init` brings people. */
import { quorumShortfalls } from '../../eligibility.ts';
import { roleConflicts, ROLES } from '../../roles.ts';
import type { CeremonyFile } from '../ceremony-file.ts';
import { ceremonyTypeRule } from '../ceremony-types.ts';
import type { CeremonyRule } from '../lint.ts';
import { futurePerson } from '../people.ts';
import { SEAT_ROLES, seatsOf } from '../seats.ts';
import { repeated } from './repeated.ts';

/** Runs only where the file brings people. */
function ofFirstPeople(check: CeremonyRule['check']): CeremonyRule['check'] {
  return (file, facts) => (ceremonyTypeRule(file.type)?.first === true ? check(file, facts) : []);
}

/** Every custodian of the file holds a share, so that no share is left without a holder. */
function unseated({ people, quorum }: CeremonyFile): string[] {
  return people
    .filter((person) => person.roles.some((grant) => grant.role === 'custodian'))
    .filter((person) => !quorum.holders.includes(person.certificate))
    .map((person) => person.id);
}

export const PEOPLE_RULES: readonly CeremonyRule[] = [
  {
    id: 'people/only-first',
    cites: 'D.3 (bootstrapping)',
    check: ({ type, people }) => {
      const rule = ceremonyTypeRule(type);
      if (rule === undefined || rule.first === people.length > 0) return [];
      const message = rule.first
        ? 'the first people are missing'
        : 'people come in by kmc-init or by an approved request';
      return [{ path: ['people'], message }];
    },
  },
  {
    id: 'people/distinct',
    cites: 'C3',
    check: ({ people }) =>
      [
        people.map((person) => person.id),
        people.map((person) => person.certificate),
        people.map((person) => person.identity ?? person.id),
      ].flatMap((marks) =>
        repeated(marks).map((at) => ({
          path: ['people', at],
          message: 'this id, certificate or identity stands there before',
        })),
      ),
  },
  {
    id: 'people/identity',
    cites: 'E1',
    check: ({ environment, people }) =>
      people.flatMap(({ identity }, at) =>
        environment === 'production' && identity === undefined
          ? [{ path: ['people', at], message: 'the identity is missing: kmc admin identity-digest makes it' }]
          : [],
      ),
  },
  {
    id: 'people/role-conflict',
    cites: 'D.3',
    check: ({ people }, { policies }) =>
      people.flatMap(({ roles }, at) =>
        roleConflicts(
          roles.map((grant) => grant.role),
          policies.exclusions,
        ).map(([one, other]) => ({
          path: ['people', at, 'roles'],
          message: `one person cannot hold both ${one} and ${other}`,
        })),
      ),
  },
  {
    id: 'people/region',
    cites: 'D.3',
    check: ({ people }, { policies }) =>
      people.flatMap(({ roles, region }, at) => {
        const known = (code: string | undefined): boolean => policies.regions.some((one) => one.code === code);
        const fits =
          roles.every((grant) => (ROLES[grant.role].regional ? known(grant.region) : grant.region === undefined)) &&
          (region === undefined || known(region));
        return fits
          ? []
          : [
              {
                path: ['people', at],
                message: 'a regional role names a region of policy, and no other role names one',
              },
            ];
      }),
  },
  {
    id: 'people/seats',
    cites: 'D.3, C11',
    check: ofFirstPeople(({ people, quorum }) =>
      seatsOf(quorum).flatMap(({ seat, certificate }) => {
        const roles =
          people.find((person) => person.certificate === certificate)?.roles.map((grant) => grant.role) ?? [];
        return roles.some((role) => SEAT_ROLES[seat].includes(role))
          ? []
          : [
              {
                path: ['quorum'],
                message: `the ${seat} must be one of the people, as ${SEAT_ROLES[seat].join(' or ')}`,
              },
            ];
      }),
    ),
  },
  {
    id: 'people/custodians',
    cites: '2.5',
    check: ofFirstPeople((file) =>
      unseated(file).map((id) => ({ path: ['quorum', 'holders'], message: `the custodian ${id} holds no share` })),
    ),
  },
  {
    id: 'people/eligible',
    cites: 'D.3 (bootstrapping)',
    check: ofFirstPeople(({ people }, { policies }) =>
      quorumShortfalls(people.map(futurePerson), policies.quorums).map(({ detail }) => ({
        path: ['people'],
        message: detail,
      })),
    ),
  },
];
