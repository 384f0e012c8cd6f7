import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { fileEntry } from '../../src/domain/keystore/manifest.ts';
import { KmcError } from '../../src/errors.ts';
import type { KeystoreFiles } from '../../src/flows/ports/keystore.ts';
import { openFileKeystore, readFileKeystore } from '../../src/keystore/file-keystore.ts';
import { refusal } from '../crypto/refusal.ts';
import { scratchDirectory } from './scratch.ts';

const BYTES = Buffer.from('sealed');
const SEAL = 'seal/shamir-00112233445566778899aabbccddeeff.json';

describe('keystore directory', () => {
  const scratch = scratchDirectory();
  let files: KeystoreFiles;
  const root = (name = ''): string => join(scratch(), 'ceremony', name);

  beforeEach(() => {
    files = openFileKeystore(root(), 'ceremony');
  });
  afterEach(() => files.close());

  const reopen = (): void => {
    files.close();
    files = openFileKeystore(root(), 'ceremony');
  };

  it('is made private, with its folders', () => {
    expect(readdirSync(root())).to.have.members(['.lock', 'journal', 'kek', 'master', 'root', 'seal', 'tomb']);
    for (const name of ['', 'journal', 'kek', '.lock']) expect(statSync(root(name)).mode & 0o777).to.equal(0o700);
    expect([files.manifest(), files.list(), files.journal()]).to.deep.equal([undefined, [], []]);
  });

  it('holds what was added, listed with size and digest', () => {
    files.add(SEAL, BYTES);
    files.add('kek/backup/0001.blob', BYTES);
    files.replaceManifest(Buffer.from('manifest'));
    expect(files.read(SEAL)).to.deep.equal(BYTES);
    expect(files.list()).to.deep.equal([fileEntry('kek/backup/0001.blob', BYTES), fileEntry(SEAL, BYTES)]);
    expect(files.manifest()?.toString()).to.equal('manifest');
    files.replaceManifest(Buffer.from('next'));
    expect(files.manifest()?.toString()).to.equal('next');
    files.remove(SEAL);
    files.remove(SEAL);
    expect(files.list()).to.have.length(1);
  });

  it('keeps journal records by number', () => {
    files.addJournal(12, BYTES);
    files.addJournal(3, BYTES);
    expect(files.journal()).to.deep.equal([
      { sequence: 3, bytes: BYTES },
      { sequence: 12, bytes: BYTES },
    ]);
    files.removeJournal(3);
    files.removeJournal(3);
    expect(files.journal()).to.have.length(1);
  });

  it('never replaces a file or a record', async () => {
    files.add(SEAL, BYTES);
    files.addJournal(1, BYTES);
    await refusal('E_EXISTS', () => files.add(SEAL, Buffer.from('other')));
    await refusal('E_EXISTS', () => files.addJournal(1, Buffer.from('other')));
    expect(files.read(SEAL)).to.deep.equal(BYTES);
  });

  it('names a file that is missing', async () => {
    expect((await refusal('E_INTEGRITY', () => files.read(SEAL))).message).to.include(SEAL);
  });

  const foreignNames = [
    '../outside',
    '/etc/passwd',
    'seal/../../x',
    'manifest.json',
    'kek/none/0001.blob',
    'tomb/A.json',
    'a\0b',
  ];
  for (const name of foreignNames) {
    it(`has no file ${JSON.stringify(name)}`, async () => {
      await refusal('E_ID', () => files.add(name, BYTES));
      await refusal('E_ID', () => files.read(name));
      await refusal('E_ID', () => files.remove(name));
    });
  }

  it('loses stray temporaries at the next start and keeps everything else', () => {
    files.add(SEAL, BYTES);
    files.add('kek/backup/0001.blob', BYTES);
    for (const folder of ['', 'seal', 'kek/backup', 'journal']) {
      writeFileSync(join(root(folder), '.x.0123456789ab.tmp'), 'half', { mode: 0o600 });
    }
    linkSync(root(SEAL), root('seal/.shamir.0123456789ab.tmp'));
    expect(readFileKeystore(root(), 'ceremony').journal()).to.deep.equal([]);
    reopen();
    expect(readdirSync(root('seal'))).to.have.length(1);
    expect(readdirSync(root('kek/backup'))).to.deep.equal(['0001.blob']);
    expect(files.read(SEAL)).to.deep.equal(BYTES);
  });

  const intruders: readonly (readonly [string, () => void, string])[] = [
    ['a foreign file', () => writeFileSync(root('notes.txt'), 'x', { mode: 0o600 }), 'notes.txt'],
    ['a foreign folder', () => mkdirSync(root('more'), { mode: 0o700 }), 'more'],
    ['a file that the group may read', () => chmodSync(root(SEAL), 0o640), 'open to group'],
    ['a folder that others may enter', () => chmodSync(root('kek'), 0o701), 'kek is open'],
    ['a root that the group may enter', () => chmodSync(root(), 0o750), 'ceremony is open'],
    ['a second hard link', () => linkSync(root(SEAL), join(scratch(), 'copy')), 'second name'],
    [
      'a symbolic link for a file',
      () => {
        renameSync(root(SEAL), join(scratch(), 'moved'));
        symlinkSync(join(scratch(), 'moved'), root(SEAL));
      },
      'symbolic link',
    ],
    [
      'a symbolic link for a folder',
      () => {
        renameSync(root('root'), join(scratch(), 'root'));
        symlinkSync(join(scratch(), 'root'), root('root'));
      },
      'root',
    ],
    [
      'a FIFO for a file',
      () => {
        rmSync(root(SEAL));
        execFileSync('mkfifo', ['-m', '600', root(SEAL)]);
      },
      'not a regular file',
    ],
    ['a folder for a file', () => mkdirSync(root('tomb/a.json'), { mode: 0o700 }), 'not a regular file'],
    ['a name with terminal controls', () => writeFileSync(root('\u001b[2Jx'), 'x'), '?[2Jx'.replace('[', '?')],
  ];
  for (const [what, intrude, text] of intruders) {
    it(`does not open with ${what}`, async () => {
      files.add(SEAL, BYTES);
      intrude();
      files.close();
      const error = await refusal('E_INTEGRITY', () => openFileKeystore(root(), 'ceremony'));
      expect(error.message).to.include(text);
      expect(error.message).to.not.include(scratch());
    });
  }

  it('of the service is changed inside of its lock only, in turns, and not after a fatal fault', async () => {
    const service = openFileKeystore(join(scratch(), 'service'), 'service');
    const other = openFileKeystore(join(scratch(), 'service'), 'service');
    await refusal('E_INTERNAL', () => service.add(SEAL, BYTES));
    const order: string[] = [];
    const turn = (keystore: KeystoreFiles, name: string): Promise<void> =>
      keystore.exclusively(async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 30));
        order.push(`${name} ends`);
      });
    await Promise.all([turn(service, 'a'), turn(other, 'b')]);
    expect(order).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends']);
    await service.exclusively(() => service.add(SEAL, BYTES));
    expect(other.read(SEAL)).to.deep.equal(BYTES);
    const fault = new KmcError('E_STORAGE', 'fsync failed', { fatal: true });
    await refusal('E_STORAGE', () => service.exclusively(() => Promise.reject(fault)));
    await refusal('E_STORAGE', () => service.exclusively(() => service.remove(SEAL)));
    await other.exclusively(() => other.remove(SEAL));
  });

  it('of the service is refused at the start as that of a ceremony is', async () => {
    openFileKeystore(join(scratch(), 'service'), 'service');
    symlinkSync('/etc/hostname', join(scratch(), 'service', 'FORMAT'));
    await refusal('E_INTEGRITY', () => openFileKeystore(join(scratch(), 'service'), 'service'));
  });

  it('a journal record of another name is refused', async () => {
    writeFileSync(root('journal/1.rec'), 'x', { mode: 0o600 });
    await refusal('E_INTEGRITY', () => files.journal());
  });

  it('can be looked into while another has it open, without a trace', () => {
    files.add(SEAL, BYTES);
    writeFileSync(root('seal/.x.0123456789ab.tmp'), 'half', { mode: 0o600 });
    expect(readFileKeystore(root(), 'ceremony').list()).to.deep.equal([fileEntry(SEAL, BYTES)]);
    expect(readdirSync(root('seal'))).to.have.length(2);
    expect(readFileKeystore(join(scratch(), 'ceremony'), 'ceremony').manifest()).to.equal(undefined);
  });
});
