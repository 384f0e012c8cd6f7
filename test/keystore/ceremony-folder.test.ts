import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openCeremonyFolder, openCeremonyInputs } from '../../src/keystore/ceremony-folder.ts';
import { refusalOf } from '../domain/refusal.ts';
import { scratchDirectory } from './scratch.ts';

describe('keystore/ceremony-folder', () => {
  const scratch = scratchDirectory();

  it('writes each file once, privately, and lists them by name', () => {
    const folder = openCeremonyFolder(join(scratch(), 'ceremony'));
    expect([...folder.files()]).to.deep.equal([]);
    folder.create('plan.json', Buffer.from('{}'));
    folder.create('outputs/shares/s2-p-1.json', Buffer.from('x'));
    expect([...folder.files().keys()]).to.deep.equal(['outputs/shares/s2-p-1.json', 'plan.json']);
    expect(folder.read('plan.json')?.toString()).to.equal('{}');
    expect(folder.read('file.yaml')).to.equal(undefined);
    expect(refusalOf(() => folder.create('plan.json', Buffer.from('[]')))?.code).to.equal('E_EXISTS');
    expect(readFileSync(join(scratch(), 'ceremony', 'plan.json'), 'utf8')).to.equal('{}');
    expect(statSync(join(scratch(), 'ceremony', 'plan.json')).mode & 0o777).to.equal(0o600);
  });

  it('adds lines to the transcript', () => {
    const folder = openCeremonyFolder(scratch());
    folder.append('transcript.jsonl', Buffer.from('a\n'));
    folder.append('transcript.jsonl', Buffer.from('b\n'));
    expect(folder.read('transcript.jsonl')?.toString()).to.equal('a\nb\n');
  });

  for (const name of ['../plan.json', '/etc/passwd', 'a/../b', '.hidden', 'a/b/c/d', '', 'a b']) {
    it(`takes no file of the name "${name}"`, () => {
      const folder = openCeremonyFolder(scratch());
      expect(refusalOf(() => folder.create(name, Buffer.alloc(1)))?.code).to.equal('E_ID');
      expect(refusalOf(() => folder.append(name, Buffer.alloc(1)))?.code).to.equal('E_ID');
      expect(refusalOf(() => openCeremonyInputs(scratch()).read(name))?.code).to.equal('E_NOT_FOUND');
    });
  }

  it('refuses a folder with a symbolic link or a file that no ceremony has', () => {
    symlinkSync('/etc/passwd', join(scratch(), 'plan.json'));
    const folder = openCeremonyFolder(scratch());
    expect(refusalOf(() => folder.files())?.code).to.equal('E_INTEGRITY');
    expect(refusalOf(() => folder.read('plan.json'))?.code).to.equal('E_INTEGRITY');
    writeFileSync(join(scratch(), 'a b'), '');
    expect(refusalOf(() => folder.files())?.code).to.equal('E_INTEGRITY');
  });
});
