import { expect } from 'chai';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { appointment, approved, bring, carryOut, execute, propose } from '../people/people-acts.ts';
import { storePair } from './device-pair.ts';

type Act = 'certificate.revoke-bulk' | 'certificate.revoke-mass';

const asked = (certificates: readonly string[], op: Act = 'certificate.revoke-bulk', reason = 'keyCompromise') => ({
  op,
  targetId: 'batch-1',
  params: { count: String(certificates.length), reason, certificates },
});
const many = (count: number) => Array.from({ length: count }, (_, at) => `cert-${at}`);

forEachDatabase('revokeCertificates', (fixture) => {
  const test = testInstance(fixture);
  const two = () => [test().people.caOwner, test().people.securityOne];
  const find = (id: string) => test().database.read((reader) => reader.certificates.find(id));

  it('revokes each with the other half of its pair, and counts those that were revoked in between', async () => {
    const pairs = [await storePair(test(), fixture, 'gw-1'), await storePair(test(), fixture, 'gw-2')];
    const gone = await storePair(test(), fixture, 'gw-3');
    const ids = [...pairs, gone].map(({ sign }) => sign.id);
    const created = await approved(test(), asked(ids), two());
    await revokeCertificate(test().instance, test().people.caOperatorOne.caller, {
      certificateId: gone.enc.id,
      reason: 'superseded',
    });
    const { result } = await execute(test(), created);
    expect(result).to.deep.equal({ batch: 'batch-1', revoked: '4', before: '1' });
    for (const { sign, enc } of pairs) {
      for (const { id, spkiSm3 } of [sign, enc]) {
        expect(await find(id)).to.include({ status: 'revoked', reason: 'keyCompromise' });
        expect(await test().database.read((reader) => reader.blockedKeys.find(spkiSm3))).to.not.equal(undefined);
        const [event] = (await test().history('certificate', id)).slice(-1);
        expect(event?.act).to.equal('certificate.revoke');
        expect(event?.appr).to.have.length(2);
      }
    }
    expect(await find(gone.sign.id)).to.include({ reason: 'superseded' });
    await refusal('E_STATE', () => execute(test(), created));
  });

  it('counts both halves of a pair once when both are named', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    const { result } = await carryOut(test(), asked([sign.id, enc.id]), two());
    expect(result).to.include({ revoked: '2', before: '1' });
  });

  it('keeps each act to its number', async () => {
    await refusal('E_SCHEMA', () => propose(test(), asked(many(501))));
    await refusal('E_SCHEMA', () => propose(test(), asked(many(500), 'certificate.revoke-mass')));
    await refusal('E_SCHEMA', () => propose(test(), asked(many(5001), 'certificate.revoke-mass')));
    await refusal('E_NOT_FOUND', () => propose(test(), asked(many(501), 'certificate.revoke-mass')));
    await refusal('E_NOT_FOUND', () => propose(test(), asked(many(1))));
  });

  it('refuses a list that is not what it says, and a reason that revokes nothing', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    const both = asked([sign.id, enc.id]);
    await refusal('E_SCHEMA', () => propose(test(), { ...both, params: { ...both.params, count: '3' } }));
    await refusal('E_SCHEMA', () => propose(test(), asked([sign.id, sign.id])));
    await refusal('E_SCHEMA', () => propose(test(), asked([sign.id], 'certificate.revoke-bulk', 'certificateHold')));
  });

  it('leaves the certificates of people to the acts on people', async () => {
    await carryOut(test(), appointment(await bring(test()), [{ role: 'ca-owner' }]));
    const [row] = await test().database.read((reader) =>
      reader.certificates.list({ authorityId: 'admin-ca' }, { limit: 1 }),
    );
    await refusal('E_USAGE', () => propose(test(), asked([row?.id ?? ''])));
  });
});
