/** Whether a machine is connected (C15): on made-up tables, and for real with and without a network. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { connections, type NetworkSources } from '../../src/keystore/network.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const DEFAULT_ROUTE = 'eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n';
const V6 = '00000000000000000000000000000001 80 00000000000000000000000000000000 00 0 0 0 0 80200001       ';
const LOOPBACK = { name: 'lo', internal: true };
const MODULE = join(import.meta.dirname, '../../src/keystore/network.ts');
const PRINT = `import(${JSON.stringify(MODULE)}).then((m) => process.stdout.write(JSON.stringify(m.connections())))`;

const alone: NetworkSources = {
  interfaces: () => [LOOPBACK],
  table: (name) => (name === 'route' ? HEAD : `${V6}lo\n`),
};

describe('keystore/network', () => {
  it('a machine with loopback alone is not connected', () => expect(connections(alone)).to.deep.equal([]));

  const connected: readonly (readonly [string, Partial<NetworkSources>, string])[] = [
    ['an interface', { interfaces: () => [LOOPBACK, { name: 'eth0', internal: false }] }, 'interface eth0 is up'],
    ['a route', { table: (name) => (name === 'route' ? HEAD + DEFAULT_ROUTE : '') }, 'a route leads to eth0'],
    ['an IPv6 route', { table: (name) => (name === 'route' ? HEAD : `${V6}wlan0\n`) }, 'a route leads to wlan0'],
  ];
  for (const [what, sources, text] of connected) {
    it(`${what} is named`, () => expect(connections({ ...alone, ...sources })).to.deep.equal([text]));
  }

  it('a process in a network of its own sees nothing, as a machine without a network does', function isolated() {
    this.timeout(20_000);
    if (spawnSync('unshare', ['-rn', 'true']).status !== 0) {
      if (process.env['CI'] === 'true')
        throw new Error('unshare is missing or refused, which is a failure with CI=true');
      this.skip();
    }
    const run = ['--import', 'tsx', '-e', PRINT];
    expect(execFileSync('unshare', ['-rn', process.execPath, ...run], { encoding: 'utf8' })).to.equal('[]');
  });
});
