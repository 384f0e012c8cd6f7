/** Faults put into a database, past the product, so that exactly one kind of write fails. */
import type { DatabaseFixture } from '../../store/databases.ts';

/** From now on no audit event can be written. */
export async function refuseAuditEvents(fixture: DatabaseFixture): Promise<void> {
  const postgresql = `alter table audit_event add constraint broken check (act = 'none') not valid`;
  const sqlite = `create trigger broken before insert on audit_event begin select raise(abort, 'full'); end`;
  await fixture.sql(fixture.engine === 'sqlite' ? sqlite : postgresql);
}

/** From now on the keystore's epoch cannot become 2; the result undoes it. */
export async function refuseSecondEpoch(fixture: DatabaseFixture): Promise<() => Promise<void>> {
  const postgresql = ['add constraint broken check (epoch < 2)', 'drop constraint broken'] as const;
  if (fixture.engine === 'postgresql') {
    await fixture.sql(`alter table keystore_epoch ${postgresql[0]}`);
    return async () => void (await fixture.sql(`alter table keystore_epoch ${postgresql[1]}`));
  }
  await fixture.sql(`create trigger broken before update on keystore_epoch when new.epoch = 2
             begin select raise(abort, 'full'); end`);
  return async () => void (await fixture.sql('drop trigger broken'));
}
