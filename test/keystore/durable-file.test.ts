import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { KmcError, type ErrorCode } from '../../src/errors.ts';
import {
  checkInside,
  checkPrivateDirectory,
  createDurableFile,
  deleteStrayTemporaries,
  makePrivateDirectory,
  readPrivateFile,
  removeDurableFile,
  replaceDurableFile,
} from '../../src/keystore/durable-file.ts';
import { scratchDirectory } from './scratch.ts';

function refusal(work: () => unknown): KmcError {
  try {
    work();
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function expectRefused(work: () => unknown, code: ErrorCode, text: string): void {
  const error = refusal(work);
  expect(error.code).to.equal(code);
  expect(error.message).to.include(text);
}

const BYTES = Buffer.from('sealed');

describe('durable file', () => {
  const scratch = scratchDirectory();
  const file = (name = 'file.blob'): string => join(scratch(), name);

  it('a created file holds its bytes, is private and leaves no temporary', () => {
    createDurableFile(file(), BYTES);
    expect(readPrivateFile(file(), 'file.blob', 100)).to.deep.equal(BYTES);
    expect(statSync(file()).mode & 0o777).to.equal(0o600);
    expect(readdirSync(scratch())).to.deep.equal(['file.blob']);
  });

  it('creating never replaces a file', () => {
    createDurableFile(file(), BYTES);
    expectRefused(() => createDurableFile(file(), Buffer.from('other')), 'E_EXISTS', 'file.blob');
    expect(readFileSync(file())).to.deep.equal(BYTES);
    expect(readdirSync(scratch())).to.deep.equal(['file.blob']);
  });

  it('replacing gives the new content under the same name', () => {
    createDurableFile(file(), BYTES);
    replaceDurableFile(file(), Buffer.from('other'));
    expect(readFileSync(file(), 'utf8')).to.equal('other');
    expect(readdirSync(scratch())).to.deep.equal(['file.blob']);
  });

  it('removing is done once and may be repeated', () => {
    createDurableFile(file(), BYTES);
    removeDurableFile(file());
    removeDurableFile(file());
    expect(readdirSync(scratch())).to.deep.equal([]);
  });

  it('an absent file reads as nothing', () => {
    expect(readPrivateFile(file(), 'file.blob', 100)).to.equal(undefined);
  });

  it('an empty file reads as empty', () => {
    createDurableFile(file(), Buffer.alloc(0));
    expect(readPrivateFile(file(), 'file.blob', 100)).to.have.length(0);
  });

  it('a stray temporary is deleted and other names are left alone', () => {
    writeFileSync(file('.file.blob.0123456789ab.tmp'), 'half');
    writeFileSync(file('.file.blob.0123456789AB.tmp'), 'not ours');
    deleteStrayTemporaries(scratch());
    expect(readdirSync(scratch())).to.deep.equal(['.file.blob.0123456789AB.tmp']);
  });

  it('deleting the temporary of an interrupted create leaves the file with one name', () => {
    createDurableFile(file(), BYTES);
    linkSync(file(), file('.file.blob.0123456789ab.tmp'));
    deleteStrayTemporaries(scratch());
    expect(readPrivateFile(file(), 'file.blob', 100)).to.deep.equal(BYTES);
  });

  const refused: readonly (readonly [string, (path: string) => void, string])[] = [
    ['a symbolic link', (path) => symlinkSync('/etc/hostname', path), 'symbolic link'],
    ['a dangling symbolic link', (path) => symlinkSync('nowhere', path), 'symbolic link'],
    ['a FIFO', (path) => execFileSync('mkfifo', ['-m', '600', path]), 'not a regular file'],
    ['a directory', (path) => mkdirSync(path, { mode: 0o700 }), 'not a regular file'],
    ['a file that the group may read', (path) => writeFileSync(path, BYTES, { mode: 0o640 }), 'open to group'],
    ['a file that others may read', (path) => writeFileSync(path, BYTES, { mode: 0o604 }), 'open to group or others'],
    ['a file that is too large', (path) => writeFileSync(path, Buffer.alloc(101), { mode: 0o600 }), 'larger'],
    [
      'a file with a second hard link',
      (path) => {
        writeFileSync(path, BYTES, { mode: 0o600 });
        linkSync(path, `${path}.second`);
      },
      'second name',
    ],
  ];
  for (const [what, make, text] of refused) {
    it(`${what} is not read`, () => {
      make(file());
      expectRefused(() => readPrivateFile(file(), 'file.blob', 100), 'E_INTEGRITY', text);
    });
  }

  it('a directory is made private, and one that is open or a link is refused', () => {
    makePrivateDirectory(file('made'));
    expect(statSync(file('made')).mode & 0o777).to.equal(0o700);
    chmodSync(file('made'), 0o750);
    expectRefused(() => makePrivateDirectory(file('made')), 'E_INTEGRITY', 'made is open to group');
    symlinkSync('/tmp', file('link'));
    expectRefused(() => checkPrivateDirectory(file('link')), 'E_INTEGRITY', 'link is not a directory');
  });

  it('a folder that leads out of the root is refused', () => {
    mkdirSync(file('root'));
    mkdirSync(file('root-2'));
    mkdirSync(file('root/inside'));
    symlinkSync(file('root-2'), file('root/out'));
    checkInside(file('root'), file('root'));
    checkInside(file('root'), file('root/inside'));
    expectRefused(() => checkInside(file('root'), file('root/out')), 'E_INTEGRITY', 'leads out');
    expectRefused(() => checkInside(file('root'), file('root-2')), 'E_INTEGRITY', 'leads out');
  });

  it('a write into an absent directory is a refusal without a path in its text', () => {
    const error = refusal(() => createDurableFile(file('absent/file.blob'), BYTES));
    expect(error.code).to.equal('E_STORAGE');
    expect(error.fatal).to.equal(false);
    expect(error.message).not.to.include(scratch());
  });

  it('EFBIG in the middle of a write leaves neither file nor temporary', function () {
    if (spawnSync('prlimit', ['--version']).status !== 0) this.skip();
    const script = `
      import { createDurableFile } from ${JSON.stringify(join(import.meta.dirname, '../../src/keystore/durable-file.ts'))};
      process.on('SIGXFSZ', () => {});
      try { createDurableFile(process.argv[1], Buffer.alloc(100000)); } catch (error) { process.stdout.write(error.code + ' ' + error.fatal); }`;
    const args = ['--fsize=65536', process.execPath, '--import', 'tsx', '--input-type=module', '-e', script, file()];
    expect(execFileSync('prlimit', args, { encoding: 'utf8' })).to.equal('E_STORAGE false');
    expect(readdirSync(scratch())).to.deep.equal([]);
  });
});
