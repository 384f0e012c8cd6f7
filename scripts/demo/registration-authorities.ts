/** Registration authorities of the demo: two come into service by approved steps, those of before are taken over. */
import { createDigests } from '../../src/crypto/digests.ts';
import type { SignedObject } from '../../src/domain/signed-body.ts';
import { takeOverRegistrationAuthorities } from '../../src/flows/registration-authorities/take-over-registration-authorities.ts';
import type { OpenedInstance } from '../../src/main/open-instance.ts';
import type { DemoPeople } from './people.ts';
import { textOf } from './people.ts';
import type { StepLog } from './story.ts';

/** Who decides acts of class L2, and the third of class L3. */
const DECIDERS = [
  ['owner-2', 'ca-owner'],
  ['security-1', 'security-administrator'],
  ['security-3', 'security-administrator'],
] as const;
const PROPOSER = 'owner-1';
/** Regions whose operators the first ceremony appointed. */
const STAFFED = ['110000', '310000'];
const PATH = '/api/v1/supervision/registration-authorities';

async function approved(
  people: DemoPeople,
  deciders: number,
  ...[op, targetId, params, reason]: [string, string, SignedObject, string]
): Promise<void> {
  const request = await people.propose(PROPOSER, op, targetId, params, reason);
  for (const [name, role] of DECIDERS.slice(0, deciders)) await people.decide(name, role, request);
  await people.execute(PROPOSER, request);
}

/** What stands for a report of the people who looked. */
function evidence(region: string, what: string): string {
  return createDigests(Buffer.from(`${what} of region ${region}`, 'utf8')).sm3;
}

/** One authority, from its application to its service (授牌). */
async function bringIntoService(
  people: DemoPeople,
  { id, region, nameEn, nameZh }: { id: string; region: string; nameEn: string; nameZh: string },
  operators: readonly string[],
): Promise<void> {
  const act = (word: string, params: SignedObject, deciders = 2): Promise<void> =>
    approved(people, deciders, `registration-authority.${word}`, id, { region, ...params }, `${nameEn}: ${word}`);
  const profiles = ['gateway', 'hub-gateway', 'legacy-gateway'];
  await act('apply', { nameEn, nameZh, profiles, devices: '12000', devicesPerDay: '1000' });
  await act('attest-documents', { evidence: evidence(region, 'documents') });
  await act('attest-premises', { evidence: evidence(region, 'premises') });
  await act('appoint-operators', { operators });
  await act('open', {}, 3);
}

/**
 * Brings the registration authorities of the staffed regions into service, one of which is opened too early on the way and
 * refused; the service takes over those that worked before it.
 */
export async function openAuthorities(instance: OpenedInstance, people: DemoPeople, log: StepLog): Promise<void> {
  const all = instance.policies.registrationAuthorities;
  const staffed = all.filter(({ region }) => STAFFED.includes(region));
  const tooEarly = people.propose(PROPOSER, 'registration-authority.open', 'ra-110000', { region: '110000' }, 'early');
  log.check(
    await tooEarly.then(
      () => false,
      () => true,
    ),
    'what has not applied is not opened',
  );
  await Promise.all(
    staffed.map(({ id, region, name }) =>
      bringIntoService(people, { id, region, nameEn: name.en, nameZh: name.zh }, [
        `p-ra-${region}-1`,
        `p-ra-${region}-2`,
      ]),
    ),
  );
  await takeOverRegistrationAuthorities(instance, { type: 'system', id: instance.node }, () => true);
  const answer = await people.client('owner-1').json('GET', `${PATH}?state=in-service`);
  const items = (answer as { items: unknown[] }).items;
  log.check(items.length === all.length, 'every registration authority is in service');
  const own = await people.client('ra-110000-1').json('GET', PATH);
  const seen = (own as { items: unknown[] }).items.map((item) => textOf(item, 'region'));
  log.check(seen.join() === '110000', 'an operator sees the own one alone');
  log.count('authorities', items.length);
}
