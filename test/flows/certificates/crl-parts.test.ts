import { expect } from 'chai';
import { publishAllCrls } from '../../../src/flows/certificates/publish-all-crls.ts';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import type { CertificateRow, RevocationReason } from '../../../src/flows/ports/certificates.ts';
import type { CrlRow } from '../../../src/flows/ports/crls.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { parseCertificateList } from '../../../src/x509/crl.ts';
import { EXTENSIONS, findExtension, readExtension } from '../../../src/x509/extensions.ts';
import { validatePath } from '../../../src/x509/path.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';
import { storePair } from './device-pair.ts';

const CRL = 'http://127.0.0.1:8440/crl';

forEachDatabase('CRLs by region', (fixture) => {
  const test = testInstance(fixture);
  const publish = (scope?: string) => publishCrl(test().instance, SYSTEM, 'sm2-issuing', scope);
  const revoke = ({ id }: CertificateRow, reason: RevocationReason) =>
    revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason });
  const uris = (points: readonly { readonly distributionPoint?: unknown }[] | undefined) =>
    points?.map((point) => JSON.stringify(point.distributionPoint).match(/http:[^"]+/)?.[0]);

  it('are named in certificates before the complete one, and say so themselves, critically', async () => {
    const { sign } = await storePair(test(), fixture);
    expect(sign.shard).to.equal('110000');
    const { extensions } = parseCertificate(sign.certificate);
    expect(uris(readExtension(extensions, EXTENSIONS.crlDistributionPoints))).to.deep.equal([
      `${CRL}/sm2-issuing/110000.crl`,
      `${CRL}/sm2-issuing.crl`,
    ]);
    const crl = parseCertificateList((await publish('110000')).crl);
    expect(findExtension(crl.extensions, EXTENSIONS.issuingDistributionPoint.oid)?.critical).to.equal(true);
    expect(crl.issuingDistributionPoint).to.deep.equal({
      distributionPoint: {
        fullName: [{ type: 'uniformResourceIdentifier', value: `${CRL}/sm2-issuing/110000.crl` }],
      },
      onlyContainsUserCerts: true,
    });
  });

  it('hold what is revoked in their region, and clear or refuse its certificates', async () => {
    const { sign } = await storePair(test(), fixture, 'gw-1');
    const other = await storePair(test(), fixture, 'gw-2');
    await revoke(sign, 'keyCompromise');
    const [complete, ...shards] = await publishAllCrls(test().instance, SYSTEM, 'sm2-issuing');
    expect(complete.entries).to.equal(2);
    expect(shards).to.have.length(33);
    expect(new Set([complete, ...shards].map(({ number }) => number)).size).to.equal(34);
    expect(shards.filter(({ entries }) => entries > 0).map(({ scope, entries }) => [scope, entries])).to.deep.equal([
      ['110000', 2],
    ]);
    const beijing = shards.find(({ scope }) => scope === '110000');
    const shanghai = shards.find(({ scope }) => scope === '310000');
    const rules = (row: CertificateRow & { certificate: Buffer }, crl: CrlRow | undefined) => {
      const verdict = validatePath({
        leaf: parseCertificate(row.certificate),
        intermediates: [],
        anchors: [test().estate.issuing.certificate],
        at: test().clock.now(),
        purpose: 'any',
        crls: crl === undefined ? [] : [parseCertificateList(crl.crl)],
      });
      return verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule);
    };
    expect(rules(sign, beijing)).to.deep.equal(['revoked']);
    expect(rules(other.sign, beijing)).to.deep.equal([]);
    expect(rules(other.sign, shanghai), 'another region says nothing of it').to.deep.equal(['crl-scope']);
  });

  it('refuse to lose an entry, also to another region, and know no others', async () => {
    const { sign } = await storePair(test(), fixture);
    await revoke(sign, 'superseded');
    await publish('110000');
    const auditEvent = await recordEvent(fixture);
    await fixture.sql("update certificates set shard = '310000', last_audit_event = ? where id = ?", [
      auditEvent,
      sign.id,
    ]);
    await refusal('E_CRL', () => publish('110000'));
    await refusal('E_NOT_FOUND', () => publish('999999'));
    await refusal('E_NOT_FOUND', () => publishCrl(test().instance, SYSTEM, 'admin-ca', '110000'));
  });
});

forEachDatabase('delta CRLs', (fixture) => {
  const test = testInstance(fixture);
  const publish = (scope?: string) => publishCrl(test().instance, SYSTEM, 'sm2-issuing', scope);
  const revoke = ({ id }: CertificateRow, reason: RevocationReason) =>
    revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason });
  const entriesOf = ({ crl }: CrlRow) =>
    Object.fromEntries(parseCertificateList(crl).entries.map(({ serialNumber, reason }) => [serialNumber, reason]));

  it('start from the complete CRL, which names where they are', async () => {
    await refusal('E_STATE', () => publish('delta'));
    const base = parseCertificateList((await publish()).crl);
    expect(JSON.stringify(readExtension(base.extensions, EXTENSIONS.freshestCrl))).to.contain(
      `${CRL}/sm2-issuing/delta.crl`,
    );
    const row = await publish('delta');
    const delta = parseCertificateList(row.crl);
    expect(delta.deltaBase).to.equal(1n);
    expect(delta.crlNumber).to.equal(2n);
    expect(delta.entries).to.deep.equal([]);
    expect(findExtension(delta.extensions, EXTENSIONS.deltaCrlIndicator.oid)?.critical).to.equal(true);
    expect(row.nextUpdate.getTime() - row.thisUpdate.getTime()).to.equal(6 * 3_600_000);
    expect((await publish()).number, 'one sequence of numbers').to.equal(3n);
    expect(parseCertificateList((await publish('delta')).crl).deltaBase).to.equal(3n);
  });

  it('say what was revoked, released and changed since, and nothing else', async () => {
    const [old, held, released, fresh] = await Promise.all(
      ['gw-1', 'gw-2', 'gw-3', 'gw-4'].map((id) => storePair(test(), fixture, id)),
    );
    if (old === undefined || held === undefined || released === undefined || fresh === undefined) throw new Error();
    await revoke(old.sign, 'superseded');
    await revoke(held.sign, 'certificateHold');
    await revoke(released.sign, 'certificateHold');
    await publish();
    test().clock.advance(5);
    await revoke(held.sign, 'keyCompromise');
    await releaseCertificate(test().instance, SYSTEM, { certificateId: released.sign.id });
    await revoke(fresh.sign, 'cessationOfOperation');
    const both = (pair: typeof old, reason: string) =>
      Object.fromEntries([pair.sign, pair.enc].map(({ serialNumber }) => [serialNumber, reason]));
    const changes = {
      ...both(held, 'keyCompromise'),
      ...both(released, 'removeFromCRL'),
      ...both(fresh, 'cessationOfOperation'),
    };
    expect(entriesOf(await publish('delta'))).to.deep.equal(changes);
    expect(entriesOf(await publish('delta')), 'again, all since the base').to.deep.equal(changes);
    const complete = entriesOf(await publish());
    expect(complete).to.deep.equal({
      ...both(old, 'superseded'),
      ...both(held, 'keyCompromise'),
      ...both(fresh, 'cessationOfOperation'),
    });
    expect(entriesOf(await publish('delta'))).to.deep.equal({});
  });

  it('hold the next complete CRL to what they said', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    await publish();
    await revoke(sign, 'superseded');
    await publish('delta');
    for (const { id } of [sign, enc]) {
      await fixture.sql(
        "update certificates set status = 'good', revoked_at = null, reason = null, last_audit_event = ? where id = ?",
        [await recordEvent(fixture), id],
      );
    }
    await refusal('E_CRL', () => publish());
    await refusal('E_CRL', () => publish('delta'));
  });
});
