import { expect } from 'chai';
import type { ExpiringKind } from '../../../src/domain/expiry.ts';
import { findExpiring } from '../../../src/flows/expiry/find-expiring.ts';
import { remind } from '../../../src/flows/expiry/remind.ts';
import { publishAllCrls } from '../../../src/flows/certificates/publish-all-crls.ts';
import { renewResponders } from '../../../src/flows/ocsp/renew-responders.ts';
import { certificate, recordEvent } from '../../store/rows.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { manifestMaker } from '../../fixtures/manifests.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { storePair } from '../certificates/device-pair.ts';

const DAY = 86_400;

forEachDatabase('reminders', (fixture) => {
  const test = testInstance(fixture);
  const find = async (...kinds: ExpiringKind[]) =>
    (await findExpiring(test().instance, kinds)).map(({ id, name }) => `${id} ${name}`);

  it('tell of both certificates of a device from 60 days before their end, and not of those with a successor', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    test().clock.advance(669 * DAY);
    expect(await find('device-certificate')).to.deep.equal([]);
    test().clock.advance(2 * DAY);
    expect(await find('device-certificate')).to.have.members([`${sign.id} gw-1`, `${enc.id} gw-1`]);
    expect(await findExpiring(test().instance, ['device-certificate'], { deviceId: 'gw-2' })).to.deep.equal([]);
    expect(await findExpiring(test().instance, ['device-certificate'], { deviceId: 'gw-1' })).to.have.length(2);
    const next = certificate('cert-next', 'sm2-issuing', await recordEvent(fixture), {
      profile: 'gateway-sign',
      deviceId: 'gw-1',
      notAfter: new Date(sign.notAfter.getTime() + 1000),
    });
    await test().database.transaction((tx) => tx.certificates.insert(next));
    expect(await find('device-certificate')).to.deep.equal([`${enc.id} gw-1`, 'cert-next gw-1']);
  });

  it('tell of what ended and was not replaced, for as long again', async () => {
    const { sign } = await storePair(test(), fixture);
    test().clock.advance(789 * DAY);
    expect(await find('device-certificate')).to.include(`${sign.id} gw-1`);
    test().clock.advance(2 * DAY);
    expect(await find('device-certificate')).to.deep.equal([]);
  });

  it('tell of people, and of authorities a year before', async () => {
    const { people } = test().estate;
    test().clock.advance(725 * DAY);
    expect(await find('person-certificate')).to.have.length(Object.keys(people).length);
    expect(await find('authority')).to.deep.equal([]);
    test().clock.advance((3650 - 725 - 364) * DAY);
    expect(await find('authority')).to.include.members([
      'sm2-issuing issuing',
      'sm2-root root',
      'admin-ca administrator',
    ]);
  });

  it('tell of a CRL that nobody replaces, and of a responder only when there is no newer one', async () => {
    const { instance, clock } = test();
    await publishAllCrls(instance, SYSTEM, 'sm2-issuing');
    await renewResponders(instance, SYSTEM);
    expect(await find('crl', 'root-crl')).to.deep.equal([]);
    clock.advance(5 * DAY + 60);
    expect(await find('crl')).to.have.length(34);
    expect(await find('crl')).to.include('sm2-issuing complete');
    await publishAllCrls(instance, SYSTEM, 'sm2-issuing');
    expect(await find('crl')).to.deep.equal([]);
    clock.advance(62 * DAY);
    expect(await find('service-certificate')).to.have.length(2);
    await renewResponders(instance, SYSTEM);
    expect(await find('service-certificate')).to.deep.equal([]);
  });

  it('tell of the newest manifest of the trust bundle, until the next one is published', async () => {
    const maker = manifestMaker(test);
    const first = await maker.publish(await maker.first());
    test().clock.advance(29 * DAY);
    expect(await find('trust-bundle')).to.deep.equal([]);
    test().clock.advance(2 * DAY);
    expect(await find('trust-bundle')).to.deep.equal(['extranet version-1']);
    expect(await remind(test().instance, SYSTEM)).to.equal(1);
    const now = test().clock.now();
    const times = { issuedAt: signedTime(now), expiresAt: signedTime(new Date(now.getTime() + 60 * DAY * 1000)) };
    await maker.publish(maker.next(first, times));
    expect(await find('trust-bundle')).to.deep.equal([]);
  });

  it('are one event for each end, however often and by however many they are looked for', async () => {
    const { sign } = await storePair(test(), fixture);
    expect(await remind(test().instance, SYSTEM)).to.equal(0);
    test().clock.advance(671 * DAY);
    const people = Object.keys(test().estate.people).length;
    const written = await Promise.all([remind(test().instance, SYSTEM), remind(test().instance, SYSTEM)]);
    expect(written[0] + written[1]).to.equal(2 + people);
    expect(await remind(test().instance, SYSTEM)).to.equal(0);
    const events = await test().history('certificate', sign.id);
    expect(events.filter(({ act }) => act === 'expiry.remind')).to.have.length(1);
  });
});
