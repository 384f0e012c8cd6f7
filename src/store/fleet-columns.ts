import { FLEET_LEVELS, rankOf, type FleetLevel } from '../domain/fleet/levels.ts';
import { KmcError } from '../errors.ts';
import { integer, type Column } from './table.ts';

/** A level, stored as its place in the order: so the database compares levels. */
export const levelColumn: Column<FleetLevel> = {
  encode: rankOf,
  decode: (stored) => {
    const level = FLEET_LEVELS[integer.decode(stored)];
    if (level !== undefined) return level;
    throw new KmcError('E_INTEGRITY', 'A stored level is none of the table. Stop the service and check the database.');
  },
};
