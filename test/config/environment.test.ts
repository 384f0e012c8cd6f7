import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { environmentName, readEnvironment, type SettingFlags } from '../../src/config/environment.ts';
import { lintPolicies } from '../../src/config/policies.ts';
import { refusalOf } from '../domain/refusal.ts';

describe('the environment', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'kmc-home-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  const read = (variables: Readonly<Record<string, string>> = {}, flags: SettingFlags = {}) =>
    readEnvironment(flags, { KMC_HOME: home, ...variables });
  const file = (text: string): void => writeFileSync(join(home, 'kmc.yaml'), text);
  const codeOf = (variables: Readonly<Record<string, string>>, flags: SettingFlags = {}): string | undefined =>
    refusalOf(() => read(variables, flags))?.code;

  it('without anything is that of a development instance on loopback', () => {
    const environment = read();
    expect(environment).to.include({ environment: 'development', instance: 'kmc-dev', home });
    expect(environment.listen).to.deep.equal({ host: '127.0.0.1', port: 8440 });
    expect(environment.tlsListen).to.deep.equal({ host: '127.0.0.1', port: 8443 });
    expect(environment.caListen).to.equal(undefined);
    expect(environment.database).to.equal(join(home, 'kmc.sqlite'));
    expect(environmentName(environment)).to.equal('development/kmc-dev');
    expect(lintPolicies(environment.policies, 'development').filter((one) => one.severity === 'error')).to.deep.equal(
      [],
    );
  });

  it('takes a flag before a variable, a variable before the file, the file before the default', () => {
    const port = (variables: Readonly<Record<string, string>>, flags: SettingFlags = {}): number =>
      read(variables, flags).listen.port;
    expect(port({})).to.equal(8440);
    file('listen: 127.0.0.1:9001\n');
    expect(port({})).to.equal(9001);
    expect(port({ KMC_LISTEN: '127.0.0.1:9002' })).to.equal(9002);
    expect(port({ KMC_LISTEN: '127.0.0.1:9002' }, { listen: '127.0.0.1:9003' })).to.equal(9003);
  });

  it('reads registered proxies with their sockets, and refuses one twice, a long path and another form', () => {
    expect(read().proxies).to.deep.equal([]);
    expect(read({ KMC_PROXIES: 'front=/run/kmc/a.sock,tlcp=/run/kmc/b.sock' }).proxies).to.deep.equal([
      { name: 'front', socket: '/run/kmc/a.sock' },
      { name: 'tlcp', socket: '/run/kmc/b.sock' },
    ]);
    for (const text of ['front', 'front=a.sock', 'a=/x,a=/y', 'a=/x,b=/x', 'a=/x,', `a=/${'x'.repeat(100)}`]) {
      expect(codeOf({ KMC_PROXIES: text }), text).to.equal('E_CONFIG');
    }
  });

  it('finds the file in the home that a flag names', () => {
    const other = join(home, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'kmc.yaml'), 'instance: kmc-other\n');
    expect(read({}, { home: other }).instance).to.equal('kmc-other');
  });

  it('takes the file that a flag names instead of the one in the home, as strictly', () => {
    file('listen: 127.0.0.1:9001\nlog-level: debug\n');
    const config = join(home, 'other.yaml');
    writeFileSync(config, 'listen: 127.0.0.1:9004\n');
    expect(read({}, { config })).to.deep.include({ listen: { host: '127.0.0.1', port: 9004 }, logLevel: 'info', home });
    expect(read({ KMC_LISTEN: '127.0.0.1:9002' }, { config }).listen.port).to.equal(9002);
    writeFileSync(config, 'log-level: warn\nlistn: 127.0.0.1:9004\n');
    const refusal = refusalOf(() => read({}, { config }));
    expect(refusal?.code).to.equal('E_CONFIG');
    expect(refusal?.message).to.include('--config, line 2').and.to.include('listn');
    const missing = refusalOf(() => read({}, { config: join(home, 'none.yaml') }));
    expect(missing?.code).to.equal('E_CONFIG');
    expect(missing?.message).to.include('--config').and.not.to.include(home);
  });

  it('keeps the identity of the home whatever file a flag names', () => {
    file('environment: production\ninstance: kmc-1\n');
    const config = join(home, 'other.yaml');
    writeFileSync(config, 'log-level: warn\n');
    expect(read({}, { config })).to.include({ environment: 'production', instance: 'kmc-1', logLevel: 'warn' });
    writeFileSync(config, 'instance: kmc-1\n');
    expect(read({}, { config }).instance).to.equal('kmc-1');
    writeFileSync(config, 'instance: kmc-2\n');
    expect(codeOf({}, { config })).to.equal('E_CONFIG');
    rmSync(join(home, 'kmc.yaml'));
    expect(read({}, { config }).instance).to.equal('kmc-2');
    expect(codeOf({ KMC_INSTANCE: 'kmc-3' }, { config })).to.equal('E_CONFIG');
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(read())).to.equal(true);
  });

  it('reads addresses of version 6, and the free port', () => {
    expect(read({ KMC_LISTEN: '[::1]:0' }).listen).to.deep.equal({ host: '::1', port: 0 });
  });

  it('refuses a KMC_ variable that is no setting, and names the known ones', () => {
    const refusal = refusalOf(() => read({ KMC_LISTN: '127.0.0.1:1' }));
    expect(refusal?.code).to.equal('E_CONFIG');
    expect(refusal?.message).to.include('KMC_LISTN').and.to.include('KMC_LISTEN');
  });

  it('lets the variables of the test suite and those of others pass', () => {
    expect(
      codeOf({
        KMC_SEED: '7',
        KMC_TEST_CRASH_POINTS: 'all',
        KMC_TEST_PG_URL: 'postgres://x',
        PATH: '/bin',
        MY_KMC_X: '1',
      }),
    ).to.equal(undefined);
  });

  it('refuses an unknown key of the file with its line', () => {
    file('# the instance\ninstance: kmc-1\nlistn: 127.0.0.1:1\n');
    const refusal = refusalOf(() => read());
    expect(refusal?.code).to.equal('E_CONFIG');
    expect(refusal?.message).to.include('line 3').and.to.include('listn');
  });

  it('refuses a file that is no strict YAML, and values that are no text', () => {
    for (const text of [
      'a: &x 1\n',
      'instance: [1]\n',
      'instance: 5\n',
      'instance: kmc-1\ninstance: kmc-2\n',
      '- x\n',
    ]) {
      file(text);
      expect(codeOf({}), text).to.equal('E_CONFIG');
    }
  });

  it('refuses an identity other than that of the file', () => {
    file('environment: production\ninstance: kmc-1\norigin: kmc.gov.cn/audit\n');
    expect(read().environment).to.equal('production');
    expect(codeOf({ KMC_ENVIRONMENT: 'production', KMC_INSTANCE: 'kmc-1' })).to.equal(undefined);
    expect(codeOf({ KMC_ENVIRONMENT: 'development' })).to.equal('E_CONFIG');
    expect(codeOf({ KMC_INSTANCE: 'kmc-2' })).to.equal('E_CONFIG');
    expect(codeOf({}, { origin: 'other.gov.cn' })).to.equal('E_CONFIG');
  });

  const bad: Readonly<Record<string, string>> = {
    KMC_ENVIRONMENT: 'staging',
    KMC_INSTANCE: 'KMC 1',
    KMC_LISTEN: '8440',
    KMC_TLS_LISTEN: '127.0.0.1:70000',
    KMC_CA_LISTEN: 'no address',
    KMC_LOG_LEVEL: 'all',
    KMC_ORIGIN: 'https://x',
    KMC_URL: 'kmc.gov.cn',
    KMC_NODE: '-n',
  };
  for (const [name, value] of Object.entries(bad)) {
    it(`refuses ${name}=${value}, naming the variable`, () => {
      const refusal = refusalOf(() => read({ [name]: value }));
      expect(refusal?.code).to.equal('E_CONFIG');
      expect(refusal?.message).to.include(name);
    });
  }

  it('never shows the database address, which may hold a password', () => {
    const refusal = refusalOf(() => read({ KMC_DB: 'postgres://kmc:secret@db/kmc', KMC_NODE: '!' }));
    expect(refusal?.message).not.to.include('secret');
  });
});
