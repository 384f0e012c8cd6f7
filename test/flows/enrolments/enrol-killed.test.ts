import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { forEachDatabase } from '../../store/databases.ts';

/** What must hold of every enrolment (security-and-faults I1, I2, I4): queries that find what breaks it. */
const INVARIANTS: Readonly<Record<string, string>> = {
  'every encryption certificate has its escrowed key': `
    select c.id from certificates c left join escrowed_keys k on k.authority_id = c.authority_id
      and k.certificate_serial = c.serial_number and k.spki_sm3 = c.spki_sm3
    where c.profile = 'gateway-enc' and (k.id is null or k.sealed_key is null)`,
  'every escrowed key has its certificate': `
    select k.id from escrowed_keys k left join certificates c on k.authority_id = c.authority_id
      and k.certificate_serial = c.serial_number where c.id is null and k.state <> 'spare'`,
  'a spare key has no owner, and a batch has all its keys': `
    select b.id from key_batches b left join escrowed_keys k on k.batch_id = b.id
      and (k.state = 'active') = (k.certificate_serial is not null) group by b.id, b.count having count(k.id) <> b.count`,
  'a pair has two halves': `
    select pair_id from certificates where device_id is not null group by pair_id having count(*) <> 2`,
  'an enrolment has both serials, and its token is used for it': `
    select e.id from enrolments e left join enrolment_tokens t on t.enrolment_id = e.id
      left join certificates s on s.authority_id = e.authority_id and s.serial_number = e.sign_serial
      left join certificates c on c.authority_id = e.authority_id and c.serial_number = e.enc_serial
    where t.state is null or t.state <> 'used' or s.id is null or c.id is null or e.enveloped_key is null`,
  'a used token has its enrolment': `
    select t.id from enrolment_tokens t left join enrolments e on e.id = t.enrolment_id
    where t.state = 'used' and e.id is null`,
  'a device in service has the key of a certificate': `
    select d.id from devices d left join certificates c on c.spki_sm3 = d.spki_sm3
    where d.status = 'in-service' and c.id is null`,
  'every certificate names an event that was recorded': `
    select c.id from certificates c left join audit_event e on e.id = c.last_audit_event where e.id is null`,
};

forEachDatabase('kill -9 while devices enrol', (fixture) => {
  it('leaves no half enrolment, and loses none that was answered', async () => {
    const script = join(import.meta.dirname, 'enrol-until-killed.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, fixture.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const answered: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      const [device = '', state] = line.split(' ');
      if (state === 'ISSUED') answered.push(device);
      // At another point of the next enrolment each time.
      if (answered.length === 3) setTimeout(() => child.kill('SIGKILL'), Math.floor(performance.now() % 40));
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).to.equal('SIGKILL');
    for (const [invariant, breaches] of Object.entries(INVARIANTS)) {
      expect(await fixture.sql(breaches), invariant).to.deep.equal([]);
    }
    const inService = (await fixture.sql("select id from devices where status = 'in-service'")).map(({ id }) => id);
    expect(inService).to.include.members(answered);
  }).timeout(60_000);
});
