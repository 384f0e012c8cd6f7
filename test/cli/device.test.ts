import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commands } from '../../src/cli/device.ts';
import { decodePemAll, encodePem } from '../../src/crypto/asn1/pem.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';

import type { CastMember } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc, type Ran } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

const NOUNS = { device: { summary: 'devices', load: () => Promise.resolve(commands) } };
const DEVICE = Object.entries({
  id: 'gw-1',
  vendor: 'V',
  model: 'M',
  serial: 'S-1',
  region: '110000',
  unit: '市局',
  organization: '政务外网',
  'common-name': 'gw 1',
  dns: 'gw-1.example.cn',
}).flatMap(([option, value]) => [`--${option}`, value]);

forEachDatabase('kmc device', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  let files: ScratchFiles;
  beforeEach(() => {
    files = new ScratchFiles();
  });
  afterEach(() => files.remove());

  async function run(member: CastMember | undefined, ...args: string[]): Promise<Ran> {
    const identity = member === undefined ? [] : await files.identity(test().instance.engine, member);
    return await runKmc(['device', ...args, '--url', service().url, ...identity], NOUNS);
  }

  it('registers, hands a token over as a file, enrols, shows and lists', async () => {
    const { raOne, raTwo } = test().people;
    const registered = await run(raOne, 'register', ...DEVICE, '--json');
    expect(registered.code, registered.err).to.equal(0);
    const registration = files.write('gw-1.json', registered.out);
    const tokenFile = join(files.folder, 'gw-1.token');
    expect((await run(raOne, 'token', 'gw-1', '--token-out', tokenFile)).code).to.equal(6);
    expect(existsSync(tokenFile)).to.equal(false);
    const token = await run(raTwo, 'token', 'gw-1', '--token-out', tokenFile, '--in-person', '--json');
    expect(token.code, token.err).to.equal(0);
    expect(readFileSync(tokenFile, 'latin1')).to.match(/^[A-Z2-7]{32}$/);
    expect(statSync(tokenFile).mode & 0o777).to.equal(0o600);
    expect(token.out + token.err).not.to.include(readFileSync(tokenFile, 'latin1'));

    const root = files.write('root.pem', encodePem('CERTIFICATE', test().estate.root.certificate.der));
    const passphrase = files.write('gw-1.pass', 'a passphrase of the device\n');
    const folder = join(files.folder, 'gw-1');
    const options = ['--registration', registration, '--token-file', tokenFile, '--root', root, '--out', folder];
    options.push('--write', 'nginx-tlcp', '--write', 'swanctl');
    const enrolled = await run(undefined, 'enroll', ...options, '--passphrase-file', passphrase, '--json');
    expect(enrolled.code, enrolled.err).to.equal(0);
    const [sign] = decodePemAll(readFileSync(join(folder, 'tlcp.pem'), 'latin1'), 'CERTIFICATE');
    expect(parseCertificate(sign!).subject.text).to.include('CN=gw 1');

    const config = readFileSync(join(folder, 'nginx-tlcp.conf'), 'utf8');
    const named = [...config.matchAll(/ (\/\S+);/g)].map((match) => match[1] ?? '');
    expect(named).to.have.length(6);
    for (const path of named) expect(existsSync(path), path).to.equal(true);
    expect(readFileSync(join(folder, 'swanctl', 'swanctl.conf'), 'utf8')).to.include('UNVERIFIED');

    const device = ['--dir', folder, '--passphrase-file', passphrase, '--json'];
    const old = ['cert', 'key', 'ca'].flatMap((what) => [`--rsa-${what}`, files.write(`old-${what}.pem`, '')]);
    const rsa = await run(undefined, 'config', 'swanctl-rsa', ...device, ...old);
    expect(rsa.code, rsa.err).to.equal(0);
    expect(readFileSync(String(rsa.json()['file']), 'utf8')).to.include(
      `certs = ${join(files.folder, 'old-cert.pem')}`,
    );
    for (const bad of [['swanctl-rsa'], ['swanctl-rsa', ...old.slice(0, 2)], ['ipsec.conf']]) {
      expect((await run(undefined, 'config', ...bad, ...device)).code, bad.join(' ')).to.equal(1);
    }
    const before = (await run(undefined, 'status', '--dir', folder, '--json')).json();
    const early = await run(undefined, 'renew', ...device);
    expect([early.code, early.json()['renewed']], early.err).to.deep.equal([0, false]);
    const renewed = await run(undefined, 'renew', ...device, '--force', '--reload', 'true');
    expect([renewed.code, renewed.json()['renewed'], renewed.json()['reloaded']]).to.deep.equal([0, true, true]);
    const after = (await run(undefined, 'status', '--dir', folder, '--json')).json();
    expect(after['signSerial']).to.not.equal(before['signSerial']);
    expect((await run(undefined, 'status')).code).to.equal(1);

    const status = await run(raOne, 'status', 'gw-1');
    expect(status.out).to.include('in-service').and.to.include('gateway-enc');
    expect((await run(raOne, 'list', '--json')).json()['items']).to.have.length(1);
    expect((await run(test().people.raElsewhere, 'status', 'gw-1')).code).to.equal(5);
  });

  it('revokes a token, after which it enrols nobody', async () => {
    const { raOne, raTwo } = test().people;
    await run(raOne, 'register', ...DEVICE);
    const tokenFile = join(files.folder, 'gw-1.token');
    const token = await run(raTwo, 'token', 'gw-1', '--token-out', tokenFile, '--json');
    const tokenId = String(token.json()['tokenId']);
    expect((await run(raOne, 'revoke-token', 'gw-1', tokenId)).code).to.equal(0);
    expect((await run(raOne, 'revoke-token', 'gw-1', tokenId)).code).to.equal(7);
  });
});
