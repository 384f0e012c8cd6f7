/** EST: a device is looked for by the serial number that it gives as its user name. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('create index devices_by_serial on devices (serial, id)');
}
