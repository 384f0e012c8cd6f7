import { expect } from 'chai';
import { issueToken } from '../../../src/flows/devices/issue-token.ts';
import { registerDevice } from '../../../src/flows/devices/register-device.ts';
import { takeOverRegistrationAuthorities } from '../../../src/flows/registration-authorities/take-over-registration-authorities.ts';
import { refusal } from '../../crypto/refusal.ts';
import { registered, registrationOf, tokenFor } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { device } from '../../store/rows.ts';
import { approved, carryOut, execute, propose } from '../people/people-acts.ts';
import { amend, authority, doAct, EVIDENCE, opOf } from './authority-acts.ts';

const BEIJING = 'ra-110000';
const TERMS = { profiles: ['gateway'], devices: '3', devicesPerDay: '3' };

forEachDatabase('registration authorities', (fixture) => {
  const test = testInstance(fixture);
  const register = (id: string, region = '110000', profile = 'gateway') => {
    const { raOne, raElsewhere } = test().people;
    const { caller } = region === '110000' ? raOne : raElsewhere;
    return registerDevice(test().instance, caller, { registration: registrationOf(id, { profile }), region });
  };

  it('come into service step by step, each approved, and register nothing before', async () => {
    const { raTwo, raElsewhere } = test().people;
    await doAct(test(), 'close', 'ra-120000', '120000');
    await refusal('E_POLICY', () => register('gw-1', '120000'));
    const names = { nameEn: 'Tianjin Second Registration Authority', nameZh: '天津市第二注册机构' };
    await doAct(test(), 'apply', 'ra-tianjin', '120000', { ...names, ...TERMS });
    await refusal('E_STATE', () => register('gw-1', '120000'));
    await refusal('E_STATE', () => doAct(test(), 'open', 'ra-tianjin', '120000'));
    await doAct(test(), 'attest-documents', 'ra-tianjin', '120000', { evidence: EVIDENCE });
    await doAct(test(), 'attest-premises', 'ra-tianjin', '120000', { evidence: EVIDENCE });
    const operators = [raElsewhere.id, raTwo.id];
    const appoint = () => doAct(test(), 'appoint-operators', 'ra-tianjin', '120000', { operators });
    await refusal('E_FORBIDDEN', appoint);
    const grant = { role: 'ra-operator', region: '120000' };
    await carryOut(test(), { op: 'person.grant-role', targetId: raTwo.id, params: grant });
    await appoint();
    await refusal('E_STATE', () => register('gw-1', '120000'));
    await doAct(test(), 'open', 'ra-tianjin', '120000');
    expect((await register('gw-1', '120000')).device.registrationAuthority).to.equal('ra-tianjin');
    const history = await test().history('registration-authority', 'ra-tianjin');
    expect(history.map(({ act }) => act.split('.')[1])).to.deep.equal([
      'apply',
      'attest-documents',
      'attest-premises',
      'appoint-operators',
      'open',
    ]);
    expect(history.every(({ appr }) => (appr ?? []).length >= 2)).to.equal(true);
    expect(history.map(({ det }) => det['to'])).to.deep.equal([
      'applied',
      'documents-attested',
      'premises-attested',
      'operators-appointed',
      'in-service',
    ]);
  });

  it('do not open without two operators who can work', async () => {
    const { raElsewhere, raTwo } = test().people;
    await doAct(test(), 'suspend', 'ra-120000', '120000');
    // One operator is there; the second one is disabled between the request and its execution.
    await refusal('E_QUORUM', () =>
      propose(test(), { op: opOf('resume'), targetId: 'ra-120000', params: { region: '120000' } }),
    );
    await carryOut(test(), {
      op: 'person.grant-role',
      targetId: raTwo.id,
      params: { role: 'ra-operator', region: '120000' },
    });
    const resume = await approved(test(), { op: opOf('resume'), targetId: 'ra-120000', params: { region: '120000' } });
    await carryOut(test(), { op: 'person.suspend', targetId: raElsewhere.id, params: {} });
    await refusal('E_QUORUM', () => execute(test(), resume));
    expect((await authority(test(), 'ra-120000'))?.state).to.equal('suspended');
  });

  it('are asked for with everything, in a province, and once for a region', async () => {
    const apply = (params: object, id = 'ra-new') =>
      propose(test(), { op: opOf('apply'), targetId: id, params: { nameEn: 'A', nameZh: '甲', ...TERMS, ...params } });
    await refusal('E_CONFLICT', () => apply({ region: '110000' }));
    await refusal('E_CONFLICT', () => apply({ region: '110000' }, BEIJING));
    await refusal('E_POLICY', () => apply({ region: '100000' }));
    await refusal('E_POLICY', () => apply({ region: '999999' }));
    await refusal('E_SCHEMA', () => apply({ region: '110000', devices: '0' }));
    await refusal('E_SCHEMA', () => apply({ region: '110000', devices: '1000001' }));
    await refusal('E_SCHEMA', () => apply({ region: '110000', nameEn: 'A\nB' }));
    await refusal('E_SCHEMA', () => apply({ region: '110000', more: 'x' }));
    await doAct(test(), 'close', BEIJING, '110000');
    await refusal('E_POLICY', () => apply({ region: '110000', profiles: ['no-such'] }));
    await refusal('E_SCHEMA', () => apply({ region: '110000', profiles: ['gateway', 'gateway'] }));
    await refusal('E_CONFLICT', () => apply({ region: '110000' }, BEIJING));
    expect((await apply({ region: '110000' })).state).to.equal('OPEN');
    const elsewhere = { op: opOf('suspend'), targetId: 'ra-120000', params: { region: '130000' } };
    const { concealed } = await refusal('E_NOT_FOUND', () => propose(test(), elsewhere));
    expect(concealed).to.equal(true);
  });

  it('use their profiles and quotas, also for a batch, and what was decommissioned makes room', async () => {
    await amend(test(), BEIJING, '110000', { devices: 3, devicesPerDay: 100 });
    await refusal('E_POLICY', () => register('hub-1', '110000', 'hub-gateway'));
    await register('gw-1');
    await register('gw-2');
    const batch = (ids: readonly string[]) => ({
      op: 'device.register-batch' as const,
      targetId: `batch-${ids.join('-')}`,
      params: {
        region: '110000',
        count: String(ids.length),
        devices: ids.map((id) => ({ ...registrationOf(id) })),
      },
    });
    await refusal('E_QUOTA', () => carryOut(test(), batch(['gw-3', 'gw-4'])));
    await carryOut(test(), batch(['gw-3']));
    await refusal('E_QUOTA', () => register('gw-4'));
    const parting = { region: '110000', reason: 'cessationOfOperation' };
    await carryOut(test(), { op: 'device.decommission', targetId: 'gw-1', params: parting });
    await register('gw-4');
    const counts = await test().database.read((reader) =>
      reader.registrationAuthorities.registered(BEIJING, new Date(0)),
    );
    expect(counts).to.deep.equal({ devices: 3, today: 4 });
  });

  it('register no more a day than they may, and go on the next day', async () => {
    await amend(test(), BEIJING, '110000', { devicesPerDay: 2 });
    await register('gw-1');
    await register('gw-2');
    await refusal('E_QUOTA', () => register('gw-3'));
    test().clock.advance(86_400);
    await register('gw-3');
  });

  it('never register more than their quota, however many operators try at once', async () => {
    await amend(test(), BEIJING, '110000', { devices: 5, devicesPerDay: 100 });
    const tries = Array.from({ length: 12 }, (_, index) =>
      register(`gw-${index}`).then(
        () => 'in',
        (error: unknown) => codeOf(error),
      ),
    );
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter((outcome) => outcome === 'in')).to.have.length(5);
    expect(outcomes.filter((outcome) => outcome === 'E_QUOTA')).to.have.length(7);
    expect(await test().database.read((reader) => reader.devices.list({}, { limit: 100 }))).to.have.length(5);
  });

  it('that are suspended or closed issue no token, and those that nobody used are worthless', async () => {
    await registered(test(), 'gw-1');
    await registered(test(), 'gw-2');
    const { issued } = await tokenFor(test(), 'gw-1');
    const { result } = await doAct(test(), 'suspend', BEIJING, '110000');
    expect(result).to.deep.equal({ authority: BEIJING, state: 'suspended', tokens: '1' });
    const row = await test().database.read((reader) => reader.enrolmentTokens.find(issued.token.id));
    expect(row).to.include({ state: 'revoked', tokenSm3: undefined, sealedToken: undefined });
    const asked = { deviceId: 'gw-2', delivery: 'remote' } as const;
    await refusal('E_STATE', () => issueToken(test().instance, test().people.raTwo.caller, asked));
    await doAct(test(), 'resume', BEIJING, '110000');
    await tokenFor(test(), 'gw-1');
    await doAct(test(), 'close', BEIJING, '110000');
    await refusal('E_STATE', () => issueToken(test().instance, test().people.raTwo.caller, asked));
    await refusal('E_STATE', () => doAct(test(), 'resume', BEIJING, '110000'));
  });

  it('that worked before are taken over once: as policy marks them, or as devices name them', async () => {
    await fixture.sql(
      'drop trigger if exists registration_authorities_kept' +
        (fixture.engine === 'sqlite' ? '' : ' on registration_authorities'),
    );
    await fixture.sql('delete from registration_authorities');
    const { instance } = test();
    expect(await takeOverRegistrationAuthorities(instance, SYSTEM)).to.deep.equal([]);
    const row = device('gw-old', { region: '340000', registrationAuthority: 'ra-340000' });
    await test().database.transaction((tx) => tx.devices.insert(row));
    const policies = {
      ...instance.policies,
      registrationAuthorities: instance.policies.registrationAuthorities.map((one) => ({
        ...one,
        inService: one.id === BEIJING,
      })),
    };
    const both = await Promise.all(
      [1, 2].map(() => takeOverRegistrationAuthorities({ ...instance, policies }, SYSTEM)),
    );
    expect(both.flat().sort()).to.deep.equal([BEIJING, 'ra-340000']);
    expect(await authority(test(), 'ra-340000')).to.include({
      state: 'in-service',
      nameZh: '安徽省注册机构',
      devices: 20_000,
    });
    await doAct(test(), 'close', BEIJING, '110000');
    expect(await takeOverRegistrationAuthorities({ ...instance, policies }, SYSTEM)).to.deep.equal([]);
    const history = await test().history('registration-authority', BEIJING);
    expect(history.map(({ act }) => act)).to.include('registrar.take-over');
  });
});

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
