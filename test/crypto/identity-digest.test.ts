import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { identityDigest } from '../../src/crypto/identity-digest.ts';
import { refusal } from './refusal.ts';

describe('identityDigest', function identityTests() {
  this.timeout(60_000);
  const digest = (number: string, instance = 'kmc-1') => identityDigest(Buffer.from(number), instance);

  it('is PBKDF2 with HMAC-SM3 over the number in capitals and without blanks, as the openssl program computes it', async () => {
    const options = {
      pass: '11010119900101123X',
      digest: 'SM3',
      hexsalt: Buffer.from('KMC-IDENTITY-V1\0kmc-1').toString('hex'),
      iter: '1000000',
    };
    const words = Object.entries(options).flatMap(([name, value]) => ['-kdfopt', `${name}:${value}`]);
    const { stdout, stderr } = spawnSync('openssl', ['kdf', '-keylen', '32', ...words, 'PBKDF2'], { encoding: 'utf8' });
    const expected = `sm3:${stdout.trim().replaceAll(':', '').toLowerCase()}`;
    expect(stdout, stderr).to.match(/^(?:[0-9A-F]{2}:){31}/);
    expect(await digest('110101 19900101 123x')).to.equal(expected);
  });

  it('is another one in another instance and of another number', async () => {
    const all = await Promise.all([
      digest('110101199001011'),
      digest('110101199001011', 'kmc-2'),
      digest('110101199001012'),
    ]);
    expect(new Set(all).size).to.equal(3);
  });

  it('refuses what is no identity number', async () => {
    for (const bad of ['', '12345', '1'.repeat(33), '1101-0119', '身份证号码', '110101\n199001']) {
      await refusal('E_USAGE', () => digest(bad));
    }
  });
});
