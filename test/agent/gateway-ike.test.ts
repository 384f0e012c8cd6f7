/** Two gateways authenticate each other by IKEv2 with the RSA set that `kmc device config` wrote: real strongSwan, two networks. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DeviceFolder } from '../../src/agent/device-folder.ts';
import { writeGatewayConfig } from '../../src/agent/gateway-config.ts';

const CHARON = '/usr/lib/ipsec/charon';
const PLUGINS =
  'random nonce pem openssl x509 revocation constraints pubkey pkcs1 pkcs8 hmac kdf kernel-netlink socket-default vici';
const ADDRESSES = { 'gw-a': '10.9.0.1', 'gw-b': '10.9.0.2' } as const;
type Gateway = keyof typeof ADDRESSES;

const canTry =
  existsSync(CHARON) &&
  spawnSync('swanctl', ['--help']).status !== null &&
  spawnSync('unshare', ['-n', '-m', 'ip', 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'vb']).status === 0;

describe('agent/gateway-config for strongSwan', function strongSwan() {
  this.timeout(120_000);
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kmc-ike-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const CA = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n';
  const LEAF = 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n';

  function certify(name: string, issuer: string, extensions: string): void {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(join(root, `${name}.ext`), extensions);
    const signer = name === issuer ? ['-signkey', `${name}.key`] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-days', '30', ...signer, ...files);
  }

  /** The configuration of a gateway, with what an operator adds; its certificate leads to the root of `estate`. */
  function configure(gateway: Gateway, estate: string): void {
    certify(gateway, `${estate}-issuing`, LEAF);
    const folder = new DeviceFolder(join(root, `${gateway}.d`));
    const rsa = {
      certificate: join(root, `${gateway}.pem`),
      key: join(root, `${gateway}.key`),
      authorities: [`${estate}-issuing.pem`, `${estate}-root.pem`].map((name) => join(root, name)),
    };
    const file = writeGatewayConfig('swanctl-rsa', folder, join(root, 'passphrase'), rsa);
    expect(readlinkSync(join(folder.path, 'swanctl-rsa/private', `${gateway}.key`))).to.equal(rsa.key);
    const peer = gateway === 'gw-a' ? ADDRESSES['gw-b'] : ADDRESSES['gw-a'];
    const text = readFileSync(file, 'utf8').replace(
      'version = 2',
      `version = 2\n    remote_addrs = ${peer}\n    childless = force`,
    );
    writeFileSync(file, text.replace('start_action = trap', 'start_action = none'));
    const vici = `plugins { vici { socket = unix://${folder.path}/vici } }`;
    const log = `filelog { log { path = ${folder.path}/log\n flush_line = yes } }`;
    writeFileSync(
      join(folder.path, 'strongswan.conf'),
      `charon {\n load = ${PLUGINS}\n ${log}\n ${vici}\n}\nswanctl {\n load = ${PLUGINS}\n}\n`,
    );
  }

  /** Starts both in networks of their own that one cable joins, and lets gw-a begin. Returns what it says of its peers. */
  function connect(): string {
    const of = (gateway: Gateway) => join(root, `${gateway}.d`);
    const swanctl = (gateway: Gateway, words: string) =>
      `STRONGSWAN_CONF=${of(gateway)}/strongswan.conf swanctl ${words} --uri unix://${of(gateway)}/vici`;
    const start = (gateway: Gateway, inside: string) =>
      `STRONGSWAN_CONF=${of(gateway)}/strongswan.conf ${inside} unshare -m sh -c 'mount -t tmpfs tmpfs /run; exec ${CHARON}' >/dev/null 2>&1 & PIDS="$PIDS $!"`;
    const load = (gateway: Gateway) =>
      `for i in $(seq 50); do test -S ${of(gateway)}/vici && break; sleep 0.1; done\n` +
      swanctl(gateway, `--load-all --noprompt --file ${of(gateway)}/swanctl-rsa/swanctl.conf`);
    const script = [
      'set -e',
      "unshare -n sleep 60 & OTHER=$!; PIDS=$OTHER; trap 'kill $PIDS 2>/dev/null; wait' EXIT",
      'for i in $(seq 50); do test "$(readlink /proc/$OTHER/ns/net)" != "$(readlink /proc/$$/ns/net)" && break; sleep 0.1; done',
      'ip link add va type veth peer name vb; ip link set vb netns $OTHER',
      `ip addr add ${ADDRESSES['gw-a']}/24 dev va; ip link set va up; ip link set lo up`,
      `nsenter -t $OTHER -n sh -c 'ip addr add ${ADDRESSES['gw-b']}/24 dev vb; ip link set vb up; ip link set lo up'`,
      start('gw-a', ''),
      start('gw-b', 'nsenter -t $OTHER -n'),
      load('gw-a'),
      load('gw-b'),
      `${swanctl('gw-a', '--initiate --ike kmc-rsa --timeout 20')} || true`,
      'echo PEERS',
      swanctl('gw-a', '--list-sas'),
    ].join('\n');
    const { stdout, stderr, status } = spawnSync('unshare', ['-n', 'bash', '-c', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).to.equal(0);
    return stdout.slice(stdout.indexOf('PEERS'));
  }

  beforeEach(function estates() {
    if (!canTry) this.skip();
    for (const estate of ['legacy', 'other']) {
      certify(`${estate}-root`, `${estate}-root`, CA);
      certify(`${estate}-issuing`, `${estate}-root`, CA);
    }
  });

  it('gateways with certificates of one root authenticate each other', () => {
    configure('gw-a', 'legacy');
    configure('gw-b', 'legacy');
    const peers = connect();
    expect(peers).to.match(/kmc-rsa: #1, ESTABLISHED/);
    expect(peers).to.contain("remote 'CN=gw-b'");
  });

  it('one whose certificate leads to another root is refused', () => {
    configure('gw-a', 'legacy');
    configure('gw-b', 'other');
    expect(connect()).not.to.contain('ESTABLISHED');
  });
});
