import { expect } from 'chai';
import * as fc from 'fast-check';
import { judgeCeremonyEpoch, judgeEpochs, type EpochFacts } from '../../../src/domain/keystore/epoch-verdict.ts';
import { KmcError } from '../../../src/errors.ts';

/** The facts of a table row; the audit log names the manifest unless told otherwise. */
type Facts = Omit<EpochFacts, 'auditNamesManifest'> & Partial<EpochFacts>;

function verdict(facts: Facts): string {
  try {
    return judgeEpochs({ auditNamesManifest: true, ...facts });
  } catch (error) {
    if (error instanceof KmcError) return error.code;
    throw error;
  }
}

const written = (toEpoch: number): Required<EpochFacts>['journal'] => ({ toEpoch, namesManifest: true });
const notWritten = (toEpoch: number): Required<EpochFacts>['journal'] => ({ toEpoch, namesManifest: false });

describe('verdict over the epochs of files, database and audit log', () => {
  const table: readonly (readonly [string, Facts, string])[] = [
    ['all agree', { file: 4, database: 4, audit: 4 }, 'open'],
    [
      'a change was cut before its manifest',
      { file: 4, database: 4, audit: 4, journal: notWritten(5) },
      'open-discard',
    ],
    [
      'a change was cut before it was cleared up',
      { file: 4, database: 4, audit: 4, journal: written(4) },
      'open-finish',
    ],
    ['a change was cut before the database', { file: 5, database: 4, audit: 4, journal: written(5) }, 'resume'],
    ['the making was cut before the database', { file: 1, database: 0, audit: 0, journal: written(1) }, 'resume'],
    ['files one ahead without a record', { file: 5, database: 4, audit: 4 }, 'E_ROLLBACK'],
    [
      'files one ahead, record of other files',
      { file: 5, database: 4, audit: 4, journal: notWritten(5) },
      'E_ROLLBACK',
    ],
    ['files one ahead, record of another step', { file: 5, database: 4, audit: 4, journal: written(6) }, 'E_ROLLBACK'],
    ['files two ahead', { file: 6, database: 4, audit: 4, journal: written(6) }, 'E_ROLLBACK'],
    ['database emptied', { file: 4, database: 0, audit: 0 }, 'E_ROLLBACK'],
    ['database behind its audit log', { file: 4, database: 4, audit: 5 }, 'E_ROLLBACK'],
    ['audit log behind its database', { file: 4, database: 4, audit: 3 }, 'E_ROLLBACK'],
    ['resumable, but the audit log disagrees', { file: 5, database: 4, audit: 5, journal: written(5) }, 'E_ROLLBACK'],
    ['files of another change', { file: 4, database: 4, audit: 4, auditNamesManifest: false }, 'E_ROLLBACK'],
    [
      'files of another change, cut before it was cleared up',
      { file: 4, database: 4, audit: 4, auditNamesManifest: false, journal: written(4) },
      'E_ROLLBACK',
    ],
    [
      'a change cut before the database, whose manifest the log cannot know',
      { file: 5, database: 4, audit: 4, auditNamesManifest: false, journal: written(5) },
      'resume',
    ],
    ['old files', { file: 3, database: 4, audit: 4 }, 'E_ROLLBACK'],
    ['old files with a record', { file: 3, database: 4, audit: 4, journal: written(4) }, 'E_ROLLBACK'],
    ['a record of the past', { file: 4, database: 4, audit: 4, journal: written(3) }, 'E_INTEGRITY'],
    [
      'a record of this epoch with other files',
      { file: 4, database: 4, audit: 4, journal: notWritten(4) },
      'E_INTEGRITY',
    ],
    ['a record of the far future', { file: 4, database: 4, audit: 4, journal: notWritten(6) }, 'E_INTEGRITY'],
  ];
  for (const [what, facts, expected] of table) {
    it(`${what}: ${expected}`, () => expect(verdict(facts)).to.equal(expected));
  }

  it('whatever opens has equal epochs, and whatever resumes is exactly one ahead with its record', () => {
    const epoch = fc.integer({ min: 0, max: 5 });
    const journal = fc.option(fc.record({ toEpoch: epoch, namesManifest: fc.boolean() }), { nil: undefined });
    fc.assert(
      fc.property(epoch, epoch, epoch, journal, (file, database, audit, record) => {
        const result = verdict({ file, database, audit, ...(record === undefined ? {} : { journal: record }) });
        if (result.startsWith('open')) expect([database, audit]).to.deep.equal([file, file]);
        else if (result === 'resume') {
          expect([database, audit, record]).to.deep.equal([file - 1, file - 1, { toEpoch: file, namesManifest: true }]);
        } else expect(result).to.be.oneOf(['E_ROLLBACK', 'E_INTEGRITY']);
      }),
    );
  });
});

describe('verdict over the epoch of the ceremony keystore', () => {
  const facts = { file: 7, change: 'cer-1-s2', last: 7 };

  it('opens when bundle and manifest agree', () => expect(judgeCeremonyEpoch(facts)).to.equal('open'));

  it('opens one ahead for the pending change of a resumed ceremony', () => {
    expect(judgeCeremonyEpoch({ ...facts, last: 6, pendingChange: 'cer-1-s2' })).to.equal('ahead');
  });

  const refused = [
    { ...facts, last: 8 },
    { ...facts, last: 6 },
    { ...facts, last: 6, pendingChange: 'cer-1-s3' },
    { ...facts, last: 5, pendingChange: 'cer-1-s2' },
  ];
  for (const wrong of refused) {
    it(`refuses file 7, bundle ${wrong.last}, pending ${'pendingChange' in wrong ? wrong.pendingChange : 'nothing'}`, () => {
      expect(() => judgeCeremonyEpoch(wrong))
        .to.throw(KmcError)
        .with.property('code', 'E_ROLLBACK');
    });
  }
});
