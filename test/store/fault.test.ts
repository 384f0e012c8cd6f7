import { expect } from 'chai';
import { postgresFault, sqliteFault, type Fault } from '../../src/store/fault.ts';

function driverError(code: string, message = 'driver text', constraint?: string): Error {
  return Object.assign(new Error(message), {
    code,
    ...(constraint === undefined ? {} : { constraint, detail: 'Key (x)=(secret)' }),
  });
}

const SQLITE: readonly (readonly [error: Error, code: string, kind: Fault['kind']])[] = [
  [driverError('SQLITE_BUSY'), 'E_STORAGE', 'collision'],
  [driverError('SQLITE_LOCKED'), 'E_STORAGE', 'collision'],
  [driverError('SQLITE_FULL'), 'E_STORAGE', 'storage'],
  [driverError('SQLITE_IOERR'), 'E_STORAGE', 'storage'],
  [driverError('SQLITE_READONLY'), 'E_STORAGE', 'storage'],
  [driverError('SQLITE_CANTOPEN'), 'E_STORAGE', 'storage'],
  [driverError('SQLITE_CORRUPT'), 'E_INTEGRITY', 'storage'],
  [driverError('SQLITE_NOTADB'), 'E_INTEGRITY', 'storage'],
  [driverError('SQLITE_CONSTRAINT', 'UNIQUE constraint failed: t.x'), 'E_CONFLICT', 'constraint'],
  [driverError('SQLITE_CONSTRAINT', 'FOREIGN KEY constraint failed'), 'E_CONFLICT', 'constraint'],
  [driverError('SQLITE_CONSTRAINT', 'CHECK constraint failed: x'), 'E_INTERNAL', 'constraint'],
  [driverError('SQLITE_CONSTRAINT', 'KMC E_FORBIDDEN This is not allowed.'), 'E_FORBIDDEN', 'constraint'],
  [driverError('SQLITE_CONSTRAINT', 'KMC E_UNHEARD_OF No code of ours.'), 'E_INTERNAL', 'constraint'],
  [driverError('SQLITE_ERROR', 'no such column: secret'), 'E_INTERNAL', 'constraint'],
  [driverError('SQLITE_WHATEVER'), 'E_STORAGE', 'storage'],
  [new Error('no code at all'), 'E_STORAGE', 'storage'],
];

const POSTGRES: readonly (readonly [error: Error, code: string, kind: Fault['kind']])[] = [
  [driverError('40001'), 'E_STORAGE', 'collision'],
  [driverError('40P01'), 'E_STORAGE', 'collision'],
  [driverError('55P03'), 'E_STORAGE', 'storage'],
  [driverError('57P01'), 'E_STORAGE', 'storage'],
  [driverError('53100'), 'E_STORAGE', 'storage'],
  [driverError('08006'), 'E_STORAGE', 'storage'],
  [driverError('ECONNREFUSED'), 'E_STORAGE', 'storage'],
  [driverError('XX001'), 'E_INTEGRITY', 'storage'],
  [driverError('23505', 'duplicate key', 'requests_pkey'), 'E_CONFLICT', 'constraint'],
  [driverError('23503', 'violates foreign key', 'devices_fk'), 'E_CONFLICT', 'constraint'],
  [driverError('23503', 'violates foreign key', 'requests_last_audit_event_fkey'), 'E_AUDIT', 'constraint'],
  [driverError('23514', 'violates check', 'devices_check'), 'E_INTERNAL', 'constraint'],
  [driverError('22P02', 'invalid input syntax: "secret"'), 'E_INTERNAL', 'constraint'],
  [driverError('42703', 'column "secret" does not exist'), 'E_INTERNAL', 'constraint'],
  [driverError('P0001', 'KMC E_AUDIT Without an event.'), 'E_AUDIT', 'constraint'],
  [new Error('Connection terminated unexpectedly'), 'E_STORAGE', 'storage'],
];

describe('faults of the drivers', () => {
  for (const [name, cases, meaning] of [
    ['sqlite', SQLITE, (error: Error) => sqliteFault(error)],
    ['postgresql', POSTGRES, (error: Error) => postgresFault(error)],
  ] as const) {
    it(`have a code of ours (${name})`, () => {
      for (const [error, code, kind] of cases) {
        const fault = meaning(error);
        expect([fault.error.code, fault.kind], error.message).to.deep.equal([code, kind]);
        if (code === 'E_STORAGE') expect(fault.error.retryAfter).to.equal(5);
      }
    });

    it(`tell people what to do, without statements, values or names of the schema (${name})`, () => {
      for (const [error] of cases) {
        const { message, cause } = meaning(error).error;
        expect(message).to.match(/\.$/);
        expect(message).not.to.match(/driver text|constraint|select|secret|SQLITE_/);
        expect(String(cause)).not.to.include('secret');
      }
    });
  }

  it('end the service when the medium itself failed', () => {
    expect(sqliteFault(driverError('SQLITE_IOERR')).error.fatal).to.equal(true);
    expect(postgresFault(driverError('58030')).error.fatal).to.equal(true);
    expect(sqliteFault(driverError('SQLITE_FULL')).error.fatal).to.equal(false);
  });

  it('at a commit of SQLite are references to an audit event that is missing', () => {
    const fault = sqliteFault(driverError('SQLITE_CONSTRAINT', 'FOREIGN KEY constraint failed'), true);
    expect(fault.error.code).to.equal('E_AUDIT');
  });
});
