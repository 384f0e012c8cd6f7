/** One well-formed specimen of each keystore file, for round trips and mutations. */
import type { JournalRecord } from '../../../src/domain/keystore/journal-record.ts';
import type { Manifest } from '../../../src/domain/keystore/manifest.ts';
import type { SealFile } from '../../../src/domain/keystore/seal-file.ts';

const digest = (digit: string): string => `sm3:${digit.repeat(64)}`;
export const SET_ID = '00112233445566778899aabbccddeeff';

export const MANIFEST: Manifest = {
  body: {
    instance: 'kmc-test',
    kind: 'service',
    epoch: 2,
    change: 'change-1',
    files: [
      { path: 'FORMAT', size: 10, sm3: digest('a') },
      { path: 'master/mk-0001.blob', size: 148, sm3: digest('b') },
      { path: `seal/shamir-${SET_ID}.json`, size: 900, sm3: digest('c') },
    ],
    checkValues: [{ key: 'master-2', value: '0123456789abcdef' }],
    macVersion: 1,
  },
  mac: Buffer.alloc(32, 7),
};

export const SEAL: SealFile = {
  set: {
    setId: SET_ID,
    threshold: 2,
    count: 3,
    commitments: [1, 9, 200].map((index) => ({ index, commitment: index.toString(16).padStart(64, '0') })),
  },
  holders: [1, 9, 200].map((index) => ({
    index,
    person: `p-${index}`,
    certificate: digest((index % 10).toString(16)),
  })),
  unsealCheckValue: Buffer.alloc(8, 3),
  masterVersion: 2,
  wrappedMaster: Buffer.alloc(148, 5),
};

export const JOURNAL: JournalRecord = {
  body: {
    instance: 'kmc-test',
    change: 'change-1',
    toEpoch: 2,
    manifest: digest('d'),
    adds: [{ path: 'master/mk-0001.blob', size: 148, sm3: digest('b') }],
    removes: [`seal/shamir-${SET_ID}.json`],
    set: SET_ID,
    threshold: 2,
    shares: 3,
    masterVersion: 2,
    macVersion: 1,
    database: {
      keks: [
        {
          purpose: 'ca-keys',
          version: 1,
          replaces: 1,
          blob: Buffer.alloc(148, 9),
          keyCheckValue: Buffer.alloc(8, 1),
          createdAt: new Date('2026-12-01T08:00:00.000Z'),
        },
      ],
      event: {
        id: 'ev-1',
        action: 'keystore.epoch',
        at: new Date('2026-12-01T08:00:00.000Z'),
        actor: { type: 'person', id: 'p-1', role: 'security-administrator', cert: digest('e') },
        node: 'node-1',
        request: 'req-1',
      },
    },
  },
  mac: Buffer.alloc(32, 7),
};
