import { expect } from 'chai';
import { encodePem } from '../../../src/crypto/asn1/pem.ts';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { publishDueCrls } from '../../../src/flows/certificates/publish-due-crls.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import type { CertificateRow, RevocationReason } from '../../../src/flows/ports/certificates.ts';
import { parseCertificateList } from '../../../src/x509/crl.ts';
import { verifySignedBy } from '../../../src/x509/path/issuer-signature.ts';
import { SM2_SIGNATURE_OPTIONS, withOpenssl } from '../../crypto/openssl.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { wrongSigner } from '../../fixtures/wrong-signer.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';
import { storePair } from './device-pair.ts';

const HOUR = 3600;
const DAY = 86_400;

forEachDatabase('publishCrl', (fixture) => {
  const test = testInstance(fixture);

  const publish = () => publishCrl(test().instance, SYSTEM, 'sm2-issuing');
  const entriesOf = ({ crl }: { crl: Buffer }) => parseCertificateList(crl).entries;
  const latest = () => test().database.read((reader) => reader.crls.latest('sm2-issuing', 'complete'));
  const revoke = ({ id }: CertificateRow, reason: RevocationReason) =>
    revokeCertificate(test().instance, SYSTEM, { certificateId: id, reason });

  /** Past the product: as if somebody had altered the rows. */
  async function alter(change: string, { id }: CertificateRow): Promise<void> {
    await fixture.sql(`update certificates set ${change}, last_audit_event = ? where id = ?`, [
      await recordEvent(fixture),
      id,
    ]);
  }

  it('makes a first CRL, and every further one has the next number', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    expect(entriesOf(await publish())).to.deep.equal([]);
    await revoke(sign, 'keyCompromise');
    test().clock.advance(1);
    const second = await publish();
    expect(second.number).to.equal(2n);
    expect(entriesOf(second).map((entry) => entry.serialNumber)).to.deep.equal(
      [sign, enc].map((row) => row.serialNumber).sort(),
    );
    expect(entriesOf(second)[0]?.reason).to.equal('keyCompromise');
    expect(parseCertificateList(second.crl).crlNumber).to.equal(2n);
    expect((await latest())?.crlSm3).to.equal(second.crlSm3);
    const acts = (await test().history('crl', 'sm2-issuing')).map(({ act }) => act);
    expect(acts).to.deep.equal(['crl.issue', 'crl.issue']);
  });

  it('signs so that the certificate of the authority and the openssl program verify it', async () => {
    await revoke((await storePair(test(), fixture)).sign, 'unspecified');
    const { crl } = await publish();
    const parsed = parseCertificateList(crl);
    const { certificate } = test().estate.issuing;
    expect(verifySignedBy(parsed, certificate)).to.equal(true);
    expect(parsed.entries[0]?.reason).to.equal(undefined);
    withOpenssl((folder) => {
      folder.write('ca.pub', Buffer.from(encodePem('PUBLIC KEY', certificate.spki)));
      folder.write('tbs', parsed.tbs);
      folder.write('sig', parsed.signature);
      const verify = ['pkeyutl', '-verify', '-pubin', '-inkey', 'ca.pub', '-in', 'tbs', '-sigfile', 'sig'];
      expect(folder.run(...verify, ...SM2_SIGNATURE_OPTIONS).toString()).to.contain('Verified Successfully');
      folder.write('ca.crl', crl);
      expect(folder.run('crl', '-inform', 'DER', '-in', 'ca.crl', '-noout', '-crlnumber').toString()).to.match(
        /0x0?1$/m,
      );
    });
  });

  it('gives racing publishers different numbers', async () => {
    const rows = await Promise.all([publish(), publish(), publish()]);
    expect(rows.map(({ number }) => number)).to.have.members([1n, 2n, 3n]);
    expect((await latest())?.number).to.equal(3n);
  });

  it('refuses to lose an entry of the last CRL, and to date it anew', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    await revoke(sign, 'superseded');
    await publish();
    await alter("revoked_at = '2020-01-01T00:00:00.000Z'", sign);
    await refusal('E_CRL', publish);
    await alter("status = 'good', revoked_at = null, reason = null", sign);
    await refusal('E_CRL', publish);
    expect(await latest()).to.include({ number: 1n, entries: 2 });
    expect((await test().database.read((reader) => reader.authorities.find('sm2-issuing')))?.crlNumber).to.equal(1n);
    expect(enc.status).to.equal('good');
  });

  it('takes a released certificate off the list, and one on hold that is revoked stays on it', async () => {
    const released = await storePair(test(), fixture, 'gw-1');
    const kept = await storePair(test(), fixture, 'gw-2');
    await revoke(released.sign, 'certificateHold');
    await revoke(kept.sign, 'certificateHold');
    expect(entriesOf(await publish())).to.have.length(4);
    await releaseCertificate(test().instance, SYSTEM, { certificateId: released.sign.id });
    test().clock.advance(5);
    await revoke(kept.sign, 'superseded');
    const entries = entriesOf(await publish());
    expect(entries.map(({ reason }) => reason)).to.deep.equal(['superseded', 'superseded']);
  });

  it('refuses when an entry on hold is gone and was not released', async () => {
    const { sign } = await storePair(test(), fixture);
    await revoke(sign, 'certificateHold');
    await publish();
    await fixture.sql('update certificates set authority_id = ?, last_audit_event = ? where id = ?', [
      'sm2-root',
      await recordEvent(fixture),
      sign.id,
    ]);
    await refusal('E_CRL', publish);
  });

  it('keeps an entry for one CRL after the end of its certificate', async () => {
    const { sign } = await storePair(test(), fixture);
    await revoke(sign, 'superseded');
    await publish();
    await alter("not_after = '2026-01-01T00:00:00.000Z'", sign);
    expect(entriesOf(await publish())).to.have.length(1);
    const { clock } = test();
    const soon = new Date(clock.now().getTime() + 60_000).toISOString();
    await alter(`not_after = '${soon}'`, sign);
    clock.advance(120);
    expect(entriesOf(await publish())).to.have.length(2);
    clock.advance(1);
    expect(entriesOf(await publish())).to.have.length(1);
  });

  it('refuses when the clock is behind the last CRL or behind a revocation', async () => {
    const { clock } = test();
    const { sign } = await storePair(test(), fixture);
    clock.advance(3600);
    await publish();
    clock.advance(-1800);
    await refusal('E_TIME', publish);
    clock.advance(3600);
    await revoke(sign, 'superseded');
    clock.advance(-1800);
    await refusal('E_TIME', publish);
  });

  it('refuses when the number was set back', async () => {
    await publish();
    await publish();
    await fixture.sql("update authorities set crl_number = '1' where id = 'sm2-issuing'");
    await refusal('E_INTEGRITY', publish);
  });

  it('says nothing for a root, for an unknown authority, and before the inventory is in', async () => {
    const { instance } = test();
    await refusal('E_STATE', () => publishCrl(instance, SYSTEM, 'sm2-root'));
    await refusal('E_NOT_FOUND', () => publishCrl(instance, SYSTEM, 'no-ca'));
    await fixture.sql("update authorities set inventory = 'awaited', version = version + 1 where id = 'sm2-issuing'");
    await refusal('E_STATE', publish);
  });

  it('does not let out what an engine signed wrongly', async () => {
    const { instance } = test();
    const engine = wrongSigner(instance.engine);
    await refusal('E_INTEGRITY', () => publishCrl({ ...instance, engine }, SYSTEM, 'sm2-issuing'));
    expect(await latest()).to.equal(undefined);
    expect((await publish()).number).to.equal(1n);
  });

  it('is done by the regular work when the last CRL is older than policy allows', async () => {
    const { instance, clock } = test();
    const due = async () => (await publishDueCrls(instance, SYSTEM)).map((crl) => `${crl.authorityId} ${crl.scope}`);
    const shards = instance.policies.regions.map(({ code }) => `sm2-issuing ${code}`);
    const everything = ['admin-ca complete', 'sm2-issuing complete', ...shards];
    expect(await due()).to.deep.equal(everything);
    expect(await due()).to.deep.equal([]);
    clock.advance(HOUR);
    expect(await due()).to.deep.equal(['sm2-issuing delta']);
    expect(await due()).to.deep.equal([]);
    clock.advance(DAY - HOUR);
    expect(await due(), 'no delta beside a new complete CRL').to.deep.equal(everything);
  });

  it('is done at once when a hub device was revoked', async () => {
    const { instance, clock } = test();
    const edge = await storePair(test(), fixture, 'gw-1');
    const hub = await storePair(test(), fixture, 'gw-2');
    await fixture.sql("update devices set profile = 'hub-gateway' where id = 'gw-2'");
    await publishDueCrls(instance, SYSTEM);
    clock.advance(5);
    await revoke(edge.sign, 'superseded');
    expect(await publishDueCrls(instance, SYSTEM)).to.deep.equal([]);
    await revoke(hub.sign, 'superseded');
    clock.advance(5);
    expect(await publishDueCrls(instance, SYSTEM)).to.deep.equal([{ authorityId: 'sm2-issuing', scope: 'complete' }]);
    expect((await latest())?.entries).to.equal(4);
    expect(await publishDueCrls(instance, SYSTEM)).to.deep.equal([]);
  });

  it('is done for the others when it fails for one authority', async () => {
    const { instance } = test();
    const { sign } = await storePair(test(), fixture);
    await revoke(sign, 'superseded');
    await publish();
    await alter("status = 'good', revoked_at = null, reason = null", sign);
    test().clock.advance(DAY);
    await refusal('E_CRL', () => publishDueCrls(instance, SYSTEM));
    const other = await test().database.read((reader) => reader.crls.latest('admin-ca', 'complete'));
    expect(other?.number).to.equal(1n);
  });
});
