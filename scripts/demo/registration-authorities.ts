/** The 32 registration authorities of the demo come into service, each by its own approved steps. */
import { createDigests } from '../../src/crypto/digests.ts';
import type { SignedObject } from '../../src/domain/signed-body.ts';
import { makePersonalCertificate } from '../../src/flows/ceremonies/make-personal-certificate.ts';
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
/** Roles that one appointment gives at the most. */
const GROUP = 8;
const TOGETHER = 16;
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

/** The two people who are operators of a region that has nobody yet; each serves a group of regions until then. */
function visitorsOf(group: number): readonly [string, string] {
  return [`p-ra-visiting-${group}-1`, `p-ra-visiting-${group}-2`];
}

async function appointOperators(people: DemoPeople, regions: readonly string[]): Promise<void> {
  for (let group = 0; group * GROUP < regions.length; group += 1) {
    const roles = regions.slice(group * GROUP, (group + 1) * GROUP).map((region) => ({ role: 'ra-operator', region }));
    for (const id of visitorsOf(group)) {
      const named = { name: `Visiting Operator ${id}`, unit: 'ra', organisation: 'kmc' };
      const key = await people.engine.generateKeyPair('SM2');
      const certificate = await makePersonalCertificate(people.engine, key, { id, ...named }, new Date());
      people.engine.destroyKey(key);
      const params = { ...named, roles, certificate: certificate.toString('base64') };
      await approved(people, 3, 'person.appoint', id, params, 'operators of regions without any');
    }
  }
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
 * Brings all registration authorities of policy into service. One is opened too early on the way, and refused.
 */
export async function openAuthorities({ policies }: OpenedInstance, people: DemoPeople, log: StepLog): Promise<void> {
  const all = policies.registrationAuthorities.map(({ id, region, name }) => ({
    id,
    region,
    nameEn: name.en,
    nameZh: name.zh,
  }));
  const unstaffed = all.map(({ region }) => region).filter((region) => !STAFFED.includes(region));
  await appointOperators(people, unstaffed);
  const operatorsOf = (region: string): readonly string[] =>
    STAFFED.includes(region)
      ? [`p-ra-${region}-1`, `p-ra-${region}-2`]
      : visitorsOf(Math.floor(unstaffed.indexOf(region) / GROUP));
  const tooEarly = people.propose(
    PROPOSER,
    'registration-authority.open',
    'ra-110000',
    { region: '110000' },
    'too early',
  );
  log.check(
    await tooEarly.then(
      () => false,
      () => true,
    ),
    'what has not applied is not opened',
  );
  for (let start = 0; start < all.length; start += TOGETHER) {
    await Promise.all(
      all.slice(start, start + TOGETHER).map((one) => bringIntoService(people, one, operatorsOf(one.region))),
    );
  }
  const answer = await people.client('owner-1').json('GET', `${PATH}?state=in-service`);
  const items = (answer as { items: unknown[] }).items;
  log.check(items.length === all.length, 'every registration authority is in service');
  const own = await people.client('ra-110000-1').json('GET', PATH);
  const seen = (own as { items: unknown[] }).items.map((item) => textOf(item, 'region'));
  log.check(seen.join() === '110000', 'an operator sees the own one alone');
  log.count('authorities', items.length);
}
