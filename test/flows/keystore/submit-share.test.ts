import { expect } from 'chai';
import { parseAuditRecord } from '../../../src/domain/audit/record.ts';
import { SHARE_SESSION_SECONDS } from '../../../src/flows/keystore/share-session.ts';
import { submitShare } from '../../../src/flows/keystore/submit-share.ts';
import { refusal } from '../../crypto/refusal.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refuseAuditEvents } from './database-faults.ts';
import { makeCustodians, type Custodian } from './custodians.ts';
import { ServiceInstance, SOURCE } from './service-instance.ts';

/** What the audit log says of the keystore: action, outcome or code. */
async function history(service: ServiceInstance): Promise<string[]> {
  const rows = await service.database.read((reader) => reader.audit.history('keystore', 'service', 0, 1000));
  return rows.map(({ canon }) => {
    const { act, code, out } = parseAuditRecord(canon);
    return `${act} ${code ?? out}`;
  });
}

forEachDatabase('shares of custodians', (fixture) => {
  const scratch = scratchDirectory();
  let service: ServiceInstance;
  let custodians: Custodian[];
  let first: Custodian;
  let second: Custodian;
  let third: Custodian;

  before(async () => {
    custodians = await makeCustodians(5);
    [first, second, third] = [custodians[0]!, custodians[1]!, custodians[2]!];
  });
  beforeEach(async () => {
    service = await ServiceInstance.start(scratch(), fixture.url);
    await service.create(custodians);
  });
  afterEach(() => service.stop());

  it('open the keystore with the third of five, and all of it is recorded', async () => {
    const { session } = await service.begin();
    expect(session).to.include({ threshold: 3, count: 5 });
    expect((await service.begin()).session?.nonce).to.equal(session?.nonce);
    await refusal('E_SHARE_BAD', () => service.submitCiphertext(first, Buffer.from('no share')));
    service.clock.advance(2);
    expect((await service.submit(first)).state).to.equal('UNSEALING');
    await refusal('E_SAME_PERSON', () => service.submit(first));
    const status = await service.submit(second);
    expect(status.session?.received).to.deep.equal(['p-1', 'p-2']);
    await refusal('E_SEALED', () => service.keystore.currentKek('ca-keys'));
    expect(await service.submit(third)).to.deep.equal({ state: 'UNSEALED' });
    expect(service.keystore.currentKek('ca-keys').version).to.equal(1);
    expect(await history(service)).to.deep.equal([
      'keystore.create success',
      'keystore.share E_SHARE_BAD',
      'keystore.share success',
      'keystore.share E_SAME_PERSON',
      'keystore.share success',
      'keystore.share success',
      'keystore.unseal success',
    ]);
    expect(service.files.journal()).to.deep.equal([]);
  });

  it('that come at once open it once', async () => {
    await service.begin();
    const results = await Promise.allSettled(custodians.slice(0, 4).map((custodian) => service.submit(custodian)));
    expect(results.filter((result) => result.status === 'fulfilled')).to.have.length(3);
    expect(service.keystore.state).to.equal('UNSEALED');
    expect((await history(service)).filter((line) => line.startsWith('keystore.unseal'))).to.have.length(1);
  });

  it('make their giver alone wait when they are wrong, twice as long each time', async () => {
    await service.begin();
    for (const wait of [2, 4, 8]) {
      await refusal('E_SHARE_BAD', () => service.submitCiphertext(first, Buffer.from('no share')));
      const error = await refusal('E_RATE', () => service.submit(first));
      expect(error.retryAfter).to.equal(wait);
      service.clock.advance(wait);
    }
    await service.submit(first);
    expect(service.keystore.backOff.countOf('p-1')).to.equal(0);
    await service.submit(second);
    expect((await service.submit(third)).state).to.equal('UNSEALED');
  });

  it('are gone when the session ends', async () => {
    await service.begin();
    const { nonce, spki } = service.keystore.session(service.clock.now())!;
    const early = await second.transfer(spki);
    await service.submit(first);
    service.clock.advance(SHARE_SESSION_SECONDS);
    expect(service.keystore.status(service.clock.now())).to.deep.equal({ state: 'SEALED' });
    const input = { nonce, share: early, source: SOURCE };
    await refusal('E_STATE', () => submitShare(service, input, second.caller));
    expect((await service.begin()).session?.received).to.deep.equal([]);
    await refusal('E_STATE', () => submitShare(service, input, second.caller));
    await refusal('E_SHARE_BAD', () => service.submitCiphertext(second, early));
  });

  it('are taken of custodians only', async () => {
    await service.begin();
    const { nonce } = service.keystore.session(service.clock.now())!;
    const input = { nonce, share: Buffer.from('x'), source: SOURCE };
    await refusal('E_FORBIDDEN', () => submitShare(service, input, { ...first.caller, id: 'p-9' }));
    await refusal('E_FORBIDDEN', () => submitShare(service, input, { ...first.caller, roles: [] }));
    await refusal('E_FORBIDDEN', () => submitShare(service, input, { type: 'system', id: 'kmc' }));
  });

  it('do not count when they cannot be recorded', async () => {
    await service.begin();
    await refuseAuditEvents(fixture);
    await service.submit(first).then(
      () => expect.fail('the share was taken'),
      () => undefined,
    );
    expect(service.keystore.status(service.clock.now())).to.deep.equal({ state: 'SEALED' });
  });
});
