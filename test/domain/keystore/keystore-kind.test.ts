import { expect } from 'chai';
import {
  isKeystoreFileName,
  kekFileName,
  KEYSTORE_KINDS,
  masterFileName,
  parseKekFileName,
  parseRootKeyFileName,
  rootKeyFileName,
  sealFileName,
  tombstoneFileName,
} from '../../../src/domain/keystore/keystore-kind.ts';
import { KmcError } from '../../../src/errors.ts';

const SET = '00112233445566778899aabbccddeeff';
const SERVICE_NAMES = ['FORMAT', sealFileName(SET), masterFileName(3)];
const CEREMONY_NAMES = [
  kekFileName('root-keys', 7),
  rootKeyFileName('root-sm2-2026', 1),
  tombstoneFileName('root-old'),
];
/** security-and-faults 4.F: what must never be a name. */
const BAD_IDS = [
  '',
  '../x',
  'a/b',
  'a\\b',
  '%2e%2e',
  'a\0b',
  'A',
  'é',
  '․․',
  'con.',
  '-a',
  'a'.repeat(65),
  'a b',
  'a\n',
];

describe('names of keystore files', () => {
  it('are those of security-and-faults 2.4', () => {
    expect([...SERVICE_NAMES, ...CEREMONY_NAMES]).to.deep.equal([
      'FORMAT',
      `seal/shamir-${SET}.json`,
      'master/mk-0003.blob',
      'kek/root-keys/0007.blob',
      'root/root-sm2-2026.0001.blob',
      'tomb/root-old.json',
    ]);
  });

  it('the ceremony keystore holds all of them, the service keystore no keys in files', () => {
    for (const name of SERVICE_NAMES)
      for (const kind of KEYSTORE_KINDS) expect(isKeystoreFileName(kind, name)).to.equal(true);
    for (const name of CEREMONY_NAMES) {
      expect(isKeystoreFileName('ceremony', name)).to.equal(true);
      expect(isKeystoreFileName('service', name)).to.equal(false);
    }
  });

  it('read back to what they were made of', () => {
    expect(parseKekFileName('kek/root-keys/0007.blob')).to.deep.equal({ purpose: 'root-keys', version: 7 });
    expect(parseRootKeyFileName('root/root-sm2-2026.0012.blob')).to.deep.equal({ keyId: 'root-sm2-2026', version: 12 });
    expect(parseKekFileName('root/a.0001.blob')).to.equal(undefined);
    expect(parseRootKeyFileName('kek/backup/0001.blob')).to.equal(undefined);
  });

  for (const id of BAD_IDS) {
    it(`the key id ${JSON.stringify(id).slice(0, 20)} is refused`, () => {
      expect(() => rootKeyFileName(id, 1))
        .to.throw(KmcError)
        .with.property('code', 'E_ID');
      expect(() => tombstoneFileName(id))
        .to.throw(KmcError)
        .with.property('code', 'E_ID');
      expect(isKeystoreFileName('ceremony', `root/${id}.0001.blob`)).to.equal(false);
      expect(isKeystoreFileName('ceremony', `tomb/${id}.json`)).to.equal(false);
    });
  }

  for (const version of [0, -1, 1.5, 10_000, Number.NaN]) {
    it(`the version ${version} is refused`, () => {
      expect(() => masterFileName(version))
        .to.throw(KmcError)
        .with.property('code', 'E_ID');
    });
  }

  it('names beside the table are none of a keystore', () => {
    const names = ['manifest.json', 'seal/hsm.json', `seal/shamir-${SET.toUpperCase()}.json`, 'master/mk-0000.blob'];
    names.push('kek/unknown/0001.blob', 'root/a.1.blob', './FORMAT', 'FORMAT/', 'seal//x', ' FORMAT');
    for (const name of names) expect(isKeystoreFileName('ceremony', name), name).to.equal(false);
  });
});
