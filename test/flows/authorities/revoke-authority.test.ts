import { expect } from 'chai';
import { issueCertificate } from '../../../src/flows/certificates/issue-certificate.ts';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { approved, carryOut, execute, propose } from '../people/people-acts.ts';

const asked = (targetId: string, reason = 'cACompromise') => ({
  op: 'authority.revoke' as const,
  targetId,
  params: { reason },
});

forEachDatabase('revokeAuthority', (fixture) => {
  const test = testInstance(fixture);

  it('stops the issuance at once, goes on with the CRLs, and says what a ceremony has to do', async () => {
    const { result } = await carryOut(test(), asked('sm2-issuing'));
    expect(result).to.include({ authority: 'sm2-issuing', state: 'revoked', issuer: 'sm2-root' });
    expect(result['serialNumber']).to.equal(test().estate.issuing.certificate.serialNumber);
    expect(result['outstanding']).to.contain('ceremony');
    const { spki } = await test().instance.engine.generateKeyPair('SM2');
    const subject = encodeName([{ type: 'CN', value: 'gw-1' }]);
    const input = { authorityId: 'sm2-issuing', profile: 'gateway-sign', subject, spki };
    await refusal('E_STATE', () => issueCertificate(test().instance, SYSTEM, input));
    expect((await publishCrl(test().instance, SYSTEM, 'sm2-issuing')).entries).to.equal(0);
    const [last] = (await test().history('authority', 'sm2-issuing')).slice(-1);
    expect(last).to.deep.include({ act: 'authority.revoke' });
    expect(last?.appr).to.have.length(3);
  });

  it('is done once', async () => {
    const [first, second] = [
      await approved(test(), asked('sm2-issuing')),
      await approved(test(), asked('sm2-issuing')),
    ];
    test().clock.advance(3600);
    await execute(test(), first);
    await refusal('E_STATE', () => execute(test(), first));
    await refusal('E_STALE', () => execute(test(), second));
    await refusal('E_STATE', () => propose(test(), asked('sm2-issuing')));
  });

  it('is for issuing authorities of this service alone', async () => {
    await refusal('E_USAGE', () => propose(test(), asked('sm2-root')));
    await refusal('E_USAGE', () => propose(test(), asked('admin-ca')));
    await refusal('E_NOT_FOUND', () => propose(test(), asked('nobody')));
    await refusal('E_SCHEMA', () => propose(test(), asked('sm2-issuing', 'certificateHold')));
  });
});
