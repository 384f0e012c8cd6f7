import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ERROR_CODES, KmcError } from '../../src/errors.ts';
import { HTTP_STATUS, problemOf } from '../../src/http/problem.ts';

describe('problem documents', () => {
  it('give every error code a status, and no other', () => {
    expect(Object.keys(HTTP_STATUS).sort()).to.deep.equal([...ERROR_CODES].sort());
    for (const status of Object.values(HTTP_STATUS)) {
      expect(status === 202 || (status >= 400 && status <= 503)).to.equal(true);
    }
  });

  it('have a type of their own for each code', () => {
    const types = ERROR_CODES.map((code) => problemOf(new KmcError(code, 'text'), 'req-1').type);
    expect(new Set(types).size).to.equal(ERROR_CODES.length);
    for (const type of types) expect(type).to.match(/^urn:kmc:error:[a-z0-9-]+$/);
  });

  it('show no detail and no pointers of a fault of ours', () => {
    for (const code of ERROR_CODES.filter((name) => HTTP_STATUS[name] === 500)) {
      const pointers = [{ pointer: '/secret', detail: 'secret' }];
      expect(JSON.stringify(problemOf(new KmcError(code, 'secret', { pointers }), 'req-1'))).to.not.include('secret');
    }
    expect(JSON.stringify(problemOf(new TypeError('secret'), 'req-1'))).to.not.include('secret');
  });

  it('are the only place where a status of an error stands', () => {
    const folder = join(import.meta.dirname, '../../src/flows');
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => /status: (?:4|5)\d\d\b/.test(readFileSync(join(folder, name), 'utf8')));
    expect(found).to.deep.equal([]);
  });
});
